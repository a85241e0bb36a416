"""The rungs of a review: which messages its due date, its ladder and people's answers owe on a day.

Each rung is climbed once a cycle, and a new `lastReviewed`, which moves the due date, begins the next
cycle. What was missed while nothing ran is not made up for: only the nearest announcement is owed,
and one message for all the days overdue. Called by `worker.domain.reviews.notice`.
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
    """Who is told of a rung: whoever answers for the document, or those who step in."""

    OWNER = "owner"
    BACKUP = "backup"
    LEAD = "lead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One message of a cycle: `stage` is its name, unique in the cycle."""

    stage: str
    audience: Audience = Audience.OWNER


def state_told(rung: str) -> str:
    """Return the state of a review that a rung tells: `upcoming` for `ahead-7`, and so on."""
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
    told_on: date | None,
) -> Iterator[Rung]:
    """Yield the rungs that are reached on a day, climbed before or not: their names tell.

    `told_on` is the day on which the owner was last told that it is overdue, in this cycle.
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
        if told_on is None:
            yield Rung(stage=OVERDUE)
        elif (again := _told_again_on(told_on, ladder, given)) <= today:
            # Named by the day that it was owed on, so that two sweeps at once owe the same.
            yield Rung(stage=f"{REPEAT}{(again - due).days}")
        if ladder.backup_days is not None and days_over >= ladder.backup_days:
            yield Rung(stage=BACKUP, audience=Audience.BACKUP)
        if ladder.lead_escalation_days is not None and days_over >= ladder.lead_escalation_days:
            yield Rung(stage=LEAD, audience=Audience.LEAD)


def _told_again_on(told_on: date, ladder: Ladder, given: Acknowledgement) -> date:
    """Return when an overdue review is told again: after a snooze at once, else after the repeat."""
    if given.snoozed_until is not None and given.snoozed_until > told_on:
        return given.snoozed_until
    again = told_on + timedelta(days=ladder.repeat_days)
    return max(again, given.acknowledged_until or again)
