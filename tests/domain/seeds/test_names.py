"""What a path says about its file."""

from __future__ import annotations

import pytest

from worker.domain.seeds.names import MOST_PATH_BYTES, find_copy, is_bin, is_too_long, original_of


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("nausea.sync-conflict-20261129-101500-ABCDEFG.md", "nausea.md"),
        ("nausea.conflict1.md", "nausea.md"),
        ("nausea.Conflict.md", "nausea.md"),
        ("nausea (Asha's conflicted copy 2026-11-29).md", "nausea.md"),
        ("nausea (conflicted copy 2026-11-29 101500).md", "nausea.md"),
        ("nausea (Conflicted copy asha 202611291015).md", "nausea.md"),
        ("nausea (Case Conflict).md", "nausea.md"),
        ("nausea (Asha's Case Conflict 2).md", "nausea.md"),
        ("nausea (Unicode Encoding Conflict).md", "nausea.md"),
        ("nausea (case clash from asha).md", "nausea.md"),
        ("nausea (SFConflict asha@example.org 2026-11-29-10-15-00).md", "nausea.md"),
        ("nausea [conflicted].md", "nausea.md"),
        ("nausea_conflict-20261129-101500.md", "nausea.md"),
        ("nausea_DESKTOP-AB12CD3_Nov-29-101500-2026_Conflict.md", "nausea.md"),
        ("nausea-DESKTOP-AB12CD3.md", "nausea.md"),
        ("nausea-DESKTOP-ABC.md", "nausea.md"),
        ("nausea-LAPTOP-AB12CD34-2.md", "nausea.md"),
        ("nausea_BACKUP_4711.md", "nausea.md"),
        ("nausea_REMOTE_4711.md", "nausea.md"),
        ("nausea_LOCAL_4711.md", "nausea.md"),
        ("nausea_BASE_4711.md", "nausea.md"),
        ("nausea_BASE_.md", "nausea.md"),
        ("nausea.md.LOCAL.4711.md", "nausea.md"),
        ("nausea.orig.md", "nausea.md"),
        ("nausea.bak.md", "nausea.md"),
        ("nausea - Copy.md", "nausea.md"),
        ("nausea - Copy (2).md", "nausea.md"),
        ("nausea - Kopie.md", "nausea.md"),
        ("nausea copy.md", "nausea.md"),
        ("nausea copy 3.md", "nausea.md"),
        ("nausea (copy).md", "nausea.md"),
        ("nausea (another copy).md", "nausea.md"),
        ("nausea (3rd copy).md", "nausea.md"),
        ("nausea (1).md", "nausea.md"),
        ("nausea (12).txt", "nausea.txt"),
        ("Copy of nausea.md", "nausea.md"),
        ("part/deep/nausea (1).md", "part/deep/nausea.md"),
        ("part - Copy/nausea.md", "part/nausea.md"),
        ("a/part (Asha's conflicted copy 2026-11-29)/b/nausea.md", "a/part/b/nausea.md"),
        ("जी मिचलाना - Copy.md", "जी मिचलाना.md"),
    ],
)
def test_a_copy_that_a_program_made_is_recognised_with_its_original(name, original):
    copy = find_copy(name)
    assert copy is not None
    assert copy.original == original == original_of(name)


@pytest.mark.parametrize(
    "name",
    [
        "nausea.md",
        "guide (2024).md",
        "guide (part 1).md",
        "dose-copy.md",
        "dose_copy.md",
        "copy.md",
        "copy of.md",
        "how-to-copy-a-file.md",
        "photocopy.md",
        "colonoscopy.md",
        "Colonoscopy (endoscopy).md",
        "family conflict.md",
        "conflict.md",
        "conflicted.md",
        "coping (conflict at home).md",
        "conflict-of-interest.md",
        "original.md",
        "orig.md",
        ".orig.md",
        "database.md",
        "DATA_BASE.md",
        "local_remote.md",
        "LOCAL_CARE.md",
        "DESKTOP-help.md",
        "your-desktop-computer.md",
        "vitamin-b(12).md",
        "ls(1).md",
        "chapter 2.md",
        "week (1)/nausea.md",
        "(1).md",
        " - Copy.md",
        "backup/nausea.md",
        "BACKUP_PLAN.md",
        "part (2024)/copying.md",
        "",
    ],
)
def test_an_ordinary_name_is_not_a_copy(name):
    assert find_copy(name) is None
    assert original_of(name) == name


@pytest.mark.parametrize(
    "folder",
    [
        "#recycle",
        "#Recycle",
        "@Recycle",
        "@Recently-Snapshot",
        "$RECYCLE.BIN",
        "$Recycle.Bin",
        "RECYCLER",
        "@eaDir",
        "#snapshot",
        "~snapshot",
        "@GMT-2026.11.29-10.15.00",
        "__MACOSX",
        "lost+found",
        "Lost+Found",
        "FOUND.000",
        "System Volume Information",
        "Network Trash Folder",
        "_NAS_Recycle_RAID",
        "Trash-1000",
    ],
)
def test_a_bin_of_a_drive_is_recognised_in_any_case(folder):
    assert is_bin(folder)


@pytest.mark.parametrize(
    "folder",
    ["recycling", "snapshots", "trash", "found", "lost and found", "macosx", "@home", "#1"],
)
def test_an_ordinary_folder_is_no_bin(folder):
    assert not is_bin(folder)


def test_a_path_is_measured_in_bytes():
    assert not is_too_long("a" * MOST_PATH_BYTES)
    assert is_too_long("a" * (MOST_PATH_BYTES + 1))
    assert is_too_long("క" * 342)
    assert not is_too_long("క" * 341)
    assert is_too_long("a" + "\udce9" * MOST_PATH_BYTES)
