"""The review calendar, against an oracle that counts months with nothing but `calendar`."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.reviews.review import (
    CADENCE_WORDS,
    Acknowledgement,
    Cadence,
    Clock,
    DefaultFrequency,
    Ladder,
    Leads,
    ReviewState,
    due_on,
    parse_cadence,
    review_state,
    set_clock,
)

FIRST, LAST = date(2024, 1, 1), date(2032, 12, 31)
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]


def months_later(day, months):
    """Return the oracle's answer: the same day so many months later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


# Due dates


@pytest.mark.parametrize("months", range(1, 25))
def test_every_due_date_equals_the_oracles(months):
    cadence = parse_cadence(f"{months} months")
    wrong = [day for day in DAYS if due_on(day, cadence) != months_later(day, months)]
    assert wrong == []


@pytest.mark.parametrize(
    ("word", "months"),
    [("monthly", 1), ("quarterly", 3), ("semiannual", 6), ("annual", 12), ("biennial", 24)],
)
def test_the_frequency_words_of_the_library_are_months(word, months):
    cadence = parse_cadence(word)
    assert all(due_on(day, cadence) == months_later(day, months) for day in DAYS)


@pytest.mark.parametrize(
    ("reviewed", "frequency", "due"),
    [
        (date(2026, 1, 31), "monthly", date(2026, 2, 28)),
        (date(2028, 1, 31), "monthly", date(2028, 2, 29)),
        (date(2025, 11, 30), "quarterly", date(2026, 2, 28)),
        (date(2028, 2, 29), "annual", date(2029, 2, 28)),
        (date(2025, 12, 30), "quarterly", date(2026, 3, 30)),
        (date(2026, 1, 1), "90 days", date(2026, 4, 1)),
        (date(2026, 1, 1), "2 weeks", date(2026, 1, 15)),
        (date(2026, 1, 31), "P1M1D", date(2026, 3, 1)),
    ],
)
def test_due_dates_are_clamped_to_the_months_end(reviewed, frequency, due):
    assert due_on(reviewed, parse_cadence(frequency)) == due


def test_a_document_reviewed_as_needed_is_never_due():
    assert due_on(date(2026, 1, 1), parse_cadence("as_needed")) is None


def test_a_due_date_after_the_end_of_the_calendar_is_never():
    assert due_on(date(9999, 12, 1), parse_cadence("monthly")) is None
    assert due_on(date(2026, 1, 1), parse_cadence("9999 years")) is None


# Cadences


UNITS = st.sampled_from(["day", "week", "month", "year"])


@given(st.integers(1, 9999), UNITS, st.booleans(), st.sampled_from([str, str.upper, str.title]))
def test_a_count_and_an_iso_duration_say_the_same(count, unit, plural, case):
    counted = parse_cadence(case(f" {count} {unit}{'s' if plural else ''} "))
    assert counted is not None
    assert counted == parse_cadence(f"P{count}{unit[0].upper()}")


@given(st.sampled_from(sorted(CADENCE_WORDS)), st.sampled_from([str.upper, str.title, str.lower]))
def test_words_are_read_in_any_case(word, case):
    assert parse_cadence(f" {case(word)} ") == Cadence(every=CADENCE_WORDS[word])


@given(st.text(max_size=30))
def test_any_text_is_a_frequency_or_none(text):
    cadence = parse_cadence(text)
    if cadence is not None and cadence.every is not None:
        due = due_on(date(2026, 1, 1), cadence)
        assert due is None or due > date(2026, 1, 1)


@given(UNITS, st.sampled_from(["0", "00", "0000"]))
def test_an_empty_interval_is_not_a_frequency(unit, zero):
    assert parse_cadence(f"{zero} {unit}s") is None
    assert parse_cadence(f"P{zero}{unit[0].upper()}") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "quartely", "months", "-3 months", "3.5 months", "3months", "10000 days"),
        *("P", "PT6H", "P1Y2", "p6m", "P-6M", "P1D1M", "every 6 months", "6 months ago"),
    ],
)
def test_a_text_that_is_not_a_frequency_gives_none(text):
    assert parse_cadence(text) is None


# States

LADDER = Ladder(lead_days=(14, 3), repeat_days=7, backup_days=7, lead_escalation_days=21)
TODAY = date(2028, 2, 29)


def state_of(days_left, **given):
    due = TODAY + timedelta(days=days_left)
    answers = Acknowledgement(**given)
    return review_state(Clock(due_on=due, exempt=False), today=TODAY, ladder=LADDER, given=answers)


@pytest.mark.parametrize(
    ("days_left", "state"),
    [
        (15, ReviewState.CURRENT),
        (14, ReviewState.UPCOMING),
        (1, ReviewState.UPCOMING),
        (0, ReviewState.DUE),
        (-1, ReviewState.OVERDUE),
        (-6, ReviewState.OVERDUE),
        (-7, ReviewState.ESCALATED),
        (-4000, ReviewState.ESCALATED),
    ],
)
def test_states_change_on_their_day(days_left, state):
    assert state_of(days_left) is state


def test_a_review_without_escalation_stays_overdue():
    clock = Clock(due_on=date(2020, 1, 1), exempt=False)
    ladder = Ladder(lead_days=(3,), repeat_days=7)
    assert review_state(clock, today=TODAY, ladder=ladder) is ReviewState.OVERDUE


def test_a_review_without_a_due_date_is_exempt_or_unknown():
    def state(due, *, exempt):
        clock = Clock(due_on=due, exempt=exempt)
        return review_state(clock, today=date(2026, 1, 1), ladder=LADDER)

    assert state(None, exempt=False) is ReviewState.UNKNOWN
    assert state(None, exempt=True) is ReviewState.EXEMPT
    assert state(date(2020, 1, 1), exempt=True) is ReviewState.EXEMPT


def test_a_snooze_hides_no_current_review_and_ends_on_its_day():
    tomorrow = TODAY + timedelta(days=1)
    assert state_of(-4000, snoozed_until=tomorrow) is ReviewState.SNOOZED
    assert state_of(3, snoozed_until=tomorrow) is ReviewState.SNOOZED
    assert state_of(300, snoozed_until=tomorrow) is ReviewState.CURRENT
    assert state_of(-1, snoozed_until=TODAY) is ReviewState.OVERDUE


def test_an_acknowledgement_changes_no_state():
    assert state_of(-1, acknowledged_until=date.max) is ReviewState.OVERDUE


def test_a_planned_review_is_upcoming_from_its_planned_day_and_due_on_its_due_date():
    assert state_of(80, planned_on=TODAY) is ReviewState.UPCOMING
    assert state_of(80, planned_on=TODAY + timedelta(days=1)) is ReviewState.CURRENT
    assert state_of(0, planned_on=TODAY) is ReviewState.DUE


# Leads

LEADS = Leads.of({"annual": (7, 30), "quarterly": (14, 3), "monthly": (3,)})


@pytest.mark.parametrize(
    ("frequency", "days"),
    [
        ("monthly", (3,)),
        ("31 days", (3,)),
        ("1 week", (3,)),
        ("2 months", (3,)),
        ("quarterly", (14, 3)),
        ("P3M", (14, 3)),
        ("semiannual", (14, 3)),
        ("12 months", (30, 7)),
        ("biennial", (30, 7)),
        ("whenever", (3,)),
        (None, (3,)),
    ],
)
def test_a_frequency_takes_the_leads_of_the_longest_named_one_within_it(frequency, days):
    assert LEADS.for_frequency(frequency) == days


def test_the_longest_lead_bounds_what_a_sweep_looks_at():
    assert LEADS.longest == 30


# Clocks


def clock(**known):
    facts = {
        "path": "02_nci_core/page.md",
        "active": True,
        "source_type": "02_nci_core",
        "last_reviewed": date(2026, 1, 31),
        "frequency": "monthly",
    }
    return set_clock(**(facts | known))


def test_a_clock_is_set_by_date_and_frequency():
    assert clock() == Clock(due_on=date(2026, 2, 28), exempt=False)


def test_a_retracted_document_is_exempt():
    assert clock(active=False) == Clock(due_on=None, exempt=True)
    assert clock(active=False, last_reviewed=None) == Clock(due_on=None, exempt=True)


def test_a_document_reviewed_as_needed_is_exempt_even_without_a_date():
    exempt = Clock(due_on=None, exempt=True)
    assert clock(frequency="as_needed", last_reviewed=None) == exempt


@pytest.mark.parametrize(
    "unknown", [{"last_reviewed": None}, {"frequency": None}, {"frequency": "x"}]
)
def test_a_clock_without_date_or_frequency_is_unknown(unknown):
    assert clock(**unknown) == Clock(due_on=None, exempt=False)


def test_the_first_default_that_fits_fills_a_missing_frequency():
    defaults = (
        DefaultFrequency(frequency="annual", source_type="03_who_public_health"),
        DefaultFrequency(frequency="quarterly", source_type="02_nci_core", paths=("*.txt",)),
        DefaultFrequency(frequency="biennial", paths=("02_nci_core/",)),
        DefaultFrequency(frequency="monthly"),
    )
    assert clock(frequency=None, defaults=defaults).due_on == date(2028, 1, 31)
    assert clock(frequency=None, path="other/a.md", defaults=defaults).due_on == date(2026, 2, 28)
    assert clock(frequency="annual", defaults=defaults).due_on == date(2027, 1, 31)


def test_a_default_can_make_a_document_exempt():
    defaults = (DefaultFrequency(frequency="as_needed"),)
    assert clock(frequency=None, defaults=defaults) == Clock(due_on=None, exempt=True)


def test_states_are_words_of_the_store():
    assert [str(state) for state in ReviewState] == [
        *("current", "upcoming", "due", "overdue"),
        *("escalated", "snoozed", "exempt", "unknown"),
    ]
