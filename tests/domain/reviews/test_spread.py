"""The load by week, and earlier reviews instead of hundreds on one day."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.reviews.spread import (
    Review,
    forecast,
    monday_of,
    next_working_day,
    spread,
)

MONDAY = date(2026, 1, 12)
DUE = date(2026, 3, 30)  # a Monday, in the twelfth week


def a_review(number, *, due_on=DUE, **fields):
    fields = {"last_reviewed": due_on - timedelta(days=90), "risk": None, **fields}
    return Review(path=f"{number:04}.md", due_on=due_on, **fields)


def load_of(proposal, reviews):
    """Return how many reviews each week holds, those that come first in the first free places."""
    places = Counter()
    for review in [*proposal.stays, *proposal.unfit]:
        places[monday_of(review.due_on)] += 1
    for day in proposal.planned.values():
        places[monday_of(day)] += 1
    return places


def test_many_reviews_due_on_one_day_are_spread_evenly_over_weeks():
    reviews = [a_review(number) for number in range(1349)]
    proposal = spread(reviews, today=MONDAY, per_week=113)
    assert (proposal.needed, proposal.unfit) == (113, ())
    load = load_of(proposal, reviews)
    assert sorted(load.values()) == [106, *[113] * 11]
    assert (min(load), max(load)) == (MONDAY, DUE)
    days = Counter(proposal.planned.values())
    assert max(days.values()) <= 23
    assert {day.weekday() for day in days} == {0, 1, 2, 3, 4}


def test_the_least_risky_reviews_do_not_fit_and_the_needed_number_is_returned():
    reviews = [a_review(number, risk="ABC"[number % 3]) for number in range(1349)]
    proposal = spread(reviews, today=MONDAY, per_week=25)
    assert (len(proposal.unfit), proposal.needed) == (1049, 113)
    assert {review.risk for review in proposal.unfit} == {"A", "B", "C"}
    risks = {review.path: review.risk for review in reviews}
    assert {risks[path] for path in proposal.planned} == {"A"}


def test_the_default_number_is_the_smallest_that_fits_everything():
    reviews = [a_review(number) for number in range(100)]
    proposal = spread(reviews, today=MONDAY)
    assert (proposal.per_week, proposal.unfit) == (9, ())
    assert spread(reviews, today=MONDAY, per_week=8).unfit


def test_the_riskiest_and_then_the_oldest_go_first():
    long_ago, lately = date(2024, 1, 1), date(2026, 1, 1)
    reviews = [
        a_review(1, risk=None),
        a_review(2, risk="C"),
        a_review(3, risk="A", last_reviewed=lately),
        a_review(4, risk="B"),
        a_review(5, risk="A", last_reviewed=long_ago),
        a_review(6, risk="unheard of", last_reviewed=long_ago),
    ]
    proposal = spread(reviews, today=MONDAY, per_week=1)
    by_day = sorted(proposal.planned, key=proposal.planned.__getitem__)
    assert by_day == ["0005.md", "0003.md", "0004.md", "0002.md", "0006.md"]
    assert [review.path for review in proposal.stays] == ["0001.md"]


def test_reviews_that_fit_on_their_due_dates_are_not_planned():
    reviews = [a_review(number, due_on=DUE + number * timedelta(weeks=1)) for number in range(5)]
    proposal = spread(reviews, today=MONDAY, per_week=1)
    assert proposal.planned == {}
    assert len(proposal.stays) == 5


def test_overdue_reviews_come_first_and_take_places_without_a_day():
    overdue = [a_review(number, due_on=MONDAY - timedelta(days=1)) for number in range(3)]
    coming = [a_review(number, due_on=MONDAY + timedelta(weeks=2)) for number in range(10, 13)]
    proposal = spread([*overdue, *coming], today=MONDAY, per_week=2)
    assert [review.path for review in proposal.first] == ["0000.md", "0001.md", "0002.md"]
    assert Counter(map(monday_of, proposal.planned.values())) == {MONDAY + timedelta(weeks=1): 1}
    assert len(proposal.stays) == 2


def test_at_a_weekend_the_plan_begins_on_monday():
    saturday = date(2026, 1, 17)
    reviews = [
        a_review(1, due_on=saturday),
        *(a_review(number, due_on=date(2026, 2, 1)) for number in range(2, 20)),
    ]
    proposal = spread(reviews, today=saturday, per_week=10)
    assert [review.path for review in proposal.first] == ["0001.md"]
    assert min(proposal.planned.values()) == date(2026, 1, 19)


def test_nothing_is_planned_for_past_days_of_the_current_week():
    wednesday = MONDAY + timedelta(days=2)
    reviews = [a_review(number, due_on=MONDAY + timedelta(days=9)) for number in range(20)]
    proposal = spread(reviews, today=wednesday, per_week=10)
    assert Counter(proposal.planned.values()) == {
        wednesday: 4, wednesday + timedelta(days=1): 3, wednesday + timedelta(days=2): 3,
    }  # fmt: skip


dates_around = st.integers(-30, 200).map(lambda days: MONDAY + timedelta(days=days))
many_reviews = st.lists(
    st.builds(
        Review,
        path=st.integers(0, 10_000).map(str),
        due_on=dates_around,
        last_reviewed=st.none() | st.integers(0, 400).map(lambda n: MONDAY - timedelta(days=n)),
        risk=st.sampled_from(["A", "B", "C", None, "?"]),
    ),
    max_size=60,
    unique_by=lambda review: review.path,
)
todays = st.integers(0, 13).map(lambda days: MONDAY + timedelta(days=days))


@given(many_reviews, todays, st.integers(1, 20))
def test_each_review_has_one_place_never_late_and_never_in_the_past(reviews, today, per_week):
    proposal = spread(reviews, today=today, per_week=per_week)
    by_path = {review.path: review for review in reviews}
    parts = [*proposal.first, *proposal.stays, *proposal.unfit]
    assert sorted([*proposal.planned, *(review.path for review in parts)]) == sorted(by_path)
    for path, day in proposal.planned.items():
        assert today <= day <= by_path[path].due_on
        assert day.weekday() < 5
    start = next_working_day(today)
    assert all(review.due_on < start for review in proposal.first)
    assert all(review.due_on >= start for review in [*proposal.stays, *proposal.unfit])


@given(many_reviews, todays, st.integers(1, 20))
def test_no_week_has_too_many_except_reviews_reported_as_not_fitting(reviews, today, per_week):
    proposal = spread(reviews, today=today, per_week=per_week)
    load = load_of(proposal, reviews)
    for review in proposal.unfit:
        load[monday_of(review.due_on)] -= 1
    monday, overdue = monday_of(next_working_day(today)), len(proposal.first)
    while load or overdue:
        taken = min(per_week, overdue)
        overdue -= taken
        assert load.pop(monday, 0) + taken <= per_week
        load = +load
        monday += timedelta(weeks=1)


@given(many_reviews, todays, st.integers(1, 20))
def test_everything_fits_from_the_returned_number_on(reviews, today, per_week):
    proposal = spread(reviews, today=today, per_week=per_week)
    assert bool(proposal.unfit) == (per_week < proposal.needed)


@given(many_reviews, todays, st.integers(1, 20), st.randoms())
def test_the_order_of_the_reviews_does_not_matter(reviews, today, per_week, random):
    shuffled = random.sample(reviews, len(reviews))
    assert spread(reviews, today=today, per_week=per_week) == spread(
        shuffled, today=today, per_week=per_week
    )


@given(many_reviews, todays, st.integers(1, 20))
def test_of_two_reviews_due_on_one_day_the_more_urgent_is_never_later(reviews, today, per_week):
    proposal = spread(reviews, today=today, per_week=per_week)
    week = {path: monday_of(day) for path, day in proposal.planned.items()}
    week |= {review.path: monday_of(review.due_on) for review in proposal.stays}
    week |= {review.path: date.max for review in proposal.unfit}
    ranks = ["A", "B", "C"]

    def urgency(review):
        rank = ranks.index(review.risk) if review.risk in ranks else 3
        return rank, review.last_reviewed or date.min

    for one in reviews:
        for other in reviews:
            both = one.path in week and other.path in week
            if both and one.due_on == other.due_on and urgency(one) < urgency(other):
                assert week[one.path] <= week[other.path]


def test_a_forecast_counts_by_week():
    reviews = [
        a_review(1, due_on=MONDAY - timedelta(days=1)),
        a_review(2, due_on=MONDAY, risk="A"),
        a_review(3, due_on=MONDAY + timedelta(days=6)),
        a_review(4, due_on=MONDAY + timedelta(days=7)),
        a_review(5, due_on=MONDAY + timedelta(weeks=2)),
        a_review(6, due_on=MONDAY + timedelta(weeks=9)),
    ]
    ahead = forecast(reviews, today=MONDAY, weeks=3)
    assert [(week.due, week.total) for week in ahead.weeks] == [(2, 2), (1, 1), (1, 1)]
    assert ahead.weeks[0].load == {"A": 1, "none": 1}
    assert (ahead.overdue, ahead.later) == (1, 1)
    assert ahead.mean == pytest.approx(4 / 3)


def test_a_planned_review_counts_in_the_week_of_its_plan():
    reviews = [
        a_review(1, planned_on=MONDAY + timedelta(days=8)),
        a_review(2, planned_on=MONDAY - timedelta(days=8)),  # the day passed, the review is to do
        a_review(3, due_on=MONDAY - timedelta(days=3), planned_on=MONDAY - timedelta(days=8)),
    ]
    ahead = forecast(reviews, today=MONDAY, weeks=12)
    assert [week.total for week in ahead.weeks] == [1, 1, *[0] * 10]
    assert [week.planned for week in ahead.weeks] == [1, 1, *[0] * 10]
    assert ahead.weeks[11].due == 2
    assert ahead.overdue == 1


def test_the_pace_counts_each_document_by_its_frequency():
    reviews = [
        *(a_review(n, last_reviewed=DUE - timedelta(weeks=13)) for n in range(13)),
        *(a_review(n, last_reviewed=DUE - timedelta(weeks=52)) for n in range(100, 152)),
        a_review(200, last_reviewed=None),
    ]
    assert forecast(reviews, today=MONDAY, weeks=4).pace == pytest.approx(2)


@given(many_reviews, todays, st.integers(1, 40))
def test_a_forecast_loses_no_review(reviews, today, weeks):
    ahead = forecast(reviews, today=today, weeks=weeks)
    assert ahead.overdue + sum(week.total for week in ahead.weeks) + ahead.later == len(reviews)
