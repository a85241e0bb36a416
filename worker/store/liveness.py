"""Who lives: the heartbeats of the parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from worker.store.engine import insert_into
from worker.store.schema import heartbeats


def beat(connection: Connection, name: str, data: dict[str, Any], *, now: datetime) -> None:
    """Note that a part lives."""
    row = {"at": now, "data": data}
    connection.execute(
        insert_into(connection.dialect, heartbeats)
        .values(name=name, **row)
        .on_conflict_do_update(index_elements=["name"], set_=row)
    )


def forget_silent(connection: Connection, *, since: datetime) -> None:
    """Forget parts that were not heard since an instant: containers come and go under new names."""
    connection.execute(delete(heartbeats).where(heartbeats.c.at < since))


def find_heartbeats(connection: Connection) -> dict[str, Any]:
    """Return the last heartbeat of every part, by name."""
    return {row.name: row for row in connection.execute(select(heartbeats))}
