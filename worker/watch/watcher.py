"""The watcher's loop: hints, deadlines, scans and backpressure, in one thread.

It scans at the start, at intervals and on every doubt, because events are hints and the folder is the
truth. It parses nothing and writes nothing but heartbeats and holds. A store or broker that is away
makes it wait and scan again; it does not die of it. Called by `worker.processes`.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from worker.domain.reconcile import Difference, Seen, compare, find_missing
from worker.domain.snapshot import Batch, Stamp
from worker.errors import BrokerUnavailableError, ConfigurationError, StoreUnavailableError
from worker.settings import Settings
from worker.spool import Spool
from worker.watch.backlog import Backlog
from worker.watch.brake import Brake, Record
from worker.watch.feed import Feed, Lane, Outcome
from worker.watch.ignore import IGNORE_FILE, SeedNames, shown
from worker.watch.mounts import is_silent
from worker.watch.observer import Doubt, Events, FolderHint, Signal, root_identity
from worker.watch.read import NotAFile, stamp_of
from worker.watch.scan import Walk, walk
from worker.watch.settle import Gone, Hint, HintKind, Read, Settle

logger = logging.getLogger("content_sync.watch")

HEARTBEAT_SECONDS = 5.0
_SUPERVISION_SECONDS = 1.0
_IDLE_SECONDS = 0.25  # how late a stop may be noticed
_FULL_SECONDS = 0.02  # how often a full spool is looked at
_SLICE_SECONDS = 0.02  # how long a scan may keep a live edit waiting
_FOLDER_DOUBT_SECONDS = 0.1  # folders come and go together
_LONGEST_WAIT_SECONDS = 30.0
# Changed documents wait less for a full spool than new ones: a retraction may be among them.
_CHANGED_SHARE = 4


class Watcher:
    """Watches one folder. Make it, `run` it in a thread, end it by the event given to `run`.

    `publish` takes a batch and the name of its queue, "live" or "bulk". `now` is aware; `monotonic`
    counts seconds. Raises `ConfigurationError` where there is no folder to watch.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        record: Record,
        spool: Spool,
        publish: Callable[[Batch, str], None],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._record = record
        self._spool = spool
        self._publish = publish
        self._now = now
        self._monotonic = monotonic
        self._root = str(settings.seeds.absolute())
        require_folder(settings.seeds)
        watch = settings.watch
        self._settle = Settle(
            coalesce_seconds=watch.coalesce_ms / 1000,
            still_seconds=watch.still_ms / 1000,
            removal_seconds=watch.removal_ms / 1000,
            max_wait_seconds=watch.max_wait_seconds,
        )
        self._names = SeedNames(self._root, watch.suffixes)
        self._feed = Feed(
            settings,
            root=self._root,
            send=self._send,
            withdraw=spool.drop,
            now=now,
            monotonic=monotonic,
        )
        self._brake = Brake(settings.brake, record, window_seconds=watch.scan_seconds)
        self._backlog = Backlog()
        self._events = Events(self._root)
        self._identity: tuple[int, int] | None = None
        self._polling = watch.polling
        self._scan: _Scan | None = None
        self._scan_at = 0.0
        self._fresh = True  # the next scan compares with the store, not with what was sent
        self._racy_since: int | None = None  # the scan whose racy files are being hashed again
        self._supervise_at = 0.0
        self._beat_at = 0.0
        self._decide_at = 0.0
        self._full_until = 0.0
        self._last_scan: datetime | None = None
        self._unsure: tuple[str, ...] = ()

    def run(self, stop: threading.Event) -> None:
        """Watch until the event is set, through every outage of store and broker."""
        self._names.load()
        self._start_events()
        failures = 0
        try:
            while not stop.is_set():
                scans = self._last_scan
                try:
                    while not stop.is_set():
                        self._turn()
                        if failures and self._last_scan is not scans:
                            logger.info("store and broker answer again")
                            failures = 0
                except (BrokerUnavailableError, StoreUnavailableError) as error:
                    failures += 1
                    if failures == 1:
                        logger.warning("waiting: %s", error)
                    self._start_over()
                    self._beat("waiting")
                    stop.wait(min(2.0 ** (failures - 1), _LONGEST_WAIT_SECONDS))
        finally:
            self._events.stop()

    def _turn(self) -> None:
        """Wait for the next thing to do, and do it: live edits first."""
        self._hear(self._events.take(self._pause_seconds()))
        self._look()
        self._supervise()
        self._step_scan()
        self._step_backlog()
        self._retire()
        self._feed.flush()
        if self._monotonic() >= self._beat_at:
            self._beat()

    def _pause_seconds(self) -> float:
        """Return how long there is nothing to do unless a hint comes."""
        at = self._monotonic()
        if self._scan is not None or self._backlog:
            if self._full_until <= at:
                return 0.0
            wake = self._full_until
        else:
            wake = at + _IDLE_SECONDS
        wake = min(wake, self._scan_at, self._beat_at, self._supervise_at)
        if not self._brake.idle:
            wake = min(wake, self._decide_at)
        due = self._settle.next_at()
        return max(0.0, (wake if due is None else min(wake, due)) - at)

    # Hints.

    def _hear(self, signals: Iterable[Signal]) -> None:
        at = self._monotonic()
        for signal in signals:
            match signal:
                case Hint(path=path):
                    if path != IGNORE_FILE and not self._names.is_seed(path):
                        continue
                    self._settle.hint(signal, at)
                    if signal.kind is HintKind.DELETED:
                        self._feed.depart(path)
                case FolderHint(path=path):
                    if not path:
                        self._supervise_at = at
                    elif self._names.enters(path, whole=True):
                        self._doubt(at + _FOLDER_DOUBT_SECONDS)
                case Doubt(reason=reason, blind=blind):
                    logger.warning("%s: scanning", reason)
                    self._doubt(at)
                    if blind:
                        self._poll(reason)

    def _look(self) -> None:
        """Look at the paths that have settled, and read those that are ready."""
        due = self._settle.due(self._monotonic())
        if not due:
            return
        ready = [read for path in due if (read := self._look_at(path)) is not None]
        changed = [read for read in ready if read.path in self._feed.known or read.forced]
        new = [read for read in ready if not (read.path in self._feed.known or read.forced)]
        most = self._settings.intake.batch_files
        for read in changed if len(changed) <= most else changed[:most]:
            self._read(read)
        for read in changed[most:]:
            self._backlog.changed[read.path] = None
        # Many new files at once are a load, and wait for the spool like one.
        for read in new:
            if len(new) <= most and not self._backlog.new:
                self._read(read)
            else:
                self._backlog.add_new(read.path, read.size)
        self._feed.flush(Lane.LIVE)
