"""The review calendar: cadences, due dates and states, from arguments alone.

Due dates add calendar months once from `lastReviewed`, clamped to the month's end: 31 January and
one month is 28 or 29 February. Dates are dates in the team's zone; whoever calls gives `today`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from worker.domain.route import matches_path


class ReviewState(StrEnum):
    """Where a live document stands on the review clock."""

    CURRENT = "current"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    EXEMPT = "exempt"
    UNKNOWN = "unknown"


#: The stages that are worth a notice, in the order in which a cycle passes them.
STAGES = (ReviewState.UPCOMING, ReviewState.DUE, ReviewState.OVERDUE)

#: The words of the library for a review frequency. None: reviewed when somebody asks, so never due.
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
    """How often a document is reviewed; `every` is None where it never falls due."""

    every: relativedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultFrequency:
    """The review frequency of documents that name none: of one source type, or of some paths."""

    frequency: str
    source_type: str | None = None
    paths: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def parse_cadence(text: str) -> Cadence | None:
    """Read `quarterly`, `6 months`, `90 days` or `P6M`; return None when it is no review frequency.

    An interval of nothing (`0 days`) is no frequency. Durations follow ISO 8601-1:2019, 5.5.2,
    without a time part.
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
    """Return the day on which the next review is due, or None where none ever is.

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
    """A document's review clock: a due date, or the reason why there is none."""

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

    Exempt: it is not active, or it is reviewed `as_needed`. Neither exempt nor due: its date or its
    frequency is missing or unusable, so its state is unknown, and it is listed as such.
    """
    named = frequency or _default_frequency(path, source_type, defaults)
    cadence = parse_cadence(named) if named else None
    if not active or (cadence is not None and cadence.every is None):
        return Clock(due_on=None, exempt=True)
    if cadence is None or last_reviewed is None:
        return Clock(due_on=None, exempt=False)
    return Clock(due_on=due_on(last_reviewed, cadence), exempt=False)


def _default_frequency(
    path: str, source_type: str | None, defaults: tuple[DefaultFrequency, ...]
) -> str | None:
    for default in defaults:
        if default.source_type is not None and default.source_type != source_type:
            continue
        if default.paths and not matches_path(path, default.paths):
            continue
        return default.frequency
    return None


def review_state(due: date | None, *, exempt: bool, today: date, upcoming_days: int) -> ReviewState:
    """Return a live document's state on a day: upcoming from `upcoming_days` before the due date."""
    if exempt:
        return ReviewState.EXEMPT
    if due is None:
        return ReviewState.UNKNOWN
    days_left = (due - today).days
    if days_left < 0:
        return ReviewState.OVERDUE
    if days_left == 0:
        return ReviewState.DUE
    return ReviewState.UPCOMING if days_left <= upcoming_days else ReviewState.CURRENT
