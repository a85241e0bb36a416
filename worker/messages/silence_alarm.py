"""Notices when a part of the service stops reporting or a folder cannot be read, and notifies every route.

A part that stopped cannot say so itself. Delivery checks the sweep and the watcher, an external address
(`[deadman]`) checks delivery, and `doctor` checks all of them. Called by `worker.library.services` and
`worker.run`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.domain.reviews.notice import Notice, silent_notices, unseen_notices
from worker.domain.reviews.policy import Policy
from worker.settings.model import Settings
from worker.store import channel_states, liveness
from worker.store.engine import Connection, Store

SWEEP, DELIVERY, WATCHER = "sweep", "delivery", "watcher"
#: Not a part that runs: when the last `sync` began that took in everything it found.
SYNC = "sync"
#: Not a part either: since when each folder that the routes know of cannot be read.
UNSEEN = "unseen"
#: How often delivery records that it runs; a write at each tick would be too many.
DELIVERY_NOTED_SECONDS = 20
_WATCHER_SECONDS = 600
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A part that should have reported by now; `since` is None if it never did."""

    part: str
    since: datetime | None


def longest_silence(settings: Settings) -> dict[str, timedelta]:
    """Return how long each part may be silent."""
    return {
        SWEEP: timedelta(seconds=2 * settings.review.sweep_seconds + 60),
        DELIVERY: timedelta(
            seconds=10 * settings.delivery.tick_seconds + 3 * DELIVERY_NOTED_SECONDS
        ),
        WATCHER: timedelta(seconds=_WATCHER_SECONDS),
    }


def silent_parts(
    heartbeats: Mapping[str, Any], settings: Settings, *, now: datetime, started_at: datetime
) -> Iterator[Silence]:
    """Yield the sweep and the watcher if they have been silent for too long.

    Silence before `started_at`, the start of the calling process, does not count: after a power cut the
    parts start one after the other. A watcher that never ran does not count either: some libraries use
    `sync` alone.
    """
    allowed = longest_silence(settings)
    for part in (SWEEP, WATCHER):
        row = heartbeats.get(part)
        reported_at = row.at if row is not None else None
        if reported_at is None and part == WATCHER:
            continue
        if now - max(reported_at or started_at, started_at) > allowed[part]:
            yield Silence(part=part, since=reported_at)


class SilenceAlarm:
    """The alarm of a process that delivers messages; `started_at` is the start of that process."""

    def __init__(
        self, store: Store, settings: Settings, policy: Policy, *, started_at: datetime
    ) -> None:
        self.settings = settings
        self.started_at = started_at
        self._store = store
        self._policy = policy
        self._noted_at = self._pinged_at = _LONG_AGO

    def check(self, now: datetime, today: date) -> None:
        """Add a notice for each part that has been silent for too long, for every route. Commits.

        The same for each folder that the watcher cannot read, once as long as it lasts.
        """
        with self._store.read() as connection:
            heartbeats = liveness.find_heartbeats(connection)
        self._check_unseen(heartbeats, now)
        owed = [
            notice
            for silence in self._silent(heartbeats, now)
            for notice in silent_notices(
                silence.part, since=silence.since, today=today, routes=self._policy.routes
            )
        ]
        if owed:
            from worker.store.notices import add_notices  # noqa: PLC0415 - only if a part is silent

            self._store.transact(lambda c: add_notices(c, owed, now=now))

    def _check_unseen(self, heartbeats: Mapping[str, Any], now: datetime) -> None:
        watcher, noted = heartbeats.get(WATCHER), heartbeats.get(UNSEEN)
        found = watcher.data.get("unseen") if watcher is not None else None
        before = noted.data if noted is not None else {}
        if found is None or found.keys() == before.keys():
            return  # None before the first scan of a watcher
        from worker.store.library import count_live_below  # noqa: PLC0415 - only if it is news
        from worker.store.notices import add_notices  # noqa: PLC0415 - only if it is news

        unseen = {folder: before.get(folder, since) for folder, since in found.items()}

        def work(connection: Connection) -> None:
            counts = count_live_below(connection, unseen.keys() - before.keys())
            owed: list[Notice] = []
            for folder, live in sorted(counts.items()):
                since, routes = unseen[folder], self._policy.routes
                owed += unseen_notices(folder or ".", since=since, live=live, routes=routes)
            add_notices(connection, owed, now=now)
            liveness.beat(connection, UNSEEN, unseen, now=now)

        self._store.transact(work)

    def report(self, now: datetime) -> None:
        """Record that delivery runs, in the store and at the external address, if it is time to. Commits."""
        if _is_due(self._noted_at, DELIVERY_NOTED_SECONDS, now):
            self._noted_at = now
            self._store.transact(lambda c: liveness.beat(c, DELIVERY, {}, now=now))
        url, every = self.settings.deadman.url, self.settings.deadman.every_seconds
        if url is not None and _is_due(self._pinged_at, every, now):
            from worker.messages.channels.deadman import ping  # noqa: PLC0415 - only if an address is set

            self._pinged_at = now
            with self._store.read() as connection:
                heartbeats = liveness.find_heartbeats(connection)
                # If the only channel fails, nothing else can notify its people.
                resting = channel_states.any_resting(connection, now=now)
            silent = any(self._silent(heartbeats, now))
            ping(url.value, ok=not silent and not resting)

    def _silent(self, heartbeats: Mapping[str, Any], now: datetime) -> Iterator[Silence]:
        return silent_parts(heartbeats, self.settings, now=now, started_at=self.started_at)


def _is_due(last: datetime, every_seconds: float, now: datetime) -> bool:
    """Return whether the time has passed since `last`, or the clock was set back meanwhile."""
    return not 0 <= (now - last).total_seconds() < every_seconds
