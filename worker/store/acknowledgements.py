"""People's answers to a pending review: one row per document, valid for one review cycle.

A row with another due date than its document belongs to a finished review. Every function takes a
connection and commits nothing. Called by `worker.reviews.snooze_and_ack` and `worker.library.write_back`;
`worker.store.plans` writes plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from worker.domain.reviews.review import NONE_GIVEN, Acknowledgement
from worker.store.library import acknowledgement
from worker.store.schema import acknowledgements

SNOOZED, ACKNOWLEDGED = "review.snoozed", "review.acknowledged"
RECORDED, ASSIGNED, RETIRE_ASKED = "review.recorded", "review.assigned", "document.retire_asked"
RETIRE_APPROVED = "document.retire_approved"


def answers_given(connection: Connection, document_id: int, due_on: date) -> Acknowledgement:
    """Return the answers given in the cycle of this due date."""
    a = acknowledgements.c
    row = connection.execute(
        select(acknowledgements).where(a.document_id == document_id, a.due_on == due_on)
    ).one_or_none()
    return NONE_GIVEN if row is None else acknowledgement(row)


def write_answers(
    connection: Connection,
    document_id: int,
    due_on: date,
    given: Acknowledgement,
    *,
    by: str,
    now: datetime,
) -> None:
    """Replace a document's answers; the caller has locked the document."""
    values: Mapping[str, Any] = {
        "due_on": due_on,
        "snoozed_until": given.snoozed_until,
        "snoozes": given.snoozes,
        "acknowledged_until": given.acknowledged_until,
        "planned_on": given.planned_on,
        "by": by,
        "at": now,
    }
    same = acknowledgements.c.document_id == document_id
    if not connection.execute(update(acknowledgements).where(same).values(values)).rowcount:
        connection.execute(insert(acknowledgements).values(document_id=document_id, **values))
