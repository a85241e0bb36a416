"""The verbs of the service: what tasks, the watcher and commands call. All they need is given once.

Nothing here knows Celery, watchdog or a terminal. What takes in, what sweeps and what sends is loaded by
the first verb that does so; `worker.run.tasks` loads it for the service.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.errors import ConfigurationError
from worker.ingest import holds
from worker.ingest.outcomes import log_outcomes
from worker.ingest.spool import Spool, open_spool
from worker.ingest.unfinished_batches import UnfinishedBatches
from worker.library import queries
from worker.library.reader import Reader
from worker.messages.silence_alarm import SilenceAlarm
from worker.settings.model import Settings
from worker.settings.schema_file import load_rules, require_compiled
from worker.store import documents, liveness

if TYPE_CHECKING:
    from jinja2 import Environment

    from worker.domain.folder.known import KnownFiles
    from worker.domain.folder.reconcile import Seen
    from worker.domain.folder.snapshot import Batch
    from worker.domain.rules.rules import Examined
    from worker.ingest.outcomes import Outcome
    from worker.messages.channels import Channel
    from worker.messages.channels.stream import EventStream
    from worker.messages.deliver import Delivery, Outgoing

logger = logging.getLogger("content_sync")

#: Parts that were not heard for so long are forgotten.
SILENT_DAYS = 30


class Services(Reader):
    """A reader that writes too: with the spool and the channels of one process.

    Every verb may raise `StoreUnavailableError`; those that send or spool, `BrokerUnavailableError` too.
    Making it raises `ConfigurationError` where the schema or the reviewers file cannot be read.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], datetime]) -> None:
        super().__init__(settings, now=now)
        self.spool: Spool = open_spool(settings)
        in_one = settings.in_process and self.store.is_sqlite
        folder = Path(f"{self.store.url.database}.begun")
        self._unfinished = UnfinishedBatches(folder) if in_one else None
        self.rules = load_rules(settings, compiled=False)
        self.silence_alarm = SilenceAlarm(self.store, settings, self.policy, started_at=now())

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """Return the channels by name, opened at their first use."""
        from worker.messages.channels.opening import open_channels

        return open_channels(self.settings, clock=self.now)

    @cached_property
    def stream(self) -> EventStream | None:
        """Return the stream of events, where there is a Redis for it."""
        from worker.messages.channels.stream import open_stream

        return open_stream(self.settings)

    @cached_property
    def templates(self) -> Environment:
        """Return the templates of messages."""
        from worker.messages.digest import open_templates

        return open_templates(self.settings)

    def require_rules(self) -> None:
        """Compile the schema, for who takes in documents; raise `ConfigurationError` where it is unusable."""
        require_compiled(self.rules, self.settings)

    def examine(self, data: bytes) -> Examined:
        """Return what the bytes of a seed say and what is wrong with them; raises as `require_rules` does."""
        from worker.domain.rules.rules import examine

        self.require_rules()
        most = self.policy.max_file_bytes
        return examine(data, rules=self.rules, today=self.today(), max_bytes=most)

    def before_fork(self) -> None:
        """Close what must not cross a fork: the connections to the store, as no other is open."""
        self.store.before_fork()

    # What tasks do.

    def take_in(self, batch: Batch) -> list[Outcome]:
        """Take in a batch whose bytes are in the spool; then forget them. Commits.

        Bytes that are gone were taken in before, or are lost: the next scan compares the folder
        with the store and brings again what is missing. Raises `ValueError` when the bytes are not
        those of the batch.
        """
        from worker.ingest.attempts import take_in_claimed

        with self._unfinished.noting(batch) if self._unfinished is not None else nullcontext():
            outcomes = take_in_claimed(batch, self.spool, self.take_in_bytes)
        if outcomes is None:
            logger.info(
                "batch %s is no longer in the spool: taken in, or the next scan repeats it",
                batch.id,
            )
            return []
        log_outcomes(outcomes, bulk=batch.bulk)
        return outcomes

    def take_in_bytes(self, batch: Batch, data: bytes, *, hopeless: bool = False) -> list[Outcome]:
        """Take in a batch with its bytes and return what became of each path. Commits.

        With `hopeless` its snapshots are refused, and not looked at.
        """
        from worker.ingest.batch import ingest

        return ingest(
            self.store,
            batch,
            data,
            rules=self.rules,
            policy=self.policy,
            now=self.now(),
            today=self.today(),
            hopeless=hopeless,
        )

    def sweep(self) -> int:
        """Add the review notices that are owed today; returns how many are new. Commits."""
        from worker.reviews.icalendar_file import publish_calendar
        from worker.reviews.sweep import sweep

        now, today = self.now(), self.today()
        owed = sweep(self.store, policy=self.policy, now=now, today=today, zone=self.settings.zone)
        publish_calendar(self.store, self.settings, self.policy, now=now, today=today)
        silent_since = now - timedelta(days=SILENT_DAYS)
        self.store.transact(lambda c: liveness.forget_silent(c, since=silent_since))
        self.heartbeat("sweep", {"today": today.isoformat(), "notices": len(owed)})
        return len(owed)

    def deliver(self) -> list[Delivery]:
        """Send the digests that are ready, and publish new events to the stream. Commits each step."""
        from worker.messages.deliver import deliver, publish_events

        self.silence_alarm.check(self.now(), self.today())
        brake, routes = self.settings.brake, self.policy.routes
        holds.hold_refusals(self.store, brake, routes, now=self.now())
        delivered = deliver(self._outgoing)
        if self.stream is not None:
            publish_events(self.store, self.stream)
        self.silence_alarm.report(self.now())
        return delivered

    # What the watcher asks and says.

    def unfinished_batches(self) -> list[Batch]:
        """Return what the process before this one did not end taking in, where one process does all."""
        return [] if self._unfinished is None else self._unfinished.pop_all()

    def known_files(self) -> KnownFiles:
        """Return every path that should be in the folder, with what was last seen of it."""
        with self.store.read() as connection:
            return documents.known_files(connection)

    def stamps(self) -> set[Seen]:
        """Return the same paths as a walk sees them; a stamp that proves nothing equals no file's."""
        with self.store.read() as connection:
            return documents.stamps(connection)

    def fingerprint(self) -> tuple[int, ...]:
        """Return numbers of which some differ once `known_files` does."""
        with self.store.read() as connection:
            return documents.fingerprint(connection)

    def newest_observation(self) -> int:
        """Return the largest `observed` number that the store has taken in."""
        with self.store.read() as connection:
            return documents.newest_observation(connection)

    def heartbeat(self, name: str, data: dict[str, Any]) -> None:
        """Note that a part lives. Commits."""
        now = self.now()
        self.store.transact(lambda connection: liveness.beat(connection, name, data, now=now))

    def hold(self, removals: list[str], live: int) -> None:
        """Hold a mass disappearance and owe the routes a notice of it; once while one is held. Commits."""
        routes, now = self.policy.routes, self.now()
        holds.hold_removals(self.store, removals, live, routes=routes, now=now)

    def approved(self) -> frozenset[str]:
        """Return the paths whose removal a person has approved; none while that is open."""
        with self.store.read() as connection:
            return holds.approved_removals(connection)

    def end_hold(self) -> None:
        """End the hold: the files came back, or the retirement was carried out. Commits."""
        holds.end_removals(self.store, now=self.now())

    # What commands do.

    def approve(self) -> dict[str, int]:
        """Let the mass changes that are held go on; returns how many removals and refusals. Commits."""
        return holds.approve(self.store, now=self.now())

    def remind(self, *, on: date | None, dry_run: bool) -> dict[str, Any]:
        """Run one review sweep as of a day, by default today; returns the new notices. Commits."""
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
        """Send a test message over one route or each; returns how that went."""
        from worker.messages.deliver import send_test

        routes = [r for r in self.policy.routes if route in {None, r.name}]
        if not routes:
            raise ConfigurationError(f"there is no route {route!r} in the settings")
        return send_test(routes, self.channels)

    def retry_notices(self, ids: Sequence[int] | None) -> int:
        """Try failed notices again, all or these; returns how many. Commits."""
        from worker.store.notices import retry_failed

        now = self.now()
        return self.store.transact(lambda c: retry_failed(c, ids, now=now))

    def preview(self, name: str) -> dict[str, str]:
        """Return what would be sent over a route now: what waits, or else all that is open."""
        from worker.messages.deliver import preview
        from worker.reviews.sweep import owed_now
        from worker.store.notices import as_leased, pending_of

        route = self._outgoing.routes[name]
        with self.store.read() as connection:
            owed = pending_of(connection, route.name)
            if not owed:
                everything = owed_now(
                    connection, self.policy, self.today(), zone=self.settings.zone
                )
                owed = as_leased(n for n in everything if n.route == route.name)
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
