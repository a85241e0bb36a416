"""What is sent, over which queue, and that nothing is lost in transit."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.snapshot import Known, Stamp
from worker.domain.seeds import codes
from worker.settings.model import load_settings
from worker.watch.feed import Feed
from worker.watch.in_flight import IN_FLIGHT_SECONDS
from worker.watch.lane import Lane, Reading
from worker.watch.observation_number import ObservationNumbers


def test_pages_found_at_start_are_a_load_and_later_ones_are_live(watch, library, seeds, page):
    for number in range(200):
        write(seeds / f"page-{number}.md", a_seed(title=f"Page {number}"))
    times = (time.time() - 60, time.time() - 60)
    for path in seeds.iterdir():
        os.utime(path, times)
    watching = watch()
    watching.settles()
    assert {t.queue for t in library.taken} == {"bulk"}
    assert max(len(batch.snapshots) for batch in library.batches) <= 64
    write(seeds / "page-1.md", page)
    write(seeds / "new.md", page + "New.\n")
    watching.settles()
    assert library.of("page-1.md")[-1].queue == "live"
    assert library.of("new.md")[-1].queue == "live"


def test_a_load_waits_for_the_spool_and_a_live_edit_does_not(watch, library, seeds, page):
    library.consumes = False
    for number in range(600):
        path = write(seeds / f"page-{number}.md", a_seed(title=f"Page {number}"))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    watching = watch()
    wait_until(lambda: library.spool.outstanding() >= 4, what="a full spool")
    write(seeds / "edit.md", page)
    wait_until(lambda: any(queue == "live" for _, queue in library._waiting))
    bulk = [batch for batch, queue in library._waiting if queue == "bulk"]
    assert len(bulk) == 4
    library.consumes = True
    library.consume()
    watching.settles()


def test_a_retraction_never_waits_for_a_load(watch, library, seeds):
    for number in range(300):
        status = "deprecated" if number == 299 else "active"
        path = write(seeds / f"page-{number:03}.md", a_seed(title=f"Page {number}", status=status))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    watching = watch()
    watching.settles()
    assert [t.path for t in library.taken if t.queue == "live"] == ["page-299.md"]


def test_many_changed_pages_are_a_load_and_retractions_among_them_live(watch, library, seeds):
    first = watch()
    for number in range(150):
        write(seeds / f"page-{number:03}.md", a_seed(title=f"Page {number}"))
    first.settles()
    first.stop()
    library.taken.clear()
    for number in range(150):
        status = "inactive" if number == 140 else "active"
        path = seeds / f"page-{number:03}.md"
        write(path, a_seed(title=f"New {number}", status=status))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    second = watch()
    second.settles()
    assert [t.path for t in library.taken if t.queue == "live"] == ["page-140.md"]
    assert len(library.taken) == 150


def test_few_changed_pages_found_by_a_scan_are_live(watch, library, seeds, page):
    first = watch()
    write(seeds / "a.md", page)
    first.settles()
    first.stop()
    write(seeds / "a.md", page + "Changed.\n")
    watch().settles()
    assert library.of("a.md")[-1].queue == "live"


def test_an_unchanged_folder_is_not_sent_again(watch, library, seeds, page):
    first = watch()
    write(seeds / "a.md", page)
    first.settles()
    first.stop()
    second = watch(scan_seconds=0.1)
    second.scans_again()
    assert len(library.taken) == 1


def test_the_next_scan_does_not_resend_what_is_in_flight(watch, library, seeds, page):
    library.consumes = False
    watching = watch(scan_seconds=0.1)
    write(seeds / "a.md", page)
    wait_until(lambda: library._waiting)
    for _ in range(3):
        watching.scans_again()
    assert len(library._waiting) == 1
    library.consume()
    watching.settles()


def test_a_lost_message_is_sent_again_and_its_bytes_are_dropped(seeds, page, library):
    """With a clock of the test's own: a minute is long."""
    clock = [100.0]
    sent = []
    dropped = []
    feed = feed_of(
        seeds, send=lambda batch, data, lane: sent.append(batch), clock=clock, dropped=dropped
    )
    write(seeds / "a.md", page)
    assert feed.take("a.md", Lane.LIVE) is Reading.NEW
    feed.flush()
    clock[0] += IN_FLIGHT_SECONDS - 1
    feed.load(KnownFiles(), 0)
    assert "a.md" in feed.known
    assert dropped == []
    clock[0] += 1
    feed.load(KnownFiles(), 0)
    assert feed.known == {}
    assert dropped == [sent[0].id]


def test_a_lost_batch_whose_files_were_resent_takes_no_room(seeds, page):
    """Its worker was killed, and the file was saved again before anybody missed it."""
    clock, kept, sent, dropped = [100.0], set(), [], []

    def send(batch, _data, _lane):
        sent.append(batch)
        kept.add(batch.id)

    feed = feed_of(seeds, send=send, clock=clock, dropped=dropped, kept=kept)
    for text in (page, f"{page}More.\n"):
        write(seeds / "a.md", text)
        feed.take("a.md", Lane.LIVE)
        feed.flush()
        clock[0] += IN_FLIGHT_SECONDS / 2
    feed.load(KnownFiles(), 0)
    assert dropped == [sent[0].id]
    assert feed.known, "the second is on its way"


def test_batches_of_the_previous_watcher_take_no_room_for_long(seeds):
    clock, dropped = [100.0], []
    feed = feed_of(seeds, clock=clock, dropped=dropped, kept={"of the one before"})
    feed.load(KnownFiles(), 0)
    clock[0] += IN_FLIGHT_SECONDS - 1
    feed.load(KnownFiles(), 0)
    assert dropped == []
    clock[0] += 1
    feed.load(KnownFiles(), 0)
    assert dropped == ["of the one before"]


def test_batches_are_resent_less_and_less_often_while_no_worker_runs(seeds, page):
    clock = [100.0]
    feed = feed_of(seeds, clock=clock)
    write(seeds / "a.md", page)
    waits = []
    for _ in range(8):
        feed.take("a.md", Lane.LIVE)
        feed.flush()
        sent_at = clock[0]
        while feed.known:
            clock[0] += 1
            feed.load(KnownFiles(), 0)
        waits.append(clock[0] - sent_at)
    assert waits == [20, 40, 80, 160, 320, 640, 900, 900]
    feed.take("a.md", Lane.LIVE)
    feed.flush()
    feed.load(KnownFiles(feed.known), 0)  # a worker has come
    feed.known.clear()
    feed.take("a.md", Lane.LIVE)
    feed.flush()
    clock[0] += IN_FLIGHT_SECONDS
    feed.load(KnownFiles(), 0)
    assert feed.known == {}


def test_a_batch_lost_by_the_broker_is_resent_soon_after_any_outage(seeds, page):
    clock, kept = [100.0], {"waiting"}
    feed = feed_of(seeds, clock=clock, kept=kept)
    write(seeds / "a.md", page)
    for _ in range(5):
        feed.take("a.md", Lane.LIVE)
        feed.flush()
        while feed.known:
            clock[0] += 1
            feed.load(KnownFiles(), 0)
    feed.take("a.md", Lane.LIVE)
    feed.flush()
    clock[0] += IN_FLIGHT_SECONDS
    feed.load(KnownFiles(), 0)
    assert feed.known, "its bytes wait for a worker"
    kept.clear()
    feed.load(KnownFiles(), 0)
    assert feed.known == {}


def test_a_lost_removal_is_sent_again(seeds, page):
    clock = [100.0]
    feed = feed_of(seeds, clock=clock)
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    stored = {"a.md": Known(stamp=stamp, sha256="0" * 64, observed=5, live=True)}
    feed.load(KnownFiles(stored), 5)
    feed.remove("a.md")
    feed.flush()
    feed.load(KnownFiles(stored), 5)
    assert feed.known == {}
    clock[0] += 61
    feed.load(KnownFiles(stored), 5)
    assert feed.known == stored


def feed_of(seeds, *, send=lambda *_: None, clock=None, dropped=None, kept=("waiting",)):
    return Feed(
        load_settings(seeds=seeds),
        root=str(seeds),
        send=send,
        now=lambda: datetime.now(UTC),
        monotonic=lambda: clock[0] if clock else 0.0,
        withdraw=(dropped if dropped is not None else []).append,
        kept=lambda: kept,
    )


def test_a_batch_is_limited_by_files_and_by_bytes(seeds):
    sent = []
    feed = feed_of(seeds, send=lambda batch, data, lane: sent.append((batch, data)))
    for number in range(300):
        write(seeds / f"{number:03}.md", f"---\n{number}")
        feed.take(f"{number:03}.md", Lane.BULK)
    for number in range(3):
        write(seeds / f"big-{number}.md", "x" * 2_500_000)
        feed.take(f"big-{number}.md", Lane.BULK)
    feed.flush()
    assert [len(batch.snapshots) for batch, _ in sent] == [128, 128, 45, 1, 1]
    for batch, data in sent:
        assert len(data) == batch.size
        assert batch.bulk


def test_observations_increase_though_the_clock_steps_back():
    at = [datetime(2026, 1, 1, tzinfo=UTC)]
    observed = ObservationNumbers(lambda: at[0])
    first = observed.next()
    assert first == 1_767_225_600_000_000
    at[0] -= timedelta(hours=1)
    assert observed.next() == first + 1
    observed.raise_to(first + 100)
    assert observed.next() == first + 101
    at[0] += timedelta(hours=2)
    assert observed.next() == first + 3_600_000_000


def test_a_too_large_file_is_sent_as_unreadable_and_can_recover(watch, library, seeds, page):
    watching = watch()
    path = write(seeds / "a.md", b"x" * (5 * 1024 * 1024 + 1))
    wait_until(lambda: library.of("a.md"))
    assert library.of("a.md")[0].code == codes.TOO_LARGE
    path.write_text(page)
    watching.sees("a.md", page)


def test_a_file_that_is_readable_again_recovers_with_an_equal_stamp(
    watch, library, seeds, page, monkeypatch
):
    """Root may read everything, so the answer of the system is given by the call itself."""
    open_ = os.open

    def refuse(path, *rest, **options):
        if path == "a.md":
            raise PermissionError(13, "Permission denied")
        return open_(path, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    watching = watch(polling=True, polling_seconds=0.2)
    path = watching.seeds / "a.md"
    write(watching.seeds / "b.md", page)
    (watching.seeds / "b.md").rename(path)
    wait_until(lambda: library.of("a.md"))
    assert library.of("a.md")[0].code == codes.NO_PERMISSION
    watching.scans_again()
    assert len(library.of("a.md")) == 1
    monkeypatch.undo()
    watching.sees("a.md", page)


@pytest.mark.parametrize("part", ["broker_is_away", "store_is_away"])
def test_the_watcher_waits_during_an_outage_and_scans_afterwards(
    watch, library, seeds, page, part, caplog
):
    watching = watch()
    write(seeds / "a.md", page)
    watching.settles()
    setattr(library, part, True)
    write(seeds / "b.md", page + "b\n")
    (seeds / "a.md").write_text(page + "Changed.\n")
    if part == "store_is_away":
        watching.beat()
    wait_until(lambda: "waiting: no " in caplog.text)
    write(seeds / "c.md", page + "c\n")
    assert watching.is_alive
    setattr(library, part, False)
    watching.settles()
    assert caplog.text.count("waiting: no ") == 1
    assert library.spool.outstanding() == 0


def test_a_broker_that_loses_every_message_delays_updates_and_loses_no_data(
    watch, library, seeds, page, monkeypatch
):
    monkeypatch.setattr("worker.watch.in_flight.IN_FLIGHT_SECONDS", 0.3)
    watching = watch(scan_seconds=0.2)
    library.loses_messages = True
    write(seeds / "a.md", page)
    wait_until(library.spool.outstanding)
    library.loses_messages = False
    watching.settles()
    wait_until(lambda: library.spool.outstanding() == 0, what="lost bytes to be dropped")


def test_a_plain_note_is_read_once_for_any_number_of_scans(watch, seeds, monkeypatch):
    os.utime(write(seeds / "note.txt", "Milk.\n"), (1_700_000_000, 1_700_000_000))
    read = []
    take = Feed.take

    def noting(self, path, *arguments, **options):
        read.append(path)
        return take(self, path, *arguments, **options)

    monkeypatch.setattr(Feed, "take", noting)
    watching = watch(scan_seconds=0.1)
    wait_until(lambda: read, what="the note to be read")
    for _ in range(3):
        watching.scans_again()
    assert read == ["note.txt"]
