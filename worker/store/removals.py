"""Counts what left the library lately, from events: for the brake, in whichever process it runs.

Reads only. The events since an instant are at the end of their table, so they are found from there and
need no index. Called by `worker.ingest.holds`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, over, select
from sqlalchemy.sql.functions import FunctionElement

from worker.store.acknowledgements import RETIRE_APPROVED, RETIRE_ASKED
from worker.store.documents import LIVE, batched
from worker.store.documents import RETIRED as IS_RETIRED
from worker.store.events import RETIRED, REVIVED
from worker.store.schema import documents, events

_CONSENTS = (RETIRE_ASKED, RETIRE_APPROVED)


def find_removals(connection: Connection, since: datetime) -> tuple[int, frozenset[str]]:
    """Return how many documents retired, and the paths whose removal a person asked for.

    The number leaves out documents that are back, and those whose removal a person asked for or approved.
    The paths are those of live documents that have not changed since the person asked; an approval counts
    as long as its hold, so they are not among them.
    """
    e, d = events.c, documents.c
    before = select(e.id).where(e.at <= since).order_by(e.id.desc()).limit(1).scalar_subquery()

    def near(value: FunctionElement[Any]) -> ColumnElement[Any]:
        return over(value, partition_by=e.document_id, order_by=e.id)

    # For each event, the one before and the one after it in the life of the same document.
    step = (
        select(
            *(e.kind, e.path, e.number, e.document_id),
            near(func.lag(e.kind)).label("kind_before"),
            near(func.lag(e.number)).label("number_before"),
            near(func.lead(e.kind)).label("kind_after"),
        )
        .where(e.id > func.coalesce(before, 0), e.kind.in_((RETIRED, REVIVED, *_CONSENTS)))
        .subquery()
    ).c
    was_asked = and_(
        func.coalesce(step.kind_before, "").in_(_CONSENTS), step.number_before == step.number
    )
    retired = and_(step.kind == RETIRED, d.state == IS_RETIRED, was_asked.is_not(True))
    asked = and_(step.kind == RETIRE_ASKED, d.state == LIVE, d.number == step.number)
    rows = connection.execute(
        select(step.kind, step.path)
        .join(documents, d.id == step.document_id)
        .where(step.kind_after.is_(None), or_(retired, asked))
    ).all()
    paths = frozenset(row.path for row in rows if row.kind == RETIRE_ASKED)
    return sum(row.kind == RETIRED for row in rows), paths


def find_live(connection: Connection, paths: Collection[str]) -> frozenset[str]:
    """Return those of these paths at which a document is live."""
    d = documents.c
    return frozenset(
        path
        for some in batched(sorted(paths), 500)
        for path in connection.scalars(select(d.path).where(d.path.in_(some), d.state == LIVE))
    )
