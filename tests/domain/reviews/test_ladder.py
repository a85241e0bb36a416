"""The rungs of a review: each is climbed once a cycle, whenever and however often one looks."""

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


def stages(number, *, told=None, ladder=LADDER, **answers):
    """Return the rungs reached so many days after the due date; `told` is the day last told."""
    reached = rungs(
        CLOCK,
        today=day(number),
        ladder=ladder,
        given=Acknowledgement(**answers),
        notified_on=None if told is None else day(told),
    )
    return [rung.stage for rung in reached]


def climb(first, last, *, looks=lambda _number: True, **answers):
    """Look on each day as the sweep does, and return on which day each rung was climbed."""
    climbed, told = {}, None
    for number in range(first, last + 1):
        if looks(number):
            for stage in stages(number, told=told, **answers):
                if stage not in climbed:
                    climbed[stage] = number
                    told = number if stage.startswith("overdue") else told
    return climbed


def test_a_cycle_that_nobody_answers_climbs_every_rung_once():
    assert climb(-60, 30) == {
        "ahead-30": -30, "ahead-7": -7, "due": 0, "overdue": 1, "backup": 7,
        "overdue+8": 8, "overdue+15": 15, "lead": 21, "overdue+22": 22, "overdue+29": 29,
    }  # fmt: skip


def test_what_was_missed_while_nothing_ran_is_told_once():
    assert climb(-5, 0) == {"ahead-7": -5, "due": 0}
    assert climb(239, 240) == {"overdue": 239, "backup": 239, "lead": 239}
    assert climb(239, 247)["overdue+246"] == 246


def test_whoever_answers_is_told_first_and_the_others_when_it_waits():
    reached = rungs(CLOCK, today=day(21), ladder=LADDER, given=NONE_GIVEN, notified_on=None)
    assert list(reached) == [
        Rung(stage="overdue"),
        Rung(stage="backup", audience=Audience.BACKUP),
        Rung(stage="lead", audience=Audience.LEAD),
    ]


@pytest.mark.parametrize("number", [-7, 0, 1, 40])
def test_a_snoozed_review_owes_nothing(number):
    assert stages(number, snoozed_until=day(41)) == []


def test_after_a_snooze_it_is_told_on_that_day():
    assert stages(5, told=1, snoozed_until=day(5)) == ["overdue+5"]
    assert stages(6, told=5, snoozed_until=day(5)) == []
    assert "overdue+12" in stages(12, told=5, snoozed_until=day(5))


def test_an_acknowledgement_stops_repeats_and_nothing_else():
    on_it = {"acknowledged_until": day(20)}
    assert stages(-7, **on_it) == ["ahead-7"]
    assert stages(1, **on_it) == ["overdue"]
    assert stages(8, told=1, **on_it) == ["backup"]
    assert "overdue+20" in stages(20, told=1, **on_it)


def test_a_planned_review_is_asked_for_on_its_day():
    assert stages(-61, planned_on=day(-60)) == []
    assert stages(-60, planned_on=day(-60)) == ["planned"]
    assert stages(-20, planned_on=day(-60)) == ["planned", "ahead-30"]
    assert stages(1, planned_on=day(-60)) == ["overdue"]


def test_where_nobody_steps_in_nothing_is_escalated():
    alone = Ladder(lead_days=(30, 7), repeat_days=7)
    assert climb(20, 22, ladder=alone) == {"overdue": 20}


@pytest.mark.parametrize(
    "clock", [Clock(due_on=None, exempt=False), Clock(due_on=DUE, exempt=True)]
)
def test_what_never_falls_due_owes_nothing(clock):
    assert (
        list(rungs(clock, today=day(99), ladder=LADDER, given=NONE_GIVEN, notified_on=None)) == []
    )


@given(st.sets(st.integers(-40, 60)), st.integers(1, 14))
def test_however_often_one_looks_no_rung_is_climbed_twice_nor_repeated_too_soon(looked, repeat):
    ladder = Ladder(lead_days=(30, 7), repeat_days=repeat, backup_days=7, lead_escalation_days=21)
    climbed = climb(-40, 60, looks=looked.__contains__, ladder=ladder)
    told = sorted(number for stage, number in climbed.items() if stage.startswith("overdue"))
    assert all(later - earlier >= repeat for earlier, later in pairwise(told))
    if any(number > 0 for number in looked):
        assert told[0] == min(number for number in looked if number > 0)


@given(st.integers(-40, 90), st.one_of(st.none(), st.integers(1, 90)))
def test_two_sweeps_at_once_owe_the_same(number, told):
    assert stages(number, told=told) == stages(number, told=told)
    if told is not None and told + 7 <= number - 1:
        # One of them may see the next day already.
        again = {stage for stage in stages(number, told=told) if stage.startswith("overdue")}
        assert again <= set(stages(number - 1, told=told))


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
def test_a_rung_tells_a_state(rung, state):
    assert state_of_rung(rung) == state
