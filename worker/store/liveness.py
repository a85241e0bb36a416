"""Who lives, and what is held: heartbeats of the parts, and mass disappearances that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.schema import heartbeats, holds

HOLD_OPEN, HOLD_APPROVED, HOLD_ENDED = "held", "approved", "ended"


def beat(connection: Connection, name: str, data: dict[str, Any], *, now: datetime) -> None:
    """Note that a part lives."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"at": now, "data": data}
    connection.execute(
        dialect.insert(heartbeats)
        .values(name=name, **row)
        .on_conflict_do_update(index_elements=["name"], set_=row)
    )


def forget_silent(connection: Connection, *, since: datetime) -> None:
    """Forget parts that were not heard since an instant: containers come and go under new names."""
    connection.execute(delete(heartbeats).where(heartbeats.c.at < since))


def find_heartbeats(connection: Connection) -> dict[str, Any]:
    """Return the last heartbeat of every part, by name."""
    return {row.name: row for row in connection.execute(select(heartbeats))}


def open_hold(connection: Connection) -> Any | None:
    """Return the mass disappearance that is held or approved now."""
    return connection.execute(
        select(holds).where(holds.c.state != HOLD_ENDED).order_by(holds.c.id).limit(1)
    ).one_or_none()


def begin_hold(connection: Connection, removals: Sequence[str], live: int, *, now: datetime) -> int:
    """Hold a mass disappearance; returns the hold's id."""
    made = connection.execute(
        insert(holds)
        .values(at=now, removals=list(removals), live=live, state=HOLD_OPEN)
        .returning(holds.c.id)
    )
    return int(made.scalar_one())


def update_hold(connection: Connection, hold_id: int, **columns: Any) -> None:
    """Change an open hold: its removals, or its state."""
    connection.execute(update(holds).where(holds.c.id == hold_id).values(**columns))
