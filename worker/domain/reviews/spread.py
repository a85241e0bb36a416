"""Forecast the reviews of each week, and plan some of them in earlier weeks to even out the load.

Weeks are ISO weeks, Monday to Sunday, named by their Monday. A plan proposes days for early reviews;
it never moves a due date. Dates are in the team's zone; the caller passes `today`. Called by
`worker.library.review_plan`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_WEEK = timedelta(weeks=1)
_WORKING_DAYS = 5
#: Risk categories in the order of review; a document without one can wait longest.
_RISKS = {"A": 0, "B": 1, "C": 2}
NO_RISK = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The next review of one document; `planned_on` if somebody plans to do it before it is due."""

    path: str
    due_on: date
    last_reviewed: date | None = None
    risk: str | None = None
    planned_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week: the reviews due, the reviews planned, and the load by risk."""

    monday: date
    due: int
    planned: int
    load: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return the number of reviews to do in the week, each on its planned day or else its due day."""
        return sum(self.load.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The reviews of a library by week; `pace` is how many a week its frequencies require."""

    overdue: int
    weeks: tuple[Week, ...]
    later: int
    pace: float

    @property
    def mean(self) -> float:
        """Return the mean number of reviews a week in the forecast, without overdue reviews."""
        return sum(week.total for week in self.weeks) / len(self.weeks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A proposal: which documents to review earlier, and on which day.

    The reviews in `first` are overdue or due before the next working day. They take the first places
    and get no planned day. Those in `stays` are done in the week in which they are due. Those in
    `unfit` have no place and keep their due date. With `needed` reviews a week, every review has a
    place.
    """

    planned: Mapping[str, date]
    first: tuple[Review, ...]
    stays: tuple[Review, ...]
    unfit: tuple[Review, ...]
    per_week: int
    needed: int


def monday_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def next_working_day(day: date) -> date:
    """Return the day itself if it is Monday to Friday, or else the next Monday."""
    return day if day.weekday() < _WORKING_DAYS else monday_of(day) + _WEEK


def forecast(reviews: Iterable[Review], *, today: date, weeks: int) -> Forecast:
    """Return the load of `weeks` weeks, beginning with the week of `today`.

    A review counts in the week of its planned day, or else of its due date. A planned day in the past
    counts as today. Overdue reviews are counted separately, planned or not.
    """
    everything = list(reviews)
    first = monday_of(today)
    due: Counter[int] = Counter()
    planned: Counter[int] = Counter()
    loads: dict[int, Counter[str]] = {}
    for review in everything:
        if review.due_on < today:
            continue
        due[_weeks_between(first, review.due_on)] += 1
        day = max(today, review.planned_on or review.due_on)
        week = _weeks_between(first, day)
        planned[week] += review.planned_on is not None
        loads.setdefault(week, Counter())[risk_of(review)] += 1
    return Forecast(
        overdue=sum(review.due_on < today for review in everything),
        weeks=tuple(
            Week(
                monday=first + week * _WEEK,
                due=due[week],
                planned=planned[week],
                load=loads.get(week, {}),
            )
            for week in range(weeks)
        ),
        later=sum(load.total() for week, load in loads.items() if week >= weeks),
        pace=sum(_a_week(review) for review in everything),
    )


def spread(reviews: Iterable[Review], *, today: date, per_week: int | None = None) -> Spread:
    """Propose earlier reviews, so that no week has more than `per_week` reviews if possible.

    Without `per_week`, use the smallest number with which every review has a place. Reviews stay as
    late as possible: weeks are filled from the last to the first, and the least risky, most recently
    reviewed documents keep their dates. If there are too many reviews, as many as possible get a place,
    the riskiest and longest unreviewed first. Planned days are working days, spread evenly over the
    week; none is before `today` or after the due date. Existing plans are ignored.
    """
    start = next_working_day(today)
    everything = sorted(reviews, key=_urgency)
    first = tuple(review for review in everything if review.due_on < start)
    coming = [review for review in everything if review.due_on >= start]
    needed = _needed(coming, start, len(first))
    places = _Places(per_week=needed if per_week is None else per_week, taken=len(first))
    kept, unfit = _fit(coming, start, places)
    weeks = _fill(kept, start, places)
    planned: dict[str, date] = {}
    stays = []
    for week, placed in weeks.items():
        earlier = [review for review in placed if _weeks_between(start, review.due_on) > week]
        stays += [review for review in placed if _weeks_between(start, review.due_on) == week]
        days = _working_days(start, week)
        for place, review in enumerate(earlier):
            planned[review.path] = days[place * len(days) // len(earlier)]
    return Spread(
        planned=planned,
        first=first,
        stays=tuple(stays),
        unfit=unfit,
        per_week=places.per_week,
        needed=needed,
    )


def risk_of(review: Review) -> str:
    """Return a review's risk category, or `none` if it is not a known one."""
    return review.risk if review.risk in _RISKS else NO_RISK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """The places of each week; overdue reviews have taken the first ones."""

    per_week: int
    taken: int

    def until(self, week: int) -> int:
        """Return the number of free places up to and including a week, counted from 0."""
        return max(0, self.per_week * (week + 1) - self.taken)

    def of(self, week: int) -> int:
        return self.until(week) - self.until(week - 1)


def _fit(
    coming: Sequence[Review], start: date, places: _Places
) -> tuple[list[tuple[int, Review]], tuple[Review, ...]]:
    """Split the reviews, sorted by urgency, into those that have a place in time and those that do not.

    This is the exchange rule of deadline scheduling: if more reviews are due by a week than there are
    places, drop the least urgent so far. It keeps as many reviews as possible.
    """
    kept: list[tuple[int, Review]] = []
    unfit = []
    for rank, review in sorted(enumerate(coming), key=lambda one: one[1].due_on):
        heapq.heappush(kept, (-rank, review))
        if len(kept) > places.until(_weeks_between(start, review.due_on)):
            unfit.append(heapq.heappop(kept))
    return kept, tuple(review for _, review in sorted(unfit, key=lambda one: -one[0]))


def _fill(
    kept: Sequence[tuple[int, Review]], start: date, places: _Places
) -> dict[int, list[Review]]:
    """Assign each review a week, from the last week to the first; in a week, the most urgent is first."""
    waiting = sorted(kept, key=lambda one: one[1].due_on)
    pool: list[tuple[int, Review]] = []
    weeks: dict[int, list[Review]] = {}
    week = 0
    while waiting or pool:
        newest = _weeks_between(start, waiting[-1][1].due_on) if waiting else -1
        week = week - 1 if pool else newest
        while waiting and _weeks_between(start, waiting[-1][1].due_on) >= week:
            heapq.heappush(pool, waiting.pop())
        placed = [heapq.heappop(pool) for _ in range(min(places.of(week), len(pool)))]
        weeks[week] = [review for _, review in reversed(placed)]
    return weeks


def _needed(coming: Sequence[Review], start: date, taken: int) -> int:
    """Return how many places a week needs so that every review has one, at least 1."""
    due = Counter(_weeks_between(start, review.due_on) for review in coming)
    needed, until = 1, taken
    for week in sorted(due):
        until += due[week]
        needed = max(needed, -(-until // (week + 1)))
    return needed


def _working_days(start: date, week: int) -> list[date]:
    monday = monday_of(start) + week * _WEEK
    days = (monday + timedelta(days=number) for number in range(_WORKING_DAYS))
    return [day for day in days if day >= start]


def _urgency(review: Review) -> tuple[int, date, date, str]:
    rank = _RISKS.get(review.risk or "", len(_RISKS))
    return (rank, review.last_reviewed or date.min, review.due_on, review.path)


def _a_week(review: Review) -> float:
    """Return how many reviews a week a document requires, from the time between its last and its next."""
    if review.last_reviewed is None or review.due_on <= review.last_reviewed:
        return 0.0
    return _WEEK / (review.due_on - review.last_reviewed)


def _weeks_between(start: date, day: date) -> int:
    return (monday_of(day) - monday_of(start)) // _WEEK
