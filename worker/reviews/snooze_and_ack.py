"""Answers to a reminder that change no file: `snooze`, and `ack`, which says that somebody is on it.

They delay messages and never the truth: the due date stays, and only `lastReviewed` begins the next
cycle, in which none of these answers counts. Called by `worker.cli.answering`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from worker.domain.reviews.review import Acknowledgement
from worker.errors import ContentSyncError
from worker.settings.model import Settings
from worker.store import acknowledgements as table
from worker.store.documents import LIVE, add_events, event_row
from worker.store.engine import Connection, Store

Answered = Callable[[Acknowledgement, date], Acknowledgement]


class NotAnsweredError(ContentSyncError):
    """An answer that cannot be taken: there is no review to answer, or it asks for too much."""


def snooze(
    store: Store,
    path: str,
    *,
    until: date,
    reason: str,
    by: str,
    settings: Settings,
    now: datetime,
    today: date,
) -> dict[str, Any] | None:
    """Delay the reminders of a review until a day; None where there is no such document. Commits once.

    `now` is aware, `until` and `today` are dates in the team's zone. Raises `NotAnsweredError` where
    the document has no due date, and for what is longer or more often than the settings allow.
    """
    limits = settings.review
    reason = " ".join(reason.split())
    if not reason:
        raise NotAnsweredError("a snooze needs a reason: say --reason TEXT")
    longest = today + timedelta(days=limits.max_snooze_days)
    if not today < until <= longest:
        raise NotAnsweredError(
            f"until {until} is no snooze: it ends after today ({today}) and at the latest on "
            f"{longest} (review.max_snooze_days = {limits.max_snooze_days})"
        )

    def answered(given: Acknowledgement, due_on: date) -> Acknowledgement:
        if given.snoozes >= limits.max_snoozes:
            raise NotAnsweredError(
                f"the review of {path}, due on {due_on}, was snoozed {_times(given.snoozes)}, and "
                f"review.max_snoozes = {limits.max_snoozes}: review it, or assign it to somebody"
            )
        return replace(given, snoozed_until=until, snoozes=given.snoozes + 1)

    answer = _answer(
        store,
        path,
        answered,
        kind=table.SNOOZED,
        data={"by": by, "until": until.isoformat(), "reason": reason},
        now=now,
    )
    if answer is None:
        return None
    left = max(0, limits.max_snoozes - answer["snoozes"])
    return answer | {"snoozes_left": left, "reason": reason}


def acknowledge(
    store: Store, path: str, *, until: date, by: str, now: datetime, today: date
) -> dict[str, Any] | None:
    """Say that somebody is on it: an overdue review is not told again until a day. Commits once.

    `now` is aware, `until` and `today` are dates in the team's zone. None where there is no such
    document; raises `NotAnsweredError` where it has no due date.
    """
    if until <= today:
        raise NotAnsweredError(f"until {until} is over already: today is {today}")
    return _answer(
        store,
        path,
        lambda given, _due_on: replace(given, acknowledged_until=until),
        kind=table.ACKNOWLEDGED,
        data={"by": by, "until": until.isoformat()},
        now=now,
    )


def _answer(
    store: Store,
    path: str,
    answered: Answered,
    *,
    kind: str,
    data: dict[str, str],
    now: datetime,
) -> dict[str, Any] | None:
    """Change what was answered in this cycle, with its event; return all that is answered now."""

    def work(connection: Connection) -> dict[str, Any] | None:
        document = table.lock_document(connection, path)
        if document is None:
            return None
        due_on = _due_on(document)
        given = answered(table.answers_given(connection, document.id, due_on), due_on)
        table.write_answers(connection, document.id, due_on, given, by=data["by"], now=now)
        event = event_row(now, kind, path, document_id=document.id, number=document.number, **data)
        store.lock_events(connection)
        add_events(connection, [event])
        return {
            "path": path,
            "number": document.number,
            "due_on": due_on.isoformat(),
            "snoozed_until": _iso(given.snoozed_until),
            "snoozes": given.snoozes,
            "acknowledged_until": _iso(given.acknowledged_until),
            "planned_on": _iso(given.planned_on),
            "by": data["by"],
        }

    return store.transact(work)


def _due_on(document: Any) -> date:
    """Return the due date of the review that is answered, or say why there is none."""
    if document.state != LIVE:
        raise NotAnsweredError(f"{document.path} is retired: no review of it is due")
    if document.exempt:
        raise NotAnsweredError(
            f"{document.path} has no due date: it is not active, or is reviewed as needed"
        )
    if document.due_on is None:
        raise NotAnsweredError(
            f"{document.path} has no due date: its front matter names no day of its last review, "
            "or no review frequency"
        )
    due_on: date = document.due_on
    return due_on


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
