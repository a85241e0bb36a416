from __future__ import annotations

import os

import pytest
from support.seeds import a_seed, write

from worker.errors import ConfigurationError
from worker.watch.read import stamp_of


def pages(seeds, number, **fields):
    for page in range(number):
        write(seeds / f"part-{page % 3}/page-{page}.md", a_seed(title=f"Page {page}", **fields))


def test_a_first_sync_sends_everything_and_a_second_nothing(sync, seeds, library):
    pages(seeds, 300)
    progress = []
    first = sync(progress=lambda done, total: progress.append((done, total)))
    assert (first.scanned, first.new, first.unchanged) == (300, 300, 0)
    assert progress[0] == (0, 300)
    assert progress[-1] == (300, 300)
    assert len(library.content) == 300
    library.taken.clear()
    second = sync()
    assert (second.scanned, second.new, second.changed, second.unchanged) == (300, 0, 0, 300)
    assert library.taken == []


def test_changes_moves_and_removals_are_found(sync, seeds, library):
    pages(seeds, 12)
    sync()
    write(seeds / "part-0/page-0.md", a_seed(title="Changed"))
    (seeds / "part-1/page-1.md").rename(seeds / "moved.md")
    (seeds / "part-2/page-2.md").unlink()
    found = sync()
    assert (found.changed, found.moved, found.removed) == (1, 1, ["part-2/page-2.md"])
    assert library.moved == {"moved.md": "part-1/page-1.md"}
    assert library.removed == ["part-2/page-2.md"]


def test_a_dry_run_changes_nothing(sync, seeds, library):
    pages(seeds, 3)
    found = sync(dry_run=True)
    assert (found.scanned, found.new) == (3, 3)
    assert library.taken == []
    sync()
    (seeds / "part-0/page-0.md").unlink()
    assert sync(dry_run=True).removed == ["part-0/page-0.md"]
    assert library.removed == []


def test_a_full_sync_finds_what_stamps_hide(sync, seeds, library):
    path = write(seeds / "a.md", "---\nold\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    sync(hours_later=1)
    with path.open("r+") as file:
        file.write("---\nnew\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    # As on a file system that does not say when a file changed.
    library.known["a.md"] = library.known["a.md"]._replace(stamp=stamp_of(str(seeds), "a.md"))
    assert sync().unchanged == 1
    assert sync(full=True).changed == 1
    assert library.content["a.md"] == b"---\nnew\n"


def test_a_file_being_written_is_skipped_and_reported(sync, seeds, library):
    write(seeds / "good.md", a_seed())
    with (seeds / "busy.md").open("w") as file:
        file.write("half")
        file.flush()
        found = sync()
    assert found.busy == ["busy.md"]
    assert set(library.content) == {"good.md"}


def test_a_mass_disappearance_is_held_and_reported(sync, seeds, library):
    pages(seeds, 30)
    sync()
    for page in range(0, 30, 2):
        (seeds / f"part-{page % 3}/page-{page}.md").unlink()
    found = sync()
    assert len(found.held) == 15
    assert found.removed == []
    assert len(library.held) == 15
    library.is_approved = True
    assert len(sync().removed) == 15
    assert library.held is None


def test_an_empty_folder_retires_nothing(sync, seeds, library):
    write(seeds / "a.md", a_seed())
    sync()
    (seeds / "a.md").unlink()
    assert sync().held == ["a.md"]


def test_ignored_files_are_reported(sync, seeds, tmp_path):
    write(seeds / "note.txt", "Milk.\n")
    (seeds / "link.md").symlink_to(tmp_path / "nowhere")
    assert set(sync().ignored) == {"note.txt", "link.md"}


def test_a_missing_folder_is_reported(sync, seeds):
    seeds.rmdir()
    with pytest.raises(ConfigurationError, match="does not exist"):
        sync()


def test_a_file_that_cannot_be_read_for_an_unforeseen_reason_is_named(
    sync, seeds, library, monkeypatch
):
    from worker.watch import feed

    def read(root, path, **rest):
        if path == "odd.md":
            raise LookupError("nobody thought of that")
        return read_file(root, path, **rest)

    read_file = feed.read_file
    monkeypatch.setattr(feed, "read_file", read)
    write(seeds / "good.md", a_seed())
    write(seeds / "odd.md", a_seed())
    found = sync()
    assert set(library.content) == {"good.md"}
    [(path, [problem])] = found.report.refusals
    assert (path, problem["code"]) == ("odd.md", "CS003")
    assert "nobody thought of that" in problem["message"]
