"""A mass disappearance is held until the files come back or a person agrees."""

from __future__ import annotations

import shutil

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.folder.brake import Removals
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


@pytest.mark.parametrize("number", [1, 2, 10])
def test_a_folder_that_is_emptied_while_the_watcher_runs_is_held(watching, number):
    for page in range(number):
        write(watching.seeds / f"{page}.md", a_seed(title=f"Page {page}"))
    watching.settles()
    for page in range(number):
        (watching.seeds / f"{page}.md").unlink()
    is_held(watching, number)


def test_one_of_two_pages_may_be_deleted_and_the_last_one_is_held(watching, page):
    write(watching.seeds / "a.md", page)
    write(watching.seeds / "b.md", page + "b\n")
    watching.settles()
    (watching.seeds / "a.md").unlink()
    watching.settles()
    assert watching.library.held is None
    (watching.seeds / "b.md").unlink()
    wait_until(lambda: watching.library.held == ["b.md"], what="the last page to be held")
    assert watching.library.removed == ["a.md"]


def test_the_only_page_may_be_renamed_and_edited(watching, page):
    write(watching.seeds / "a.md", page)
    watching.settles()
    (watching.seeds / "a.md").rename(watching.seeds / "b.md")
    watching.sees("b.md", page)
    watching.settles()
    assert watching.library.held is None
    assert watching.library.moved == {"b.md": "a.md"}


def test_new_pages_beside_held_ones_do_not_release_them(watching, page):
    """As when a program writes into the empty folder below a mount that is gone."""
    for number in range(8):
        write(watching.seeds / f"{number}.md", a_seed(title=f"Page {number}"))
    watching.settles()
    for number in range(8):
        (watching.seeds / f"{number}.md").unlink()
    is_held(watching, 8)
    write(watching.seeds / "new.md", page)
    watching.sees("new.md", page)
    watching.scans_again()
    is_held(watching, 8)


def test_retirements_by_others_count(library_of_pages):
    """They may be an earlier leader's, or those of a sync."""
    watching = library_of_pages
    with watching.library._lock:
        watching.library.retired = {f"gone-{number}.md" for number in range(10)}
    (watching.seeds / "part-0/page-0.md").unlink()
    is_held(watching, 1)


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


# The brake alone, with a record and times of the test's own.


class Held:
    """A record that counts and holds. What is released is stored at once, unless workers lag."""

    def __init__(self):
        self.held = None
        self.consent = frozenset()
        self.stored = set()
        self.lags = False

    def removals(self, released):
        if not self.lags:
            self.stored.update(released)
        return Removals(
            retired=len(self.stored),
            agreed=self.consent,
            held=frozenset(self.held[0] if self.held else ()) - self.consent,
            is_held=self.held is not None,
            unstored=frozenset(released) - self.stored,
        )

    def hold(self, removals, live):
        self.held = (removals, live)

    def end_hold(self):
        self.held = None


def documents(number):
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    known = Known(stamp=stamp, sha256="0" * 64, observed=1, live=True)
    return {f"{n}.md": known for n in range(number)}


@pytest.fixture
def brake():
    return Brake(BrakeSettings(), Held())


def retire(brake, known, paths, at=0):
    for path in paths:
        brake.add(path)
    released = brake.decide(known, (), at=at, unread=False)
    for path in released:
        del known[path]
    return released


@pytest.mark.parametrize("workers_lag", [False, True])
def test_slow_deletions_are_held_from_the_same_number_as_fast_ones(brake, workers_lag):
    brake._record.lags = workers_lag
    known = documents(100)
    released = []
    for number in range(100):
        released += retire(brake, known, [f"{number}.md"], at=number * 3600)
    assert len(released) == 20
    assert len(brake._record.held[0]) == 80


def test_deletions_that_the_store_no_longer_counts_do_not_add_up(brake):
    known = documents(100)
    for number in range(60):
        assert retire(brake, known, [f"{number}.md"]) == [f"{number}.md"]
        brake._record.removals(brake._released)
        brake._record.stored.clear()


def test_a_released_file_that_is_back_does_not_count(brake):
    brake._record.lags = True
    known = documents(100)
    pages = [f"{n}.md" for n in range(20)]
    for _ in range(3):
        assert retire(brake, known, pages) == pages
        known |= documents(100)
        brake.came_back(pages)


def test_an_approval_covers_only_what_was_shown(brake):
    known = documents(100)
    assert retire(brake, known, [f"{n}.md" for n in range(30)]) == []
    brake._record.consent = frozenset(brake._record.held[0])
    late = [f"{n}.md" for n in range(30, 60)]
    assert len(retire(brake, known, late, at=1)) == 30
    assert sorted(brake._record.held[0]) == sorted(late)
    assert retire(brake, known, [], at=2) == []


def test_an_approval_from_an_earlier_process_covers_only_its_files(brake):
    known = documents(100)
    brake._record.consent = frozenset({"0.md", "1.md"})
    assert retire(brake, known, [f"{n}.md" for n in range(30)]) == ["0.md", "1.md"]
    brake._record.consent = frozenset()
    assert retire(brake, known, [], at=1) == []
    assert len(brake._record.held[0]) == 28


def test_what_a_person_removed_is_not_held_and_does_not_count(brake):
    known = documents(100)
    brake._record.consent = frozenset(f"{n}.md" for n in range(40))
    assert len(retire(brake, known, [f"{n}.md" for n in range(41)])) == 41
    assert brake._released == {"40.md"}
    assert brake._record.held is None


def test_the_last_document_may_go_if_a_person_removed_it(brake):
    known = documents(1)
    brake._record.consent = frozenset({"0.md"})
    assert retire(brake, known, ["0.md"]) == ["0.md"]


def test_what_is_held_stays_held_though_it_is_no_longer_a_mass(brake):
    known = documents(100)
    retire(brake, known, [f"{n}.md" for n in range(15)])
    brake._record.removals(brake._released)
    pages = [f"{n}.md" for n in range(15, 25)]
    assert retire(brake, known, pages) == []
    brake._record.stored.clear()  # a day later
    assert retire(brake, known, []) == []
    assert retire(brake, known, ["30.md"]) == ["30.md"], "a new one is judged by itself"
    brake.came_back(pages[:9])
    assert retire(brake, known, []) == []
    assert brake._record.held[0] == pages[9:]
    brake.came_back(pages)
    assert retire(brake, known, []) == []
    assert brake._record.held is None


def test_a_hold_of_an_earlier_process_ends_when_nothing_is_missing(brake):
    known = documents(100)
    brake._record.held = (["0.md"], 100)
    assert not brake.idle
    assert retire(brake, known, []) == []
    assert brake._record.held is None
    assert brake.idle


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
    assert len(retire(brake, known, list(known))) == 50


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
