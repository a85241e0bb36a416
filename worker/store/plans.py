"""Planned reviews: days on which people plan to review, before a review is due.

A plan is one of the answers in `acknowledgements`, and like them it is valid only while the document has
the due date that it was made for. Every function takes a connection and commits nothing. Called by
`worker.library.review_plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from worker.store.documents import LIVE, add_events, batched, event_row
from worker.store.paths import RESIDENT, lock_rows
from worker.store.schema import acknowledgements, documents
from worker.store.schema import paths as ledger

PLANNED = "review.planned"
PATHS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Plannable:
    """What a plan needs of a document; `planned_on` is the planned day for the present due date.

    `answered_for` is the due date of the cycle of the last answer.
    """

    document_id: int
    path: str
    number: int
    live: bool
    due_on: date | None
    planned_on: date | None
    answered_for: date | None


def lock_plannable(connection: Connection, paths: Sequence[str]) -> dict[str, Plannable]:
    """Return the documents of these paths; their ledger rows are locked until the transaction ends."""
    d, a, p = documents.c, acknowledgements.c, ledger.c
    found: dict[str, Plannable] = {}
    for some in batched(sorted(set(paths)), PATHS_AT_ONCE):
        lock_rows(connection, some)
        rows = connection.execute(
            select(
                *(d.id, d.path, d.number, d.state, d.due_on),
                *(a.planned_on, a.due_on.label("answered_for")),
            )
            .join(ledger, RESIDENT)
            .outerjoin(acknowledgements, a.document_id == d.id)
            .where(p.path.in_(some))
            .order_by(p.path)
        )
        for row in rows:
            found[row.path] = Plannable(
                document_id=row.id,
                path=row.path,
                number=row.number,
                live=row.state == LIVE,
                due_on=row.due_on,
                planned_on=row.planned_on if row.answered_for == row.due_on else None,
                answered_for=row.answered_for,
            )
    return found


def plan_reviews(
    connection: Connection,
    plans: Sequence[tuple[Plannable, date | None]],
    *,
    by: str,
    now: datetime,
) -> None:
    """Set, or with None remove, the planned day of locked documents, with an event each.

    Take `Store.lock_events` first. Other answers of this cycle stay; those of an earlier cycle are deleted.
    """
    known, new, old = [], [], []
    for document, planned_on in plans:
        row: dict[str, Any] = {"planned_on": planned_on, "by": by, "at": now}
        if document.answered_for == document.due_on:
            known.append(row | {"of_document": document.document_id})
            continue
        if document.answered_for is not None:
            old.append({"of_document": document.document_id})
        new.append(
            row | {"document_id": document.document_id, "due_on": document.due_on, "snoozes": 0}
        )
    of_document = acknowledgements.c.document_id == bindparam("of_document")
    if known:
        connection.execute(update(acknowledgements).where(of_document), known)
    if old:
        connection.execute(delete(acknowledgements).where(of_document), old)
    if new:
        connection.execute(insert(acknowledgements), new)
    add_events(
        connection,
        [
            event_row(
                now,
                PLANNED,
                document.path,
                document_id=document.document_id,
                number=document.number,
                by=by,
                planned_on=planned_on.isoformat() if planned_on is not None else None,
            )
            for document, planned_on in plans
        ],
    )
