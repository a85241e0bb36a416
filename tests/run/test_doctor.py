"""What `doctor` says of a seeds folder."""

from __future__ import annotations

import pytest
from support.stored import a_library

from worker.run.doctor import doctor
from worker.watch import file_system


@pytest.mark.parametrize("kind", ["cifs", "9p", "vfat", "fuse.sshfs", "vboxsf"])
def test_a_file_system_without_change_times_is_named_and_is_no_fault(
    sqlite_url, seeds, monkeypatch, kind
):
    monkeypatch.setattr(file_system, "file_system_of", lambda _root: kind)
    with a_library(sqlite_url, seeds=seeds) as library:
        (check,) = [c for c in doctor(library.services.settings, None) if c.name == "change times"]
    assert check.ok
    assert f"the folder is on {kind}" in check.detail


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "nfs4", "virtiofs", None])
def test_a_file_system_with_change_times_is_not_mentioned(sqlite_url, seeds, monkeypatch, kind):
    monkeypatch.setattr(file_system, "file_system_of", lambda _root: kind)
    with a_library(sqlite_url, seeds=seeds) as library:
        checks = doctor(library.services.settings, None)
    assert "change times" not in {check.name for check in checks}
