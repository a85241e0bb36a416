"""The watcher of the watcher: which parts have not been heard of for too long, and who is told.

A part that stopped cannot say so. The delivery looks whether the sweep and the watcher live, an
address outside (`[deadman]`) whether the delivery does, and `doctor` at all of them. Called by
`worker.services` and `worker.health`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from worker.settings import Settings

SWEEP, DELIVERY, WATCHER = "sweep", "delivery", "watcher"
#: No part that lives: the note of when a `sync` began that has taken in all that it found.
SYNC = "sync"
#: How often a delivery notes that it ran: each tick would be a write too many.
DELIVERY_NOTED_SECONDS = 20
_WATCHER_SECONDS = 600


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
