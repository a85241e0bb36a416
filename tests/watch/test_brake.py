"""A mass disappearance is held until the files come back or a person agrees."""

from __future__ import annotations

import shutil

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.folder.snapshot import Known, Stamp
from worker.settings.model import BrakeSettings
from worker.watch.brake import Brake

PAGES = 40


@pytest.fixture
def library_of_pages(watching):
    for number in range(PAGES):
        write(
            watching.seeds / f"part-{number % 4}/page-{number}.md", a_seed(title=f"Page {number}")
        )
    watching.settles()
    return watching


def is_held(watching, removals):
    wait_until(
        lambda: watching.library.held and len(watching.library.held) == removals,
        what=f"{removals} documents to be held",
    )
    assert watching.library.removed == []


def test_a_few_deletions_pass(library_of_pages):
    watching = library_of_pages
    for number in range(8):
        (watching.seeds / f"part-{number % 4}/page-{number}.md").unlink()
    watching.settles()
    assert watching.library.held is None
    assert len(watching.library.removed) == 8


def test_many_deletions_by_events_are_held_until_a_person_agrees(library_of_pages):
    watching = library_of_pages
    shutil.rmtree(watching.seeds / "part-0")
    shutil.rmtree(watching.seeds / "part-1")
    is_held(watching, PAGES // 2)
    wait_until(lambda: watching.beat() or watching.library.beats[-1]["state"] == "held")
    watching.library.is_approved = True
    watching.settles()
    assert len(watching.library.removed) == PAGES // 2
    assert watching.library.held is None
    wait_until(lambda: watching.beat() or watching.library.beats[-1]["state"] == "watching")


def test_files_that_return_end_the_hold(library_of_pages, tmp_path):
    watching = library_of_pages
    (watching.seeds / "part-0").rename(tmp_path / "part-0")
    (watching.seeds / "part-1").rename(tmp_path / "part-1")
    is_held(watching, PAGES // 2)
    (tmp_path / "part-0").rename(watching.seeds / "part-0")
    (tmp_path / "part-1").rename(watching.seeds / "part-1")
    wait_until(lambda: watching.library.held is None, what="the end of the hold")
    watching.settles()
    assert watching.library.removed == []


def test_a_page_edited_during_a_hold_is_sent(library_of_pages, page):
    watching = library_of_pages
    shutil.rmtree(watching.seeds / "part-0")
    shutil.rmtree(watching.seeds / "part-1")
    is_held(watching, PAGES // 2)
    write(watching.seeds / "part-2/page-2.md", page)
    watching.sees("part-2/page-2.md", page)


def test_an_emptied_root_is_held(library_of_pages):
    watching = library_of_pages
    for child in watching.seeds.iterdir():
        shutil.rmtree(child)
    is_held(watching, PAGES)


def test_a_root_that_vanished_is_held_even_with_few_documents(watching, page):
    write(watching.seeds / "a.md", page)
    write(watching.seeds / "b.md", page + "b\n")
    watching.settles()
    shutil.rmtree(watching.seeds)
    is_held(watching, 2)
    watching.seeds.mkdir()  # an empty folder mounted in its place
    watching.beat()
    write(watching.seeds / "a.md", page)
    write(watching.seeds / "b.md", page + "b\n")
    wait_until(lambda: watching.library.held is None)
    watching.settles()
    assert watching.library.removed == []


def test_an_empty_folder_at_the_start_is_held(watch, library, page, seeds):
    first = watch()
    write(seeds / "a.md", page)
    first.settles()
    first.stop()
    (seeds / "a.md").unlink()
    second = watch()
    is_held(second, 1)


def test_the_only_document_may_be_deleted_while_the_watcher_runs(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    path.unlink()
    watching.settles()
    assert watching.library.held is None


def test_a_moved_folder_is_not_a_disappearance(library_of_pages):
    watching = library_of_pages
    (watching.seeds / "all").mkdir()
    for number in range(4):
        (watching.seeds / f"part-{number}").rename(watching.seeds / f"all/part-{number}")
    watching.settles()
    assert watching.library.held is None
    assert watching.library.removed == []
    assert len(watching.library.moved) == PAGES


def test_pages_that_moved_while_no_watcher_ran_are_moves(watch, library, seeds):
    first = watch()
    for number in range(PAGES):
        write(seeds / f"old/page-{number}.md", a_seed(title=f"Page {number}"))
    first.settles()
    first.stop()
    (seeds / "old").rename(seeds / "new")
    second = watch()
    second.settles()
    assert library.held is None
    assert library.removed == []
    assert len(library.moved) == PAGES


# The brake alone, with times of the test's own.


class Held:
    """A record that only holds."""

    def __init__(self):
        self.held = None
        self.consent = frozenset()

    def hold(self, removals, live):
        self.held = (removals, live)

    def approved(self):
        return self.consent

    def end_hold(self):
        self.held = None


def documents(number):
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    known = Known(stamp=stamp, sha256="0" * 64, observed=1, live=True)
    return {f"{n}.md": known for n in range(number)}


@pytest.fixture
def brake():
    made = Brake(BrakeSettings(), Held(), window_seconds=60)
    made.root_doubtful = False
    return made


def retire(brake, known, paths, at):
    for path in paths:
        brake.add(path)
    released = brake.decide(known, (), at=at, unread=False)
    for path in released:
        del known[path]
    return released


def test_slow_deletions_are_held_from_the_same_number_as_fast_ones(brake):
    known = documents(100)
    released = []
    for number in range(100):
        released += retire(brake, known, [f"{number}.md"], at=number * 0.1)
    assert len(released) == 20
    assert len(brake._record.held[0]) == 80


def test_deletions_of_different_hours_do_not_add_up(brake):
    known = documents(100)
    for number in range(60):
        assert retire(brake, known, [f"{number}.md"], at=number * 61.0) == [f"{number}.md"]


def test_an_approval_covers_only_what_was_shown(brake):
    known = documents(100)
    assert retire(brake, known, [f"{n}.md" for n in range(30)], at=0) == []
    brake._record.consent = frozenset(brake._record.held[0])
    late = [f"{n}.md" for n in range(30, 60)]
    assert len(retire(brake, known, late, at=1)) == 30
    brake._record.consent = frozenset()
    assert retire(brake, known, [], at=2) == []
    assert sorted(brake._record.held[0]) == sorted(late)


def test_an_approval_from_an_earlier_process_covers_only_its_files(brake):
    known = documents(100)
    brake._record.consent = frozenset({"0.md", "1.md"})
    assert retire(brake, known, [f"{n}.md" for n in range(30)], at=0) == ["0.md", "1.md"]
    brake._record.consent = frozenset()
    assert retire(brake, known, [], at=1) == []
    assert len(brake._record.held[0]) == 28


def test_nothing_is_held_or_retired_while_moves_may_still_be_found(brake):
    known = documents(100)
    for number in range(30):
        brake.add(f"{number}.md")
    assert brake.decide(known, (), at=0, unread=True) == []
    assert brake.deferring
    assert brake._record.held is None
    assert brake.decide(known, (), at=30, unread=True) == []
    assert brake._record.held is not None  # it has waited long enough


def test_a_deleted_refused_file_does_not_count(brake):
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    refused = Known(stamp=stamp, sha256="0" * 64, observed=1, live=False)
    known = dict.fromkeys((f"{n}.md" for n in range(50)), refused)
    assert len(retire(brake, known, list(known), at=0)) == 50


def test_no_document_is_retired_while_the_marker_of_the_folder_is_missing(watch, page, seeds):
    (seeds / ".content-sync").touch()
    watching = watch(brake=BrakeSettings(marker=".content-sync"))
    write(seeds / "a.md", page)
    write(seeds / "b.md", page + "b\n")
    write(seeds / "c.md", page + "c\n")
    watching.settles()
    (seeds / "a.md").unlink()
    watching.settles()
    assert watching.library.removed == ["a.md"]

    (seeds / ".content-sync").unlink()
    (seeds / "b.md").unlink()
    wait_until(lambda: watching.library.held == ["b.md"], what="it to be held")
    (seeds / ".content-sync").touch()
    watching.settles()
    assert watching.library.removed == ["a.md", "b.md"], "it was meant after all"


def test_a_hold_ends_when_a_scan_sees_the_files_again(watch, seeds, library):
    """Without events, so that nothing but the scan tells."""
    for number in range(30):
        write(seeds / f"part/{number}.md", a_seed(title=f"Page {number}"))
    watching = watch(polling=True, polling_seconds=0.1)
    watching.settles()
    (seeds / "part").rename(seeds.with_name("away"))
    wait_until(lambda: library.held, what="it to be held")
    seeds.with_name("away").rename(seeds / "part")
    wait_until(lambda: library.held is None, what="the hold to end")
    watching.scans_again()
    assert library.removed == []
