"""The rungs of a review: each is climbed once a cycle, at any time and for any number of sweeps."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.reviews.ladder import Audience, Rung, rungs, state_of_rung
from worker.domain.reviews.review import NONE_GIVEN, Acknowledgement, Clock, Ladder

LADDER = Ladder(lead_days=(30, 7), repeat_days=7, backup_days=7, lead_escalation_days=21)
DUE = date(2026, 3, 30)
CLOCK = Clock(due_on=DUE, exempt=False)


def day(number):
    return DUE + timedelta(days=number)


def stages(number, *, notified=None, ladder=LADDER, **answers):
    """Return the rungs reached `number` days after the due date; `notified` is the day of the last notice."""
    reached = rungs(
        CLOCK,
        today=day(number),
        ladder=ladder,
        given=Acknowledgement(**answers),
        notified_on=None if notified is None else day(notified),
    )
    return [rung.stage for rung in reached]


def climb(first, last, *, looks=lambda _number: True, **answers):
    """Look on each day as the sweep does, and return on which day each rung was climbed."""
    climbed, notified = {}, None
    for number in range(first, last + 1):
        if looks(number):
            for stage in stages(number, notified=notified, **answers):
                if stage not in climbed:
                    climbed[stage] = number
                    notified = number if stage.startswith("overdue") else notified
    return climbed


def test_an_unanswered_cycle_climbs_every_rung_once():
    assert climb(-60, 30) == {
        "ahead-30": -30, "ahead-7": -7, "due": 0, "overdue": 1, "backup": 7,
        "overdue+8": 8, "overdue+15": 15, "lead": 21, "overdue+22": 22, "overdue+29": 29,
    }  # fmt: skip


def test_rungs_missed_while_nothing_ran_are_owed_once():
    assert climb(-5, 0) == {"ahead-7": -5, "due": 0}
    assert climb(239, 240) == {"overdue": 239, "backup": 239, "lead": 239}
    assert climb(239, 247)["overdue+246"] == 246


def test_the_answerable_person_gets_the_first_notice_and_others_get_later_ones():
    reached = rungs(CLOCK, today=day(21), ladder=LADDER, given=NONE_GIVEN, notified_on=None)
    assert list(reached) == [
        Rung(stage="overdue"),
        Rung(stage="backup", audience=Audience.BACKUP),
        Rung(stage="lead", audience=Audience.LEAD),
    ]


@pytest.mark.parametrize("number", [-7, 0, 1, 40])
def test_a_snoozed_review_owes_nothing(number):
    assert stages(number, snoozed_until=day(41)) == []


def test_a_notice_is_owed_on_the_day_a_snooze_ends():
    assert stages(5, notified=1, snoozed_until=day(5)) == ["overdue+5"]
    assert stages(6, notified=5, snoozed_until=day(5)) == []
    assert "overdue+12" in stages(12, notified=5, snoozed_until=day(5))


def test_an_acknowledgement_stops_repeats_and_nothing_else():
    on_it = {"acknowledged_until": day(20)}
    assert stages(-7, **on_it) == ["ahead-7"]
    assert stages(1, **on_it) == ["overdue"]
    assert stages(8, notified=1, **on_it) == ["backup"]
    assert "overdue+20" in stages(20, notified=1, **on_it)


def test_a_planned_review_is_requested_on_its_day():
    assert stages(-61, planned_on=day(-60)) == []
    assert stages(-60, planned_on=day(-60)) == ["planned"]
    assert stages(-20, planned_on=day(-60)) == ["planned", "ahead-30"]
    assert stages(1, planned_on=day(-60)) == ["overdue"]


def test_nothing_is_escalated_without_a_backup_or_lead():
    alone = Ladder(lead_days=(30, 7), repeat_days=7)
    assert climb(20, 22, ladder=alone) == {"overdue": 20}


@pytest.mark.parametrize(
    "clock", [Clock(due_on=None, exempt=False), Clock(due_on=DUE, exempt=True)]
)
def test_a_review_that_never_falls_due_owes_nothing(clock):
    assert (
        list(rungs(clock, today=day(99), ladder=LADDER, given=NONE_GIVEN, notified_on=None)) == []
    )


@given(st.sets(st.integers(-40, 60)), st.integers(1, 14))
def test_any_number_of_sweeps_climbs_no_rung_twice_and_repeats_none_too_soon(looked, repeat):
    ladder = Ladder(lead_days=(30, 7), repeat_days=repeat, backup_days=7, lead_escalation_days=21)
    climbed = climb(-40, 60, looks=looked.__contains__, ladder=ladder)
    notified = sorted(number for stage, number in climbed.items() if stage.startswith("overdue"))
    assert all(later - earlier >= repeat for earlier, later in pairwise(notified))
    if any(number > 0 for number in looked):
        assert notified[0] == min(number for number in looked if number > 0)


@given(st.integers(-40, 90), st.one_of(st.none(), st.integers(1, 90)))
def test_two_sweeps_at_once_owe_the_same(number, notified):
    assert stages(number, notified=notified) == stages(number, notified=notified)
    if notified is not None and notified + 7 <= number - 1:
        # One of them may see the next day already.
        again = {
            stage for stage in stages(number, notified=notified) if stage.startswith("overdue")
        }
        assert again <= set(stages(number - 1, notified=notified))


@pytest.mark.parametrize(
    ("rung", "state"),
    [
        ("ahead-30", "upcoming"),
        ("planned", "upcoming"),
        ("due", "due"),
        ("overdue", "overdue"),
        ("overdue+246", "overdue"),
        ("backup", "escalated"),
        ("lead", "escalated"),
        ("asked-2", "asked"),
    ],
)
def test_each_rung_has_a_state(rung, state):
    assert state_of_rung(rung) == state
