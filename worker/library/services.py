"""The operations of the service, which tasks, the watcher and commands call.

Imports no Celery, watchdog or terminal. The ingest, the sweep and the delivery are imported by the first
operation that needs them; `worker.run.tasks` imports them for the service.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.errors import ConfigurationError, OtherJudgeError
from worker.ingest import holds
from worker.ingest.outcomes import log_outcomes
from worker.ingest.spool import Spool, open_spool
from worker.ingest.unfinished_batches import UnfinishedBatches
from worker.library import queries
from worker.library.reader import Reader
from worker.messages.silence_alarm import SilenceAlarm
from worker.settings.model import Settings
from worker.settings.schema_file import load_rules, require_compiled
from worker.store import epochs, judges, liveness, newest_event, paths

if TYPE_CHECKING:
    from jinja2 import Environment

    from worker.domain.folder.brake import Removals
    from worker.domain.folder.known import KnownFiles
    from worker.domain.folder.reconcile import Seen
    from worker.domain.folder.snapshot import Batch
    from worker.domain.rules.judge import Judge
    from worker.domain.rules.rules import Examined
    from worker.domain.seeds.problem import Problem
    from worker.ingest.outcomes import Outcome
    from worker.messages.channels import Channel
    from worker.messages.channels.stream import EventStream
    from worker.messages.deliver import Delivery, Outgoing

logger = logging.getLogger("content_sync")

#: How long a worker without a heartbeat counts as running: while it has no batch, the health check of its
#: container asks for one each 15 seconds.
WORKER_IS_ALIVE_FOR = timedelta(minutes=10)
#: How long a watcher without a heartbeat counts as running.
WATCHER_IS_ALIVE_FOR = timedelta(seconds=30)
#: Parts without a heartbeat for this long are deleted.
SILENT_DAYS = 30
#: So long a path is known that is gone and never had a document: no message about it arrives later.
GONE_DAYS = 30


class Services(Reader):
    """A reader that also writes, with the spool and the channels of one process.

    Every method may raise `StoreUnavailableError`; those that send or spool, `BrokerUnavailableError` too.
    The constructor raises `ConfigurationError` if the schema or the reviewers file cannot be read.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], datetime]) -> None:
        super().__init__(settings, now=now)
        self.spool: Spool = open_spool(settings)
        in_one = settings.in_process and self.store.is_sqlite
        folder = Path(f"{self.store.url.database}.begun")
        self._unfinished = UnfinishedBatches(folder) if in_one else None
        self.rules = load_rules(settings, compiled=False)
        self._is_introduced = False
        self.silence_alarm = SilenceAlarm(self.store, settings, self.policy, started_at=now())

    @cached_property
    def judge(self) -> Judge:
        """Return by what this process judges files."""
        from worker.domain.rules.judge import make_judge

        zone = self.settings.zone
        is_utc = zone.utcoffset(None) == timedelta(0)  # None for a zone whose offset ever changes
        return make_judge(self.rules, self.policy, "UTC" if is_utc else zone.key)

    def require_judge_of_watcher(self) -> None:
        """Raise `ConfigurationError` if a running watcher judges by other rules: never judge in turns."""
        with self.store.read() as connection:
            watcher = liveness.find_heartbeats(connection).get("watcher")
        if watcher is None or self.now() - watcher.at > WATCHER_IS_ALIVE_FOR:
            return
        theirs, stopped = watcher.data.get("judge"), watcher.data.get("state") == "stopped"
        if theirs and theirs != self.judge.id and not stopped:
            raise ConfigurationError(
                f"the watcher on {watcher.data.get('host')} judges by another schema, other rules or other"
                f" settings than this command{self._in_what(theirs)}, and would judge every file again: give"
                " both the same, or stop the watcher"
            )

    def _in_what(self, judge: str) -> str:
        """Return in words, in parentheses, what differs from another judge; nothing if that is unknown."""
        from worker.domain.rules.judge import what_differs

        with self.store.read() as connection:
            parts = judges.find_parts(connection, judge)
        return f" (differs: {'; '.join(what_differs(parts, self.judge.parts))})" if parts else ""

    @property
    def verdicts(self) -> paths.Verdicts:
        """Return which verdicts hold today."""
        return paths.Verdicts(self.judge.id, self.today())

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """Return the channels by name; the first use opens them."""
        from worker.messages.channels.opening import open_channels

        return open_channels(self.settings, clock=self.now)

    @cached_property
    def stream(self) -> EventStream | None:
        """Return the stream of events, or None without a Redis."""
        from worker.messages.channels.stream import open_stream

        return open_stream(self.settings)

    @cached_property
    def templates(self) -> Environment:
        """Return the templates of messages."""
        from worker.messages.digest import open_templates

        return open_templates(self.settings)

    def require_rules(self) -> None:
        """Compile the schema, which an ingest needs; raise `ConfigurationError` if it is unusable."""
        require_compiled(self.rules, self.settings)

    def examine(self, path: str, data: bytes) -> Examined:
        """Parse and check the bytes of a seed at a path; raises as `require_rules` does."""
        from worker.domain.rules.rules import examine

        self.require_rules()
        most = self.policy.max_file_bytes
        return examine(data, rules=self.rules, today=self.today(), max_bytes=most, path=path)

    def before_fork(self) -> None:
        """Close the connections to the store, the only ones open before a fork."""
        self.store.before_fork()

    # What tasks do.

    def take_in(self, batch: Batch, *, patient: bool = True) -> list[Outcome]:
        """Ingest a batch whose bytes are in the spool, then drop them. Commits.

        Files that follow an observation which the store does not have yet wait, and the bytes stay: see the
        outcomes. Unless `patient`, only moves still wait.

        Missing bytes were ingested before, or are lost: the next scan compares the folder with the store
        and sends again what is missing. Raises `ValueError` if the bytes do not match the batch, and
        `OtherJudgeError` if its watcher judges by other rules: two releases never judge in turns.
        """
        from worker.ingest.attempts import take_in_claimed

        if batch.judge and batch.judge != self.judge.id:
            raise OtherJudgeError(
                "its watcher judges by another schema, other rules or other settings than this worker"
                f"{self._in_what(batch.judge)}: give both the same and restart them"
            )
        with self._unfinished.noting(batch) if self._unfinished is not None else nullcontext():
            take_in = partial(self.take_in_bytes, patient=patient)
            outcomes = take_in_claimed(batch, self.spool, take_in)
        if outcomes is None:
            logger.info(
                "batch %s is no longer in the spool: it was ingested, or the next scan sends it again",
                batch.id,
            )
            return []
        log_outcomes(outcomes, bulk=batch.bulk)
        return outcomes

    def take_in_bytes(
        self,
        batch: Batch,
        data: bytes,
        *,
        hopeless: Problem | None = None,
        patient: bool = True,
    ) -> list[Outcome]:
        """Ingest a batch with its bytes and return the outcome for each path. Commits.

        `hopeless`: refuse its snapshots for this problem without reading them.
        """
        from worker.ingest.batch import ingest

        self._introduce_judge()
        return ingest(
            self.store,
            batch,
            data,
            rules=self.rules,
            policy=self.policy,
            judge=self.judge.id,
            now=self.now(),
            today=self.today(),
            hopeless=hopeless,
            patient=patient,
        )

    def _introduce_judge(self) -> None:
        """Record by what this process judges, once. Commits."""
        if not self._is_introduced:
            judge, now = self.judge, self.now()
            self.store.transact(lambda c: judges.introduce(c, judge.id, judge.parts, now=now))
            self._is_introduced = True

    def take_in_each(self, batch: Batch, data: bytes) -> list[Outcome]:
        """Ingest a batch as `take_in_bytes` does; a file that fails is refused alone. Commits.

        Nothing else is on its way, so only moves wait.
        """
        from worker.ingest.attempts import take_in_each

        return take_in_each(batch, data, partial(self.take_in_bytes, patient=False))

    def sweep(self) -> int:
        """Add the review notices that are owed today; return the number of new ones. Commits."""
        from worker.reviews.icalendar_file import publish_calendar
        from worker.reviews.sweep import sweep

        now, today = self.now(), self.today()
        owed = sweep(self.store, policy=self.policy, now=now, today=today, zone=self.settings.zone)
        publish_calendar(self.store, self.settings, self.policy, now=now, today=today)
        silent_since = now - timedelta(days=SILENT_DAYS)
        self.store.transact(lambda c: liveness.forget_silent(c, since=silent_since))
        gone_since = round((now - timedelta(days=GONE_DAYS)).timestamp() * 1e6)
        self.store.transact(lambda c: paths.forget_gone(c, before=gone_since))
        self.heartbeat("sweep", {"today": today.isoformat(), "notices": len(owed)})
        return len(owed)

    def deliver(self) -> list[Delivery]:
        """Send the digests that are ready, and publish new events to the stream. Commits each step."""
        from worker.messages.deliver import deliver
        from worker.messages.publish import publish_events

        self.silence_alarm.check(self.now(), self.today())
        brake, routes = self.settings.brake, self.policy.routes
        holds.hold_refusals(self.store, brake, routes, now=self.now())
        delivered = deliver(self._outgoing)
        self.notice_restore()
        if self.stream is not None:
            publish_events(self.store, self.stream, now=self.now())
        self.silence_alarm.report(self.now())
        return delivered

    def notice_restore(self) -> None:
        """Begin an epoch if a backup took the place of the store; note the newest event. Commits."""
        epochs.finish_restore(self.store, now=self.now())
        newest_event.compare(self.store, now=self.now())

    # What the watcher does.

    def unfinished_batches(self) -> list[Batch]:
        """Return the batches that an earlier process did not finish; empty without a one-process service."""
        return [] if self._unfinished is None else self._unfinished.pop_all()

    def known_files(self) -> KnownFiles:
        """Return every path that should be in the folder, with its last observation."""
        with self.store.read() as connection:
            return paths.known_files(connection, self.verdicts)

    def stamps(self) -> set[Seen]:
        """Return the same paths in a walk's form; a stamp that proves nothing equals no file's."""
        with self.store.read() as connection:
            return paths.stamps(connection, self.verdicts)

    def fingerprint(self) -> tuple[int, ...]:
        """Return a token that changes whenever known_files() would."""
        with self.store.read() as connection:
            return paths.fingerprint(connection, self.verdicts)

    def why_judged_again(self) -> list[str]:
        """Return what differs, in words, from the rules and settings that most files were judged by."""
        from worker.domain.rules.judge import what_differs

        with self.store.read() as connection:
            others = judges.find_others(connection, self.judge.id)
        return list(what_differs(others[0], self.judge.parts)) if others else []

    def newest_observation(self) -> int:
        """Return the largest `observed` number in the store."""
        with self.store.read() as connection:
            return paths.newest_observation(connection)

    def batch_format(self) -> int:
        """Return the newest format of batches that every worker reads that is running."""
        from worker.domain.folder.snapshot import BATCH_FORMAT, SHARED_FORMAT

        since = self.now() - WORKER_IS_ALIVE_FOR
        with self.store.read() as connection:
            formats = liveness.batch_formats(connection, since=since, unsaid=SHARED_FORMAT)
        return min((BATCH_FORMAT, *formats))

    def heartbeat(self, name: str, data: dict[str, Any]) -> None:
        """Record that a part is running. Commits."""
        now = self.now()
        self.store.transact(lambda connection: liveness.beat(connection, name, data, now=now))

    def removals(self, released: Collection[str]) -> Removals:
        """Return what retired lately, what is held, and which of the `released` paths are still live."""
        with self.store.read() as connection:
            return holds.find_removals(connection, released, now=self.now())

    def hold(self, removals: list[str], live: int) -> None:
        """Hold exactly these removals, and add notices of a new hold. Commits."""
        routes, now = self.policy.routes, self.now()
        holds.hold_removals(self.store, removals, live, routes=routes, now=now)

    def end_hold(self) -> None:
        """End the hold: the files came back, or were retired. Commits."""
        holds.hold_removals(self.store, (), 0, routes=(), now=self.now())

    # What commands do.

    def approve(self, ids: Collection[str], *, by: str) -> dict[str, int]:
        """Approve the lists with these IDs; return the numbers of removals and of refusals. Commits.

        Raises `NotApprovedError` if a list has changed since it was shown, or waits no more.
        """
        return holds.approve(self.store, ids, by=by, now=self.now())

    def remind(self, *, on: date | None, dry_run: bool) -> dict[str, Any]:
        """Run one review sweep as of a day, by default today; return the new notices. Commits."""
        from worker.reviews.sweep import sweep

        owed = sweep(
            self.store,
            policy=self.policy,
            now=self.now(),
            today=on or self.today(),
            zone=self.settings.zone,
            dry_run=dry_run,
        )
        return queries.reminders(owed)

    def notify_test(self, route: str | None) -> list[dict[str, Any]]:
        """Send a test message over one route or all; return the results."""
        from worker.messages.deliver import send_test

        routes = [r for r in self.policy.routes if route in {None, r.name}]
        if not routes:
            raise ConfigurationError(f"there is no route {route!r} in the settings")
        return send_test(routes, self.channels)

    def retry_notices(self, ids: Sequence[int] | None) -> int:
        """Make failed notices pending again, all or these; return their number. Commits."""
        from worker.store.notices import retry_failed

        now = self.now()
        return self.store.transact(lambda c: retry_failed(c, ids, now=now))

    def preview(self, name: str) -> dict[str, str]:
        """Return what a route would send now: its pending notices, or else those of all open reviews."""
        from worker.messages.deliver import preview
        from worker.reviews.sweep import owed_now
        from worker.store.notices import as_leased, pending_of

        route = self._outgoing.routes[name]
        with self.store.read() as connection:
            owed = pending_of(connection, route.name)
            if not owed:
                all_open = owed_now(connection, self.policy, self.today(), zone=self.settings.zone)
                owed = as_leased(n for n in all_open if n.route == route.name)
        shown = preview(self._outgoing, route, owed)
        return {"route": name, "channel": route.channel, "preview": shown}

    @property
    def _outgoing(self) -> Outgoing:
        from worker.messages.deliver import Outgoing

        return Outgoing(
            store=self.store,
            channels=self.channels,
            templates=self.templates,
            policy=self.policy,
            settings=self.settings,
            now=self.now,
        )
