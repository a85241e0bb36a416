"""The rungs of a review: the notices owed on a day, from its due date, its ladder and people's answers.

Each rung is reached once a cycle. A new `lastReviewed` moves the due date and begins the next cycle.
Rungs missed while the service did not run are not made up for: only the nearest announcement is owed,
or one notice for all the days overdue. Called by `worker.domain.reviews.notice`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from worker.domain.reviews.review import Acknowledgement, Clock, Ladder, ReviewState, review_state

DUE, OVERDUE, PLANNED, BACKUP, LEAD = "due", "overdue", "planned", "backup", "lead"
AHEAD, REPEAT = "ahead-", "overdue+"


class Audience(StrEnum):
    """Who gets the notice of a rung: the owner of the document, or those who step in."""

    OWNER = "owner"
    BACKUP = "backup"
    LEAD = "lead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of a cycle; `stage` is its name, unique in the cycle."""

    stage: str
    audience: Audience = Audience.OWNER


def state_of_rung(rung: str) -> str:
    """Return the state of a review that a rung announces, such as `upcoming` for `ahead-7`."""
    if rung.startswith(AHEAD) or rung == PLANNED:
        return ReviewState.UPCOMING
    if rung in {BACKUP, LEAD}:
        return ReviewState.ESCALATED
    return ReviewState.OVERDUE if rung.startswith(OVERDUE) else rung.partition("-")[0]


def rungs(
    clock: Clock,
    *,
    today: date,
    ladder: Ladder,
    given: Acknowledgement,
    notified_on: date | None,
) -> Iterator[Rung]:
    """Yield the rungs reached by a day, with those of earlier days; their names distinguish them.

    `notified_on` is the day of the owner's last notice in this cycle that the review is overdue.
    """
    state = review_state(clock, today=today, ladder=ladder, given=given)
    due = clock.due_on
    if due is None or state in {ReviewState.EXEMPT, ReviewState.SNOOZED, ReviewState.CURRENT}:
        return
    days_over = (today - due).days
    if days_over < 0:
        if given.planned_on is not None and given.planned_on <= today:
            yield Rung(stage=PLANNED)
        reached = [days for days in ladder.lead_days if -days_over <= days]
        if reached:
            yield Rung(stage=f"{AHEAD}{min(reached)}")
    elif days_over == 0:
        yield Rung(stage=DUE)
    else:
        if notified_on is None:
            yield Rung(stage=OVERDUE)
        elif (again := _repeats_on(notified_on, ladder, given)) <= today:
            # Named by the day on which it is owed, so that two sweeps at once owe the same notice.
            yield Rung(stage=f"{REPEAT}{(again - due).days}")
        if ladder.backup_days is not None and days_over >= ladder.backup_days:
            yield Rung(stage=BACKUP, audience=Audience.BACKUP)
        if ladder.lead_escalation_days is not None and days_over >= ladder.lead_escalation_days:
            yield Rung(stage=LEAD, audience=Audience.LEAD)


def _repeats_on(notified_on: date, ladder: Ladder, given: Acknowledgement) -> date:
    """Return the day of the next overdue notice: the end of a snooze, or `repeat_days` after the last."""
    if given.snoozed_until is not None and given.snoozed_until > notified_on:
        return given.snoozed_until
    again = notified_on + timedelta(days=ladder.repeat_days)
    return max(again, given.acknowledged_until or again)
