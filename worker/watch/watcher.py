"""The watcher's loop: hints, deadlines, scans and backpressure, in one thread.

It scans at the start, at intervals and on every doubt: events are only hints, the folder's content is
what counts. It parses nothing and writes only heartbeats and holds. When the store or the broker is
unavailable, it waits and scans again. Called by `worker.run.processes`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from worker.domain.folder.snapshot import Batch
from worker.errors import BrokerUnavailableError, StoreUnavailableError
from worker.ingest.spool import Spool
from worker.settings.model import Settings
from worker.watch.brake import Brake, Record
from worker.watch.event_supervisor import EventSupervisor
from worker.watch.failures import sending
from worker.watch.feed import Feed
from worker.watch.ignore import IGNORE_FILE, SeedNames, shown
from worker.watch.intake import SLICE_SECONDS, Intake
from worker.watch.judging import Judging
from worker.watch.lane import Lane
from worker.watch.lead import Term
from worker.watch.observer import Doubt, Events, FolderHint, Signal
from worker.watch.root import require_folder
from worker.watch.scan import Survey, is_marked, walk
from worker.watch.settle import Hint, HintKind

logger = logging.getLogger("content_sync.watch")

HEARTBEAT_SECONDS = 5.0
_IDLE_SECONDS = 0.25  # the longest delay until a stop is noticed
_DECISION_SECONDS = 0.2
# How long after a scan one for a doubt may start, in durations of that scan. It waits longer while new
# files are queued, because what it finds would wait behind them.
_REST, _LOADED_REST = 2, 10
_FOLDER_DOUBT_SECONDS = 0.1  # folders often change together
_LONGEST_WAIT_SECONDS = 30.0
# How long a watcher without a broker tries before it gives way to a standby.
_GIVE_WAY_SECONDS = 10.0
# How soon the store is asked what became of possible moves; the time doubles with each question.
_FIRST_LEARN_SECONDS = 0.25


class Watcher:
    """Watches one folder: create it, `run` it in a thread, and set `run`'s event to end it.

    `publish` takes a batch and the name of its queue, "live" or "bulk". `now` is aware; `monotonic`
    counts seconds. Raises `ConfigurationError` if the folder does not exist.
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
        term: Term | None = None,
    ) -> None:
        term = term or Term()
        require_folder(settings.seeds)
        self._settings = settings
        self._record = record
        self._spool = spool
        self._publish = publish
        self._now = now
        self._monotonic = monotonic
        self._confirm, self._give_way = term.confirm, term.give_way
        self._since = now()
        self._root = str(settings.seeds.absolute())
        self._names = SeedNames(self._root, settings.watch)
        self._feed = Feed(
            settings,
            root=self._root,
            send=self._send,
            withdraw=self._withdraw,
            kept=spool.kept,
            unfinished=term.unfinished,
            now=now,
            monotonic=monotonic,
        )
        self._feed.observed.raise_to(term.observed_above)
        self._brake = Brake(
            settings.brake,
            record,
            is_marked=lambda: is_marked(self._root, settings.brake.marker),
        )
        self._intake = Intake(
            settings,
            names=self._names,
            feed=self._feed,
            brake=self._brake,
            spool=spool,
            judging=Judging(self._feed, record.why_judged_again, monotonic),
            now=now,
            monotonic=monotonic,
        )
        self._events = Events(self._root)
        self._supervisor = EventSupervisor(settings.watch, self._events, self._root)
        self._survey: Survey | None = None
        self._fresh_at = 0.0  # when the next scan loads the store's data again
        self._fingerprint: tuple[int, ...] | None = None  # of the store when it was loaded
        self._doubt_at: float | None = 0.0
        self._rest_until = 0.0
        self._beat_at = 0.0
        self._decide_at = 0.0
        self._learn_at = 0.0
        self._learn_seconds = _FIRST_LEARN_SECONDS
        self._last_scan: datetime | None = None
        self._unsure: dict[str, str] = {}  # since when each folder cannot be read

    def run(self, stop: threading.Event) -> None:
        """Watch until the event is set, through every outage of store and broker.

        Passes on what `confirm` and `give_way` raise when another watcher leads or stands by; nothing is
        sent after that.
        """
        self._names.load()
        self._supervisor.start(self._monotonic())
        failures, failing_since = 0, 0.0
        try:
            while not stop.is_set():
                try:
                    self._turn()
                    if failures and self._has_caught_up():
                        logger.info("store and broker answer again")
                        failures = 0
                except (BrokerUnavailableError, StoreUnavailableError) as error:
                    failures += 1
                    if failures == 1:
                        logger.warning("waiting: %s", error)
                        failing_since = self._monotonic()
                    self._start_over()
                    self._let_another_try(error, failing_since)
                    self._wait(stop, min(2.0 ** (failures - 1), _LONGEST_WAIT_SECONDS))
            with contextlib.suppress(StoreUnavailableError):
                self._beat("stopped")
        finally:
            self._events.stop()

    def _turn(self) -> None:
        """Wait for the next work and do it, live edits first."""
        self._confirm_lead()
        self._handle(self._events.take(self._pause_seconds()))
        self._intake.look()
        if self._intake.names_changed:
            self._intake.names_changed = False
            logger.info("%s changed: scanning", IGNORE_FILE)
            self._doubt(self._monotonic())
        if (doubt := self._supervisor.check(self._monotonic())) is not None:
            self._take_doubt(doubt)
        self._step_survey()
        self._intake.step()
        self._retire()
        self._feed.flush()
        if self._monotonic() >= self._beat_at:
            self._beat(self._state())

    def _pause_seconds(self) -> float:
        """Return how long the loop may wait for a hint."""
        at = self._monotonic()
        times = [at + _IDLE_SECONDS, self._scan_at(), self._beat_at]
        if self._survey is not None:
            return 0.0
        if not self._brake.idle:
            times.append(self._decide_at)
        if (due := self._intake.next_at()) is not None:
            times.append(due)
        return max(0.0, min(times) - at)

    # Hints.

    def _handle(self, signals: Iterable[Signal]) -> None:
        at = self._monotonic()
        for signal in signals:
            match signal:
                case Hint():
                    self._intake.hint(signal)
                case FolderHint(path=path):
                    # Any event on a folder causes a scan of everything. That is simple and always
                    # correct; the scan compares with memory, and folders often change together.
                    if not path:
                        self._supervisor.hurry()
                    elif self._names.folder_reason(path) is None:
                        self._doubt(at + _FOLDER_DOUBT_SECONDS)
                case Doubt():
                    self._take_doubt(signal)

    def _take_doubt(self, doubt: Doubt) -> None:
        """Schedule a scan because events were lost, and repair the observer."""
        at = self._monotonic()
        logger.warning("%s: scanning", doubt.reason)
        self._supervisor.cure(doubt, at)
        self._fresh_at = at

    # Scans.

    def _doubt(self, at: float) -> None:
        self._doubt_at = at if self._doubt_at is None else min(self._doubt_at, at)

    def _scan_at(self) -> float:
        doubt_at = self._doubt_at
        if doubt_at is None:
            return self._fresh_at
        return min(self._fresh_at, max(doubt_at, self._rest_until))

    def _step_survey(self) -> None:
        """Start or continue a due scan for one slice of time; act on the result when it is complete."""
        at = self._monotonic()
        if self._survey is None:
            if at < self._scan_at():
                return
            self._start_survey(at)
        survey = self._survey
        if survey is not None and survey.step(self._monotonic, at + SLICE_SECONDS):
            self._survey = None
            self._finish_survey(survey)

    def _start_survey(self, at: float) -> None:
        if at >= self._fresh_at:
            self._load_known()
            self._fresh_at = at + self._supervisor.interval_seconds
        if not self._names.is_current() and IGNORE_FILE not in self._intake.settle:
            self._intake.hint(Hint(kind=HintKind.WRITTEN, path=IGNORE_FILE))
        self._doubt_at = None
        self._survey = Survey(
            walk(self._names),
            self._feed.known,
            awaits=self._intake.backlog.awaits,
            notes=self._feed.notes,
            verified=self._feed.verified,
            started=self._feed.observed.next(),
            started_at=at,
        )

    def _load_known(self) -> None:
        """Load the store's data, unless neither the store nor this watcher has news since the last time."""
        self._feed.batch_format = self._record.batch_format()
        self._feed.judge = self._record.judge.id
        fingerprint = self._record.fingerprint()
        if fingerprint == self._fingerprint and self._feed.is_quiet:
            return
        self._feed.forget_known()
        self._feed.load(self._record.known_files(), self._record.newest_observation())
        self._fingerprint = fingerprint

    def _finish_survey(self, survey: Survey) -> None:
        at = self._monotonic()
        rest = _LOADED_REST if self._intake.backlog.new else _REST
        self._rest_until = at + rest * (at - survey.started_at)
        if self._last_scan is None:
            self._beat_at = 0.0  # whoever waits for the service learns at once that it has looked
        self._last_scan = self._now()
        self._feed.forget_notes(survey.unseen_notes)
        for path, reason in survey.walk.ignored.items():
            self._feed.ignored.add(path, reason)
        self._log_unsure(survey.walk.unsure)
        if survey.scanned:
            self._brake.came_back(list(filter(survey.has_seen, self._brake)))
        self._brake.look_again()
        self._decide_at = at
        self._intake.take_survey(survey)

    def _log_unsure(self, unsure: Iterable[str]) -> None:
        before, now = self._unsure, self._now().isoformat()
        self._unsure = {folder: before.get(folder, now) for folder in unsure}
        for folder in self._unsure.keys() - before:
            logger.warning(
                "the folder %s cannot be read: nothing in it is retired", shown(folder) or "."
            )
        if self._unsure.keys() != before.keys():
            self._beat_at = 0.0

    def _retire(self) -> None:
        """Retire the missing files that the brake releases."""
        at = self._monotonic()
        if self._brake.idle or self._survey or self._last_scan is None:
            return
        if at < self._decide_at and not self._brake.has_news:
            return
        self._confirm_lead()  # a hold notifies people
        self._decide_at = at + (HEARTBEAT_SECONDS if self._brake.held else _DECISION_SECONDS)
        undecided = self._feed.is_undecided
        unread = undecided or self._intake.backlog.new > 0 or self._doubt_at is not None
        was_deferring = self._brake.deferring
        gone = self._brake.decide(
            self._feed.known, self._intake.settle.leaving(), at=at, unread=unread
        )
        if self._brake.deferring and not was_deferring:
            self._doubt(at)  # a scan finds every missing file, not only those with events
        self._learn(at, needed=undecided and (self._brake.deferring or self._brake.held))
        for path in gone:
            try:
                exists = self._intake.stamp(path) is not None
            except Exception:  # noqa: BLE001 - what is unknown is not gone
                exists = True
            if not exists:
                self._feed.remove(path)

    def _learn(self, at: float, *, needed: bool) -> None:
        """Ask the store what became of possible moves, if the brake waits for them."""
        if not needed:
            self._learn_at, self._learn_seconds = at, _FIRST_LEARN_SECONDS
        elif at >= self._learn_at:
            self._fresh_at = at
            self._learn_at = at + self._learn_seconds
            self._learn_seconds = min(2 * self._learn_seconds, _LONGEST_WAIT_SECONDS)

    # Store and broker.

    def _confirm_lead(self) -> None:
        self._confirm(self._feed.observed.ceiling())

    @sending()
    def _send(self, batch: Batch, data: bytes, lane: Lane) -> None:
        self._confirm_lead()  # this process may have been frozen since it read the files
        if batch.snapshots:
            self._spool.put(batch.id, data)
        try:
            self._publish(batch, lane.value)
        except BrokerUnavailableError:
            with contextlib.suppress(BrokerUnavailableError):
                self._spool.drop(batch.id)  # otherwise it would count as outstanding
            raise

    def _withdraw(self, batch_id: str) -> bool:
        was_started = self._spool.was_started(batch_id)
        self._spool.drop(batch_id)
        return was_started

    def _let_another_try(self, error: Exception, failing_since: float) -> None:
        lasts = self._monotonic() - failing_since >= _GIVE_WAY_SECONDS
        if lasts and isinstance(error, BrokerUnavailableError):
            with contextlib.suppress(StoreUnavailableError):
                self._give_way()

    def _has_caught_up(self) -> bool:
        idle = self._survey is None and self._intake.is_idle
        return idle and self._monotonic() < self._fresh_at

    def _start_over(self) -> None:
        """Discard pending work: the scan after the outage finds it again."""
        self._feed.drop_open()
        self._intake.clear()
        self._survey = None
        self._fresh_at, self._fingerprint = 0.0, None

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        until = self._monotonic() + seconds
        while not stop.is_set() and (left := until - self._monotonic()) > 0:
            with contextlib.suppress(StoreUnavailableError):
                self._beat("waiting")
            stop.wait(min(left, HEARTBEAT_SECONDS))
        self._events.drain()

    def _state(self) -> str:
        if self._brake.held:
            return "held"
        return "polling" if self._supervisor.polling else "watching"

    def _beat(self, state: str) -> None:
        self._confirm_lead()
        self._beat_at = self._monotonic() + HEARTBEAT_SECONDS
        data = {
            "state": state,
            "last_scan": self._last_scan.isoformat() if self._last_scan else None,
            "mode": "polling" if self._supervisor.polling else "inotify",
            "watched": len(self._feed.known),
            "unread": len(self._intake.backlog),
            "unjudged": len(self._intake.judging),
            "judge": self._record.judge.id,
            "unseen": self._unsure if self._last_scan else None,
            "failed": self._intake.failures.as_json(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": self._since.isoformat(),
        }
        self._record.heartbeat("watcher", data)
