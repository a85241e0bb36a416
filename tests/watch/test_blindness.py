"""The watcher recovers from everything that makes watchdog blind."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD

from worker.errors import ConfigurationError
from worker.watch.observer import Events
from worker.watch.settle import Hint
from worker.watch.watcher import Watcher


def observer_of(watching):
    return watching.watcher._events._observer


def test_a_missing_folder_is_reported_in_one_line(tmp_path, watch):
    with pytest.raises(
        ConfigurationError, match="does not exist: make it, run `content-sync init`"
    ):
        watch(over=tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="is not a folder"):
        watch(over=write(tmp_path / "file", ""))


def test_a_deleted_and_recreated_root_is_watched_again(watching, page):
    write(watching.seeds / "a.md", page)
    watching.settles()
    shutil.rmtree(watching.seeds)
    wait_until(lambda: observer_of(watching) is None, what="the loss of the root to be noticed")
    write(watching.seeds / "a.md", page)
    write(watching.seeds / "part/b.md", page + "b\n")
    watching.settles()
    write(watching.seeds / "part/c.md", page + "c\n")
    watching.settles()
    assert watching.library.removed == []


def test_a_replaced_root_is_watched_again(watching, page, tmp_path):
    write(watching.seeds / "a.md", page)
    watching.settles()
    write(tmp_path / "other/a.md", page + "Other.\n")
    watching.seeds.rename(tmp_path / "old")
    (tmp_path / "other").rename(watching.seeds)
    watching.settles()
    write(tmp_path / "old/a.md", "not ours any more\n")
    write(watching.seeds / "b.md", page)
    watching.settles()


def test_a_root_that_is_a_link_may_change_its_target(watch, page, tmp_path):
    write(tmp_path / "first/a.md", page)
    write(tmp_path / "second/a.md", page + "Second.\n")
    link = tmp_path / "current"
    link.symlink_to("first")
    watching = watch(over=link)
    watching.settles()
    (tmp_path / "next").symlink_to("second")
    (tmp_path / "next").rename(link)
    watching.settles()
    write(tmp_path / "second/b.md", page)
    watching.settles()


@pytest.mark.parametrize("part", ["emitter", "observer", "inotify"])
def test_a_dead_thread_is_noticed_and_replaced(watching, page, part, caplog):
    observer = observer_of(watching)
    thread = {
        "emitter": next(iter(observer.emitters)),
        "observer": observer,
        "inotify": observer.inotify,
    }[part]
    thread.stop()
    write(watching.seeds / "a.md", page)
    wait_until(lambda: observer_of(watching) not in {observer, None}, what="a new observer")
    watching.settles()
    write(watching.seeds / "b.md", page)
    watching.settles()
    assert "a thread of the observer died" in caplog.text


def test_a_scan_finds_a_burst_that_overflows_the_kernel_queue(watching, page, caplog):
    """The reader is stalled, as a slow machine stalls it, until the queue has overflowed."""
    most = int(_limit("max_queued_events"))
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    inotify = observer_of(watching).inotify
    lock = inotify._lock
    with lock:  # the reader takes it before each read
        for number in range(most // 4 + 1000):
            path.rename(watching.seeds / f"{number}.html")
            (watching.seeds / f"{number}.html").rename(path)
        for number in range(50):
            write(watching.seeds / f"lost-{number}.md", a_seed(title=f"Lost {number}"))
    watching.settles()
    assert "more changed at once than the kernel's queue holds" in caplog.text
    write(watching.seeds / "later/a.md", page)
    watching.settles()


def test_a_watch_limit_leads_to_polling(watch, page, monkeypatch, caplog):
    """The limit is the machine's, so the kernel's answer is given by the call itself."""
    add = InotifyFD.add_callback

    def up_to_two(self, path, mask, callback, id_):
        if len(self._watch_for_wd) >= 2:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return add(self, path, mask, callback, id_)

    monkeypatch.setattr(InotifyFD, "add_callback", up_to_two)
    watching = watch(polling_seconds=0.2)
    for number in range(40):
        write(watching.seeds / f"part-{number}/a.md", page + f"{number}\n")
    watching.settles()
    assert "inotify watch limit reached; raise fs.inotify.max_user_watches" in caplog.text
    assert "scanning every 0.2 s instead" in caplog.text
    wait_until(lambda: watching.beat() or watching.library.beats[-1]["mode"] == "polling")


def test_a_failing_observer_leads_to_polling(watch, page, monkeypatch, caplog):
    def refuse(self):
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(Events, "start", refuse)
    watching = watch(polling_seconds=0.2)
    write(watching.seeds / "a.md", page)
    watching.settles()
    assert "the system gives no file events (inotify instance limit reached)" in caplog.text


def test_configured_polling_sees_every_change(watch, page):
    watching = watch(polling=True, polling_seconds=0.2)
    assert observer_of(watching) is None
    write(watching.seeds / "stays.md", a_seed(title="Stays"))
    path = write(watching.seeds / "part/a.md", page)
    watching.settles()
    path.write_text(page + "Changed.\n")
    watching.settles()
    path.rename(watching.seeds / "b.md")
    watching.settles()
    assert watching.library.moved == {"b.md": "part/a.md"}
    (watching.seeds / "b.md").unlink()
    watching.settles()
    assert watching.library.beats[-1]["state"] == "polling"


def test_the_next_scan_finds_a_change_within_one_clock_tick(watch, page):
    """Same size, same modification time, same inode: only the bytes differ (racy, as git says)."""
    watching = watch(polling=True, polling_seconds=0.3)
    path = write(watching.seeds / "a.md", page + "old\n")
    watching.settles()
    times = path.stat()
    with path.open("r+") as file:
        file.write(page + "new\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    watching.sees("a.md", page + "new\n")


def test_racy_files_are_hashed_again_once_and_not_for_ever(watch, page, caplog):
    watching = watch(polling=True, polling_seconds=0.1)
    write(watching.seeds / "a.md", page)
    watching.settles()
    feed = watching.watcher._feed
    mtime = (watching.seeds / "a.md").stat().st_mtime_ns // 1000
    wait_until(lambda: feed.verified > mtime + 2_000_000, what="the file not to be racy any more")


def test_the_watchers_own_reads_cause_no_events(watching, page):
    write(watching.seeds / "a.md", page)
    watching.settles()
    events = Events(str(watching.seeds))
    events.start()
    try:
        (watching.seeds / "a.md").read_bytes()
        write(watching.seeds / "b.md", page)
        paths = set()

        def has_seen_b():
            paths.update(s.path for s in events.take(0.1) if isinstance(s, Hint))
            return "b.md" in paths

        wait_until(has_seen_b)
        assert paths == {"b.md"}
    finally:
        events.stop()


def test_an_expired_wait_returns_at_once(seeds):
    """A busy system may stop a process for longer than it wants to wait; here a signal does."""
    events = Events(str(seeds))
    rings = iter(range(2))

    def ring(_number, _frame):
        if next(rings) > 0:
            raise TimeoutError("it waits still")
        time.sleep(0.1)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 5)
    try:
        assert events.take(0.05) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_stopped_observer_leaves_no_thread_and_no_descriptor(seeds):
    def resources():
        threads = {thread.name for thread in threading.enumerate()}
        return threads, len(list(Path("/proc/self/fd").iterdir()))

    for number in range(3):
        (seeds / f"part-{number}").mkdir()
    events = Events(str(seeds))
    events.start()
    events.stop()
    before = resources()
    for _ in range(5):
        events.start()
        events.start()
        events.stop()
    assert resources() == before


def test_an_unmounted_file_system_needs_a_new_observer(watching):
    observer = observer_of(watching)
    observer.inotify.handle_event(InotifyEvent(-2, InotifyConstants.IN_UNMOUNT, 0, b""))
    wait_until(lambda: observer_of(watching) not in {observer, None}, what="a new observer")


def test_a_folder_that_cannot_be_listed_retires_nothing(watching, page, monkeypatch, caplog):
    """Root may list all folders, so the answer of the system is given by the call itself."""
    write(watching.seeds / "shut/a.md", page)
    write(watching.seeds / "b.md", page)
    watching.settles()
    open_ = os.open

    def refuse(path, flags, *rest, **options):
        if path == "shut":
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    (watching.seeds / "more").mkdir()
    wait_until(lambda: "the folder shut cannot be read: nothing in it is retired" in caplog.text)
    (watching.seeds / "b.md").unlink()
    wait_until(lambda: watching.library.removed == ["b.md"])
    monkeypatch.undo()
    watching.settles()


def test_the_first_scan_is_reported_when_it_ends(watch, seeds, page, monkeypatch):
    monkeypatch.setattr("worker.watch.watcher.HEARTBEAT_SECONDS", 3600)
    monkeypatch.setattr("worker.watch.watcher.SLICE_SECONDS", 0)  # the loop goes on meanwhile
    write(seeds / "a.md", page)
    first, second = watch().library.beats
    assert not first["last_scan"]
    assert second["last_scan"]


def test_an_idle_watcher_sleeps(watching, page, monkeypatch):
    write(watching.seeds / "a.md", page)
    watching.settles()
    turns = []  # of each, how many heartbeats were before it
    turn = Watcher._turn

    def count(self):
        turns.append(len(watching.library.beats))
        turn(self)

    monkeypatch.setattr("worker.watch.watcher.HEARTBEAT_SECONDS", 1)
    watching.watcher._turn = count.__get__(watching.watcher)
    first = len(watching.library.beats) + 1
    wait_until(lambda: len(watching.library.beats) > first, what="two heartbeats")
    assert 0 < turns.count(first) <= 8


def _limit(name):
    return Path(f"/proc/sys/fs/inotify/{name}").read_text()


@pytest.fixture(autouse=True)
def _logs(caplog):
    caplog.set_level(logging.INFO, logger="content_sync")
