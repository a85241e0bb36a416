"""A sync with nothing to do reads nothing; changes that stamps cannot prove are still found."""

from __future__ import annotations

import os
import shutil

import pytest
from support.seeds import a_seed, write

THEN = (1_700_000_000, 1_700_000_000)


@pytest.fixture
def sync(sync, library):
    """Return the same, after which `library.taken` is what that sync has sent."""

    def run(**options):
        library.taken.clear()
        return sync(**options)

    return run


@pytest.fixture
def pages(seeds):
    """Forty pages in as many folders, some within others, all modified long ago."""
    paths = []
    for number in range(40):
        path = write(seeds / f"{number % 7}/{number}/page.md", a_seed(title=f"Page {number}"))
        os.utime(path, THEN)
        paths.append(path)
    return paths


def found_by(sync, library) -> dict[str, bytes | None]:
    sync()
    return {taken.path: taken.data for taken in library.taken}


def test_an_unchanged_library_of_many_folders_is_reported_as_unchanged(
    sync, pages, library, monkeypatch
):
    assert sync(hours_later=1).new == 40
    monkeypatch.delattr(type(library), "known_files")  # only stamps are asked for
    for options in ({}, {"dry_run": True}):
        found = sync(**options)
        assert (found.scanned, found.unchanged) == (40, 40)
        assert (found.new, found.changed, found.moved, found.removed) == (0, 0, 0, [])
        assert library.taken == []


def test_an_unchanged_sync_ends_a_hold_whose_files_came_back(sync, pages, seeds, library):
    sync()
    seeds.rename(seeds.with_name("away"))
    seeds.mkdir()
    assert len(sync().held) == 40
    seeds.rmdir()
    seeds.with_name("away").rename(seeds)
    assert sync().unchanged == 40
    assert library.held is None


def test_another_inode_of_equal_size_and_time_is_found(sync, pages, seeds, library):
    sync()
    beside = write(seeds / "beside", pages[3].read_text().replace("Page", "Leaf"))
    os.utime(beside, THEN)
    beside.replace(pages[3])
    assert found_by(sync, library) == {"3/3/page.md": pages[3].read_bytes()}


def test_a_file_modified_during_its_read_is_read_again(sync, pages, library):
    os.utime(pages[3])
    sync()
    before = pages[3].stat()
    with pages[3].open("r+") as file:
        file.write(pages[3].read_text().replace("Page", "Leaf"))
    os.utime(pages[3], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found_by(sync, library) == {"3/3/page.md": pages[3].read_bytes()}
    assert sync().unchanged == 40, "it is read again each time, and is equal"


def test_a_moved_file_is_found(sync, pages, seeds, library):
    sync()
    pages[3].rename(seeds / "moved.md")
    found = sync()
    assert (found.moved, found.unchanged, found.removed) == (1, 39, [])
    assert library.moved == {"moved.md": "3/3/page.md"}


def test_a_deleted_folder_is_found(sync, pages, seeds, library):
    sync()
    shutil.rmtree(seeds / "3")
    gone = sorted(f"3/{number}/page.md" for number in range(3, 40, 7))
    assert sync(dry_run=True).removed == gone
    found = sync()
    assert (found.scanned, found.unchanged, found.removed) == (40 - len(gone), 40 - len(gone), gone)


def test_an_emptied_file_is_found(sync, pages, library):
    sync()
    pages[3].write_bytes(b"")
    os.utime(pages[3], THEN)
    assert found_by(sync, library) == {"3/3/page.md": b""}


def test_an_unchanged_refused_file_is_reported_as_unchanged(sync, pages, library):
    pages[3].write_text("x" * 6_000)
    os.utime(pages[3], THEN)
    assert found_by(sync, library)["3/3/page.md"] is None
    found = sync()
    assert (found.new, found.changed, found.unchanged) == (0, 0, 40)
    assert library.taken == []
    pages[3].unlink()
    assert sync().removed == ["3/3/page.md"]


def test_a_refused_document_recovers_with_its_old_bytes(sync, pages, library):
    sync()
    good = pages[3].read_bytes()
    pages[3].write_text("x" * 6_000)
    sync()
    pages[3].write_bytes(good)
    os.utime(pages[3], THEN)
    assert found_by(sync, library) == {"3/3/page.md": good}


def test_what_is_in_a_folder_that_cannot_be_listed_is_not_missing(sync, pages, seeds, monkeypatch):
    sync()
    opened = os.open

    def refuse(path, *arguments, **options):
        if path == "3":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patch:  # root may list every folder
        patch.setattr(os, "open", refuse)
        found = sync()
    assert (found.unsure, found.removed, found.held) == (["3"], [], [])
    assert found.unchanged == found.scanned == 34
    assert sync().unchanged == 40


def test_a_file_beside_unchanged_ones_is_found(sync, pages, seeds, library):
    sync()
    path = write(seeds / "3/new.md", a_seed(title="New"))
    assert found_by(sync, library) == {"3/new.md": path.read_bytes()}


def test_a_new_file_is_numbered_above_everything_in_the_store(sync, pages, seeds, library):
    sync()
    library.known["3/3/page.md"] = library.known["3/3/page.md"]._replace(observed=2**60)
    write(seeds / "3/new.md", a_seed(title="New"))
    assert sync().new == 1
    assert library.batches[-1].snapshots[0].observed > 2**60
