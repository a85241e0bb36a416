"""Each channel's token bucket, which limits its rate, and its circuit breaker.

They are in the store, so that all workers share one rate and one breaker. Every function takes a
connection and commits nothing. Called by the delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from worker.store.documents import insert_new
from worker.store.schema import channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure's effect on its channel: since when the channel fails, and whether it rests now."""

    since: datetime
    rests: bool


def take_turn(
    connection: Connection, name: str, *, per_minute: float | None, now: datetime
) -> float:
    """Take a token for one message; return 0, or how many seconds to wait for one.

    The bucket holds the tokens of one second, at least one. A resting channel gets no token until its
    rest is over.
    """
    row = _lock(connection, name, per_minute, now)
    if row.open_until is not None and row.open_until > now:
        return float((row.open_until - now).total_seconds())
    if per_minute is None:
        return 0.0
    per_second = per_minute / 60
    passed = max(0.0, (now - row.refilled_at).total_seconds())
    tokens = min(_capacity(per_minute), row.tokens + passed * per_second)
    if tokens < 1:
        return float((1 - tokens) / per_second)
    _change(connection, name, tokens=tokens - 1, refilled_at=now)
    return 0.0


def note_success(connection: Connection, name: str, *, now: datetime) -> None:
    """Record a success: the channel no longer fails, and its bucket refills from now on.

    So the rate limits the arrival of messages, however long each takes to send.
    """
    _change(connection, name, refilled_at=now)
    connection.execute(
        update(channels)
        .where(channels.c.name == name, channels.c.failures > 0)
        .values(failures=0, failing_since=None, open_until=None, error=None)
    )


def note_failure(
    connection: Connection,
    name: str,
    *,
    error: str,
    now: datetime,
    retry_after: float | None,
    most_failures: int,
    rest: timedelta,
) -> Failure:
    """Record a failure. The channel rests after `most_failures` in a row, and for its own `retry_after`."""
    row = _lock(connection, name, None, now)
    failures, since = row.failures + 1, row.failing_since or now
    rests = failures >= most_failures
    until = now + rest if rests else None
    if retry_after:
        asked = now + timedelta(seconds=retry_after)
        until = asked if until is None else max(until, asked)
    _change(connection, name, failures=failures, failing_since=since, open_until=until, error=error)
    return Failure(since=since, rests=rests)


def list_failing(connection: Connection) -> Sequence[Any]:
    """Return the channels whose last message failed."""
    failing = select(channels).where(channels.c.failing_since.is_not(None))
    return connection.execute(failing.order_by(channels.c.name)).all()


def any_resting(connection: Connection, *, now: datetime) -> bool:
    """Return whether any channel fails and rests now."""
    resting = select(channels.c.name).where(
        channels.c.failing_since.is_not(None), channels.c.open_until > now
    )
    return connection.execute(resting.limit(1)).first() is not None


def _lock(connection: Connection, name: str, per_minute: float | None, now: datetime) -> Any:
    first = {"name": name, "tokens": _capacity(per_minute), "refilled_at": now, "failures": 0}
    connection.execute(insert_new(connection, channels).values(**first))
    return connection.execute(
        select(channels).where(channels.c.name == name).with_for_update()
    ).one()


def _capacity(per_minute: float | None) -> float:
    return max(1.0, (per_minute or 0.0) / 60)


def _change(connection: Connection, name: str, **columns: Any) -> None:
    connection.execute(update(channels).where(channels.c.name == name).values(**columns))
