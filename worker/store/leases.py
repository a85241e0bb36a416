"""Which watcher leads, and which stand by: rows among the heartbeats.

The lease is renewed by counting up. No clock decides: who waits for it looks whether the count stands
still, by a clock of its own that only measures durations. Every change is conditional on what was
read, so that of two processes one succeeds. Called by `worker.watch.lead` and the answers.
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
#: Before the name of a host whose watcher stands by.
STAND_BY = "stand-by:"
STANDS_BY = "stands by"
STAND_BY_SILENT_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who leads since when; `holder` is one process's own token, empty where it was handed back.

    `renewal` counts up with each renewal and each holder. `observed` is the largest number of an
    observation that the holder may have given by then. `place` tells apart machines and containers
    that have one name: process ids compare only within one place. `since` is for people.
    """

    holder: str
    host: str
    pid: int
    place: str
    since: str
    renewal: int
    observed: int


def find_lease(connection: Connection) -> Lease | None:
    """Return the lease, None where nobody ever had one."""
    data = connection.scalar(select(heartbeats.c.data).where(heartbeats.c.name == LEAD))
    return None if data is None else _lease(data)


def leader(rows: Mapping[str, Any]) -> Lease | None:
    """Return the lease out of all heartbeats, None where nobody holds it."""
    lease = None if LEAD not in rows else _lease(rows[LEAD].data)
    return lease if lease is not None and lease.holder else None


def standing_by(rows: Mapping[str, Any], *, now: datetime) -> Iterator[Any]:
    """Yield the heartbeats of the watchers that stand by, out of all heartbeats."""
    for name, row in sorted(rows.items()):
        stands_by = name.startswith(STAND_BY) and row.data["state"] == STANDS_BY
        if stands_by and now - row.at < STAND_BY_SILENT_AFTER:
            yield row


def put_lease(connection: Connection, lease: Lease, *, before: int | None, now: datetime) -> bool:
    """Write a lease where its count is still `before` (None: where there is none); tell whether."""
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
