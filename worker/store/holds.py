"""Holds: missing documents and refused files that wait for a person, because they are too many.

At most one hold of a kind is open. Commits nothing; a caller that writes takes `Store.lock_events` first.
Called by `worker.ingest.holds` and `worker.run.verify_folder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from worker.store.schema import holds

REMOVALS, REFUSALS = "removals", "refusals"
OPEN, APPROVED, ENDED = "held", "approved", "ended"


def list_standing(connection: Connection, kind: str) -> Sequence[Any]:
    """Return the holds of a kind that have not ended, oldest first: approved ones, and one open one."""
    standing = select(holds).where(holds.c.kind == kind, holds.c.state != ENDED)
    return connection.execute(standing.order_by(holds.c.id)).all()


def list_unanswered(connection: Connection) -> Sequence[Any]:
    """Return the holds that nobody has approved, at most one of each kind."""
    unanswered = select(holds).where(holds.c.state == OPEN)
    return connection.execute(unanswered.order_by(holds.c.id)).all()


def begin_hold(
    connection: Connection, kind: str, *, live: int, now: datetime, removals: Sequence[str] = ()
) -> int:
    """Add a hold, with the number of `live` documents; return its ID."""
    made = connection.execute(
        insert(holds)
        .values(kind=kind, at=now, removals=list(removals), live=live, state=OPEN)
        .returning(holds.c.id)
    )
    return int(made.scalar_one())


def update_hold(connection: Connection, hold_id: int, **columns: Any) -> None:
    """Change an open hold: its removals, or its state."""
    connection.execute(update(holds).where(holds.c.id == hold_id).values(**columns))
