"""The judges by which files were judged, as they were introduced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from worker.store.documents import insert_new
from worker.store.paths import EXPECTED
from worker.store.schema import judges, paths


def introduce(
    connection: Connection, judge: str, parts: Mapping[str, Any], *, now: datetime
) -> None:
    """Record what a judge is, unless it is known."""
    connection.execute(
        insert_new(connection, judges), {"id": judge, "parts": dict(parts), "since": now}
    )


def find_parts(connection: Connection, judge: str) -> Mapping[str, Any] | None:
    """Return what a judge is, by its ID, or None if it was never introduced."""
    parts: Mapping[str, Any] | None = connection.scalar(
        select(judges.c.parts).where(judges.c.id == judge)
    )
    return parts


def find_others(connection: Connection, judge: str) -> list[Mapping[str, Any]]:
    """Return the parts of the other judges whose verdicts are in the ledger, that of most files first."""
    p, j = paths.c, judges.c
    number = func.count()
    others = select(p.judged_by, number.label("files")).where(EXPECTED, p.judged_by != judge)
    counted = others.group_by(p.judged_by).subquery()
    found = select(j.parts).join(counted, counted.c.judged_by == j.id)
    return list(connection.scalars(found.order_by(counted.c.files.desc(), j.id)))
