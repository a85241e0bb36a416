"""Snoozes and "on it": they delay messages within limits and end with the review."""

from datetime import date, timedelta
from functools import partial

import pytest
from support.seeds import a_seed
from support.stored import NOON, a_library

from worker.reviews.snooze_and_ack import NotAnsweredError, acknowledge, snooze
from worker.store.library import events_after, review_rows

TODAY = NOON.date()
DUE = date(2026, 3, 30)
NEXT_WEEK = TODAY + timedelta(days=7)


@pytest.fixture
def library(store_url, seeds):
    with a_library(store_url, seeds=seeds) as library:
        yield library


@pytest.fixture
def snoozed(library):
    """Return a function that snoozes `a.md`."""
    return partial(
        snooze,
        library.store,
        "a.md",
        until=NEXT_WEEK,
        reason="waits for the guideline",
        by="asha",
        settings=library.services.settings,
        now=library.time,
        today=TODAY,
    )


@pytest.fixture
def acknowledged(library):
    """Return a function that says that somebody is at `a.md`."""
    given = {"until": NEXT_WEEK, "by": "asha", "now": library.time, "today": TODAY}
    return partial(acknowledge, library.store, "a.md", **given)


def answers(library):
    """Return what the review calendar has of the answers about `a.md`."""
    with library.store.read() as connection:
        [row] = review_rows(connection)
        return row.given


def events(library):
    with library.store.read() as connection:
        rows = events_after(connection, 0, 100)
    return [
        (row.kind, row.number, row.data)
        for row in rows
        if row.kind in {"review.snoozed", "review.acknowledged"}
    ]


def test_a_snooze_delays_notices_and_not_the_due_date(library, snoozed):
    library.drop("a.md")
    before = library.document("a.md")["review_state"]
    assert before in {"overdue", "escalated"}
    answer = snoozed(reason="  waits for\nthe guideline ")
    assert answer == {
        "path": "a.md",
        "number": 1,
        "due_on": "2026-03-30",
        "snoozed_until": "2026-12-01",
        "snoozes": 1,
        "snoozes_left": 1,
        "acknowledged_until": None,
        "planned_on": None,
        "by": "asha",
        "reason": "waits for the guideline",
    }
    document = library.document("a.md")
    assert (document["review_state"], document["due_on"]) == ("snoozed", "2026-03-30")
    data = {"by": "asha", "until": "2026-12-01", "reason": "waits for the guideline"}
    assert events(library) == [("review.snoozed", 1, data)]
    library.on(NEXT_WEEK)
    assert library.document("a.md")["review_state"] == before


def test_a_review_can_be_snoozed_a_limited_number_of_times_a_cycle(library, snoozed):
    library.drop("a.md")
    snoozed()
    assert snoozed()["snoozes_left"] == 0
    with pytest.raises(NotAnsweredError, match="was already snoozed 2 times") as refused:
        snoozed()
    assert "\n" not in str(refused.value)
    assert len(events(library)) == 2

    library.drop("a.md", a_seed(lastReviewed="2026-08-01"))
    assert answers(library).snoozes == 0, "the answers of the review before count no more"
    assert snoozed()["snoozes"] == 1
    assert answers(library).snoozed_until == NEXT_WEEK


def test_one_answer_leaves_the_other_as_it_is(library, snoozed, acknowledged):
    library.drop("a.md")
    snoozed(until=TODAY + timedelta(days=2))
    answer = acknowledged()
    assert (answer["snoozes"], answer["acknowledged_until"]) == (1, "2026-12-01")
    assert events(library)[1] == ("review.acknowledged", 1, {"by": "asha", "until": "2026-12-01"})
    given = answers(library)
    assert given.snoozed_until == TODAY + timedelta(days=2)
    assert given.acknowledged_until == NEXT_WEEK


@pytest.mark.parametrize("until", [TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=31)])
def test_a_snooze_ends_after_today_and_not_too_late(library, snoozed, until):
    library.drop("a.md")
    with pytest.raises(NotAnsweredError, match="and not after 2026-12-24"):
        snoozed(until=until)
    assert events(library) == []


def test_the_longest_snooze_is_allowed_and_needs_a_reason(library, snoozed):
    library.drop("a.md")
    with pytest.raises(NotAnsweredError, match="--reason"):
        snoozed(reason=" \n")
    assert snoozed(until=TODAY + timedelta(days=30))["snoozed_until"] == "2026-12-24"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"reviewFrequency": "as_needed"}, "as needed"),
        ({"status": "inactive"}, "not active"),
        ({"lastReviewed": None}, "lacks a usable last review date"),
    ],
)
def test_a_document_without_a_due_review_cannot_be_answered(
    library, snoozed, acknowledged, fields, why
):
    library.drop("a.md", **fields)
    for answer in (snoozed, acknowledged):
        with pytest.raises(NotAnsweredError, match=why):
            answer()
    assert events(library) == []


def test_a_retired_and_an_unknown_document_cannot_be_answered(library, snoozed, acknowledged):
    assert snoozed() is None
    assert acknowledged() is None
    library.drop("a.md")
    library.remove("a.md")
    with pytest.raises(NotAnsweredError, match="retired"):
        snoozed()


def test_an_acknowledgement_ends_after_today(library, acknowledged):
    library.drop("a.md")
    with pytest.raises(NotAnsweredError, match="is not after today"):
        acknowledged(until=TODAY)
