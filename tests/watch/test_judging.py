"""Files are sent again when their verdict does not hold any more: unchanged, on bulk, once."""

from __future__ import annotations

import logging

from support.seeds import a_seed, write
from support.waiting import wait_until


def pages(seeds, number, **fields):
    for page in range(number):
        write(seeds / f"{page}.md", a_seed(title=f"Page {page}", **fields))


def is_judged(library) -> bool:
    return all(known.judged for known in library.known_files().values())


def test_a_sync_sends_what_another_judge_judged_once(sync, seeds, library):
    pages(seeds, 5)
    sync()
    library.change_rules()
    library.taken.clear()
    write(seeds / "0.md", a_seed(title="Changed"))
    assert sync(dry_run=True).judged_again == 4
    found = sync()
    assert (found.changed, found.judged_again, found.unchanged) == (1, 4, 0)
    assert sorted(taken.path for taken in library.taken) == [f"{page}.md" for page in range(5)]
    assert {batch.judge for batch in library.batches} == {"0123", "4567"}
    assert sync().judged_again == 0


def test_a_file_that_moved_is_a_move_whoever_judged_it(sync, seeds, library):
    pages(seeds, 2)
    sync()
    library.change_rules()
    (seeds / "0.md").rename(seeds / "new.md")
    found = sync()
    assert (found.moved, found.judged_again) == (1, 1)
    assert library.moved == {"new.md": "0.md"}
    assert is_judged(library)


def test_a_watcher_sends_them_on_bulk_after_its_next_scan_and_says_so(
    watch, seeds, library, caplog
):
    caplog.set_level(logging.INFO)
    pages(seeds, 9, status="inactive")  # retractions are no hurry the second time
    watching = watch(scan_seconds=1)
    watching.settles()
    library.taken.clear()
    library.change_rules()
    wait_until(lambda: is_judged(library), what="every file to be judged again")
    assert {taken.queue for taken in library.taken} == {"bulk"}
    assert len(library.taken) == 9
    assert "judging   9 files again (changed: the schema)" in caplog.messages
    assert "judged    9 files again" in caplog.messages
    watching.scans_again()
    watching.scans_again()
    assert len(library.taken) == 9
    assert library.beats[-1]["unjudged"] == 0
    assert library.beats[-1]["judge"] == "4567"


def test_a_file_that_is_ignored_by_now_is_not_read_again(watch, seeds, library):
    pages(seeds / "drafts", 9)
    watching = watch(scan_seconds=1)
    watching.settles()
    watching.stop()
    library.taken.clear()
    library.change_rules()
    write(seeds / ".seedignore", "drafts/\n")
    write(seeds / "drafts/0.md", a_seed(title="Not for readers"))
    watching = watch(scan_seconds=1)
    wait_until(lambda: library.held, what="the brake to hold what is ignored")
    watching.scans_again()
    assert library.taken == []


def test_a_lost_message_is_sent_again(watch, seeds, library, monkeypatch):
    monkeypatch.setattr("worker.watch.in_flight.IN_FLIGHT_SECONDS", 1.0)
    pages(seeds, 3)
    watching = watch(scan_seconds=1)
    watching.settles()
    library.loses_messages = True
    library.change_rules()
    wait_until(lambda: library.asked > 3, what="some scans")
    library.loses_messages = False
    wait_until(lambda: is_judged(library), what="every file to be judged again")


def test_a_file_that_cannot_be_read_is_sent_again_too(sync, seeds, library):
    write(seeds / "large.md", a_seed() + "x" * 6_000_000)
    sync()
    assert sync().changed == 0
    library.change_rules()
    sync()
    assert [taken.code for taken in library.of("large.md")] == ["CS001", "CS001"]
    assert is_judged(library)
