"""The watcher of the watcher: which parts have not been heard of for too long, and who is told.

A part that stopped cannot say so. The delivery looks whether the sweep and the watcher live, an
address outside (`[deadman]`) whether the delivery does, and `doctor` at all of them. Called by
`worker.library.services` and `worker.run.doctor`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.domain.reviews.notice import silent_notices
from worker.domain.reviews.policy import Policy
from worker.settings.model import Settings
from worker.store import channel_states, liveness
from worker.store.engine import Store

SWEEP, DELIVERY, WATCHER = "sweep", "delivery", "watcher"
#: No part that lives: the note of when a `sync` began that has taken in all that it found.
SYNC = "sync"
#: How often a delivery notes that it ran: each tick would be a write too many.
DELIVERY_NOTED_SECONDS = 20
_WATCHER_SECONDS = 600
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A part that should have been heard of by now; `since` is None where it never was."""

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
    """Yield the sweep and the watcher where they are silent for too long.

    What was silent before `started_at`, when whoever asks was started, is not held against them: after
    a time without power each comes back in its turn. Nor is a watcher that never ran: files may come
    by `sync` alone.
    """
    allowed = longest_silence(settings)
    for part in (SWEEP, WATCHER):
        row = heartbeats.get(part)
        heard_at = row.at if row is not None else None
        if heard_at is None and part == WATCHER:
            continue
        if now - max(heard_at or started_at, started_at) > allowed[part]:
            yield Silence(part=part, since=heard_at)


class Overseer:
    """What a process that delivers sees to beside its messages; `started_at` is when it began."""

    def __init__(
        self, store: Store, settings: Settings, policy: Policy, *, started_at: datetime
    ) -> None:
        self.settings = settings
        self.started_at = started_at
        self._store = store
        self._policy = policy
        self._noted_at = self._pinged_at = _LONG_AGO

    def look(self, now: datetime, today: date) -> None:
        """Owe everyone a notice of each part that is silent for too long. Commits."""
        with self._store.read() as connection:
            heartbeats = liveness.find_heartbeats(connection)
        owed = [
            notice
            for silence in self._silent(heartbeats, now)
            for notice in silent_notices(
                silence.part, since=silence.since, today=today, routes=self._policy.routes
            )
        ]
        if owed:
            from worker.store.notices import add_notices  # noqa: PLC0415 - only where a part is silent

            self._store.transact(lambda c: add_notices(c, owed, now=now))

    def report(self, now: datetime) -> None:
        """Note now and then that deliveries run, here and at the address outside. Commits."""
        if (now - self._noted_at).total_seconds() >= DELIVERY_NOTED_SECONDS:
            self._noted_at = now
            self._store.transact(lambda c: liveness.beat(c, DELIVERY, {}, now=now))
        url, every = self.settings.deadman.url, self.settings.deadman.every_seconds
        if url is not None and (now - self._pinged_at).total_seconds() >= every:
            from worker.messages.channels.deadman import ping  # noqa: PLC0415 - only where an address is named

            self._pinged_at = now
            with self._store.read() as connection:
                heartbeats = liveness.find_heartbeats(connection)
                # Whoever is told over a channel that fails can be told by nobody else.
                resting = channel_states.any_resting(connection, now=now)
            silent = any(self._silent(heartbeats, now))
            ping(url.value, ok=not silent and not resting)

    def _silent(self, heartbeats: Mapping[str, Any], now: datetime) -> Iterator[Silence]:
        return silent_parts(heartbeats, self.settings, now=now, started_at=self.started_at)
