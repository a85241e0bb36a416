"""The lease of the leading watcher, and the watchers that stand by: rows among the heartbeats.

The leader renews its lease by incrementing a counter. No wall clock decides: a standby measures, by its
own monotonic clock, how long the counter has not changed. Every change is conditional on what was read,
so only one of two processes succeeds. Called by `worker.watch.lead` and the queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from worker.store.engine import insert_into
from worker.store.schema import heartbeats

LEAD = "lead:watcher"
#: The prefix of a heartbeat's name, before the host whose watcher stands by.
STAND_BY = "stand-by:"
STANDS_BY = "stands by"
STAND_BY_SILENT_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who leads, and since when. `holder` is a process's token, empty if the lease was handed back.

    `renewal` increases with each renewal and each holder. `observed` is the largest observation number
    that the holder may have used so far. `place` distinguishes machines and containers with the same
    name: process IDs compare only within one place. `since` is for people.
    """

    holder: str
    host: str
    pid: int
    place: str
    since: str
    renewal: int
    observed: int


def find_lease(connection: Connection) -> Lease | None:
    """Return the lease, or None if no process ever had one."""
    data = connection.scalar(select(heartbeats.c.data).where(heartbeats.c.name == LEAD))
    return None if data is None else _lease(data)


def leader(rows: Mapping[str, Any]) -> Lease | None:
    """Return the lease from all heartbeats, or None if no process holds it."""
    lease = None if LEAD not in rows else _lease(rows[LEAD].data)
    return lease if lease is not None and lease.holder else None


def standing_by(rows: Mapping[str, Any], *, now: datetime) -> Iterator[Any]:
    """Yield the heartbeats of the watchers that stand by, from all heartbeats."""
    for name, row in sorted(rows.items()):
        stands_by = name.startswith(STAND_BY) and row.data["state"] == STANDS_BY
        if stands_by and now - row.at < STAND_BY_SILENT_AFTER:
            yield row


def put_lease(connection: Connection, lease: Lease, *, before: int | None, now: datetime) -> bool:
    """Write a lease if its counter is still `before` (None: no lease exists); return whether it was."""
    row = {"at": now, "data": asdict(lease)}
    if before is None:
        first = (
            insert_into(connection.dialect, heartbeats)
            .values(name=LEAD, **row)
            .on_conflict_do_nothing()
        )
        made = connection.execute(first.returning(heartbeats.c.name))
        return made.scalar_one_or_none() is not None
    count = heartbeats.c.data["renewal"].as_integer()
    put_over = update(heartbeats).where(heartbeats.c.name == LEAD, count == before).values(**row)
    return connection.execute(put_over).rowcount == 1


def _lease(data: Mapping[str, Any]) -> Lease:
    return Lease(**{field.name: data[field.name] for field in fields(Lease)})
