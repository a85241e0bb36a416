"""The review calendar: cadences, due dates and states, from arguments alone.

A due date is `lastReviewed` plus calendar months, added once and clamped to the month's end: 31
January plus one month is 28 or 29 February. Dates are in the team's zone; the caller passes `today`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from worker.domain.reviews.route import matches_path

_ANY_DAY = date(2001, 1, 1)


class ReviewState(StrEnum):
    """The review state of a live document."""

    CURRENT = "current"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    SNOOZED = "snoozed"
    EXEMPT = "exempt"
    UNKNOWN = "unknown"


#: The states in which somebody should do the review, in the order of a cycle.
OPEN_STATES = (
    ReviewState.UPCOMING,
    ReviewState.DUE,
    ReviewState.OVERDUE,
    ReviewState.ESCALATED,
)

#: The library's words for a review frequency. None means reviewed on request, so never due.
CADENCE_WORDS: dict[str, relativedelta | None] = {
    "monthly": relativedelta(months=1),
    "quarterly": relativedelta(months=3),
    "semiannual": relativedelta(months=6),
    "annual": relativedelta(years=1),
    "biennial": relativedelta(years=2),
    "as_needed": None,
}

_COUNTED = re.compile(r"(\d{1,4})\s+(day|week|month|year)s?", re.IGNORECASE)
_ISO_8601 = re.compile(r"P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often a document is reviewed; `every` is None if it is never due."""

    every: relativedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultFrequency:
    """The review frequency of documents that name none, for one source type or for some paths."""

    frequency: str
    source_type: str | None = None
    paths: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def parse_cadence(text: str) -> Cadence | None:
    """Parse `quarterly`, `6 months`, `90 days` or `P6M`; return None if it is not a review frequency.

    An empty interval (`0 days`) is not a frequency. Durations follow ISO 8601-1:2019, 5.5.2, without a
    time part.
    """
    word = text.strip()
    if word.lower() in CADENCE_WORDS:
        return Cadence(every=CADENCE_WORDS[word.lower()])
    if counted := _COUNTED.fullmatch(word):
        every = relativedelta(**{f"{counted[2].lower()}s": int(counted[1])})  # type: ignore[arg-type]
    elif iso := _ISO_8601.fullmatch(word):
        years, months, weeks, days = (int(number or 0) for number in iso.groups())
        every = relativedelta(years=years, months=months, weeks=weeks, days=days)
    else:
        return None
    return Cadence(every=every) if every else None


def due_on(last_reviewed: date, cadence: Cadence) -> date | None:
    """Return the day on which the next review is due, or None if it is never due.

    A due date past the end of the calendar (year 9999) counts as never.
    """
    if cadence.every is None:
        return None
    try:
        return last_reviewed + cadence.every
    except (OverflowError, ValueError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A document's review clock: a due date, or whether the document is exempt."""

    due_on: date | None
    exempt: bool


def set_clock(
    *,
    path: str,
    active: bool,
    source_type: str | None,
    last_reviewed: date | None,
    frequency: str | None,
    defaults: tuple[DefaultFrequency, ...] = (),
) -> Clock:
    """Return the review clock of a document.

    A document is exempt if it is not active or is reviewed `as_needed`. If its date or its frequency is
    missing or unusable, it is neither exempt nor due: its state is unknown, and it is listed as such.
    """
    named = frequency or default_frequency(path, source_type, defaults)
    cadence = parse_cadence(named) if named else None
    if not active or (cadence is not None and cadence.every is None):
        return Clock(due_on=None, exempt=True)
    if cadence is None or named is None or last_reviewed is None:
        return Clock(due_on=None, exempt=False)
    return _clock_from(last_reviewed, named)


@lru_cache(maxsize=1024)
def _clock_from(last_reviewed: date, named: str) -> Clock:
    """Return the clock of a review, cached: a library has few review dates and fewer frequencies."""
    cadence = parse_cadence(named)
    return Clock(due_on=due_on(last_reviewed, cadence) if cadence else None, exempt=False)


def default_frequency(
    path: str, source_type: str | None, defaults: tuple[DefaultFrequency, ...]
) -> str | None:
    """Return the review frequency of a document that names none: the first default that matches."""
    for default in defaults:
        if default.source_type is not None and default.source_type != source_type:
            continue
        if default.paths and not matches_path(path, default.paths):
            continue
        return default.frequency
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """When a review owes notices, in days from its due date: before it, and how often after it.

    `lead_days` are in descending order, such as (30, 7). `backup_days` and `lead_escalation_days` are
    None if nobody steps in, so that nothing is escalated.
    """

    lead_days: tuple[int, ...]
    repeat_days: int
    backup_days: int | None = None
    lead_escalation_days: int | None = None

    def escalates(self, days_over: int) -> bool:
        """Return whether others also get notices of a review that is `days_over` days overdue."""
        steps = (self.backup_days, self.lead_escalation_days)
        return any(step is not None and days_over >= step for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """How many days ahead reviews are announced: one entry for each review frequency, shortest first."""

    by_length: tuple[tuple[int, tuple[int, ...]], ...]

    @classmethod
    def of(cls, lead_days: Mapping[str, Iterable[int]]) -> Leads:
        """Return the entries of the settings, such as `{"quarterly": (14, 3)}`, sorted by frequency."""
        entries = {
            length: tuple(sorted(set(days), reverse=True))
            for word, days in lead_days.items()
            if (length := _length_days(word)) is not None
        }
        return cls(by_length=tuple(sorted(entries.items())))

    def for_frequency(self, frequency: str | None) -> tuple[int, ...]:
        """Return the entry of the longest frequency not longer than this one, or else of the shortest."""
        return _leads_for(self.by_length, frequency)

    @property
    def longest(self) -> int:
        """Return how many days ahead the earliest announcement is."""
        return max((days for _, leads in self.by_length for days in leads), default=0)


@lru_cache(maxsize=1024)
def _leads_for(
    by_length: tuple[tuple[int, tuple[int, ...]], ...], frequency: str | None
) -> tuple[int, ...]:
    length = (frequency and _length_days(frequency)) or 0
    chosen = by_length[0][1]
    for shortest, leads in by_length:
        if shortest <= length:
            chosen = leads
    return chosen


def _length_days(frequency: str) -> int | None:
    cadence = parse_cadence(frequency)
    due = due_on(_ANY_DAY, cadence) if cadence is not None else None
    return (due - _ANY_DAY).days if due is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """People's answers in this cycle of a review; dates are in the team's zone.

    Until `snoozed_until` no notice is owed; until `acknowledged_until` none is repeated. From
    `planned_on`, a day before the due date, the review counts as upcoming.
    """

    snoozed_until: date | None = None
    snoozes: int = 0
    acknowledged_until: date | None = None
    planned_on: date | None = None


NONE_GIVEN = Acknowledgement()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """The columns of a live document that the review calendar needs."""

    document_id: int
    path: str
    title: str
    source_type: str | None
    owner: str | None
    tags: tuple[str, ...]
    last_reviewed: date | None
    review_frequency: str | None
    risk_category: str | None
    number: int
    due_on: date | None
    exempt: bool
    given: Acknowledgement

    @property
    def clock(self) -> Clock:
        """Return the document's review clock."""
        return Clock(due_on=self.due_on, exempt=self.exempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewGroup:
    """Live documents that have the same state on any day; `path` is set only where it matters."""

    count: int
    path: str
    source_type: str | None
    review_frequency: str | None
    due_on: date | None
    exempt: bool
    given: Acknowledgement

    @property
    def clock(self) -> Clock:
        """Return the review clock of each of them."""
        return Clock(due_on=self.due_on, exempt=self.exempt)


def review_state(
    clock: Clock, *, today: date, ladder: Ladder, given: Acknowledgement = NONE_GIVEN
) -> ReviewState:
    """Return a live document's state on a day.

    A snooze does not move the due date: it only suspends notices until it ends.
    """
    if clock.exempt:
        return ReviewState.EXEMPT
    if clock.due_on is None:
        return ReviewState.UNKNOWN
    state = _open_state(clock.due_on, today, ladder, given)
    snoozed = given.snoozed_until is not None and today < given.snoozed_until
    return ReviewState.SNOOZED if snoozed and state is not ReviewState.CURRENT else state


def _open_state(due: date, today: date, ladder: Ladder, given: Acknowledgement) -> ReviewState:
    days_over = (today - due).days
    if days_over > 0:
        escalated = ladder.escalates(days_over)
        return ReviewState.ESCALATED if escalated else ReviewState.OVERDUE
    if days_over == 0:
        return ReviewState.DUE
    planned = given.planned_on is not None and given.planned_on <= today
    announced = -days_over <= max(ladder.lead_days, default=0)
    return ReviewState.UPCOMING if planned or announced else ReviewState.CURRENT
