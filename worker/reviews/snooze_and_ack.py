"""People's answers that change no file: `snooze`, and `ack`, which says that somebody works on the review.

Both delay messages and leave the due date as it is. Only a new `lastReviewed` begins the next cycle, in which
these answers no longer count. Called by `worker.cli.answering`.
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
from worker.store.paths import lock_document

Answered = Callable[[Acknowledgement, date], Acknowledgement]


class NotAnsweredError(ContentSyncError):
    """An answer that is not possible: no review is due, or the answer exceeds a limit of the settings."""


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
    """Delay the messages about a review until a day; return None if there is no such document.

    `now` is aware, `until` and `today` are dates in the team's zone. Raises `NotAnsweredError` if the
    document has no due date, or if the settings do not allow a snooze this long or this often. Commits once.
    """
    limits = settings.review
    reason = " ".join(reason.split())
    if not reason:
        raise NotAnsweredError("a snooze needs a reason: add --reason TEXT")
    longest = today + timedelta(days=limits.max_snooze_days)
    if not today < until <= longest:
        raise NotAnsweredError(
            f"cannot snooze until {until}: choose a day after today ({today}) and not after "
            f"{longest} (review.max_snooze_days = {limits.max_snooze_days})"
        )

    def answered(given: Acknowledgement, due_on: date) -> Acknowledgement:
        if given.snoozes >= limits.max_snoozes:
            raise NotAnsweredError(
                f"the review of {path}, due on {due_on}, was already snoozed {_times(given.snoozes)} "
                f"(review.max_snoozes = {limits.max_snoozes}): review it, or assign it to somebody"
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
    """Record that somebody works on an overdue review: no messages about it until a day. Commits once.

    `now` is aware, `until` and `today` are dates in the team's zone. Returns None if there is no such
    document; raises `NotAnsweredError` if it has no due date.
    """
    if until <= today:
        raise NotAnsweredError(f"{until} is not after today ({today})")
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
    """Change the answers of this cycle and add an event; return the answers as they are now."""

    def work(connection: Connection) -> dict[str, Any] | None:
        document = lock_document(connection, path)
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
    """Return the due date of the review; raise `NotAnsweredError` with the reason if there is none."""
    if document.state != LIVE:
        raise NotAnsweredError(f"{document.path} is retired, so no review is due")
    if document.exempt:
        raise NotAnsweredError(
            f"{document.path} has no due date: it is not active, or is reviewed as needed"
        )
    if document.due_on is None:
        raise NotAnsweredError(
            f"{document.path} has no due date: its front matter lacks a usable last review date "
            "or review frequency"
        )
    due_on: date = document.due_on
    return due_on


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
