"""The hours of a route: windows in local time, past midnight, over clock changes and holidays."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.domain.reviews.hours import DAYS, Hours, is_open, opens_at

KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
ZONES = (
    KOLKATA,
    BERLIN,
    ZoneInfo("America/St_Johns"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("UTC"),
)
WORKING_DAYS = DAYS[:5]


def hours(**given):
    usual = {"days": WORKING_DAYS, "start": time(8), "end": time(18), "zone": KOLKATA}
    return Hours(**(usual | given))


def local(year, month, day, hour=0, minute=0, *, zone=KOLKATA):
    return datetime(year, month, day, hour, minute, tzinfo=zone)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (local(2026, 11, 24, 12), local(2026, 11, 24, 12)),  # a Tuesday
        (local(2026, 11, 24, 7, 59), local(2026, 11, 24, 8)),
        (local(2026, 11, 24, 8), local(2026, 11, 24, 8)),
        (local(2026, 11, 24, 18), local(2026, 11, 25, 8)),
        (local(2026, 11, 27, 18), local(2026, 11, 30, 8)),  # over the weekend
        (local(2026, 11, 28, 12), local(2026, 11, 30, 8)),
    ],
)
def test_a_message_waits_for_the_next_window(now, opens):
    assert opens_at(hours(), now, who="asha") == opens
    assert is_open(hours(), now, who="asha") is (now == opens)


def test_the_answer_is_in_utc_for_any_zone():
    answer = opens_at(hours(), local(2026, 11, 24, 7), who="asha")
    assert answer.tzinfo is UTC
    assert answer == datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (local(2026, 11, 27, 23), local(2026, 11, 27, 23)),  # Friday's window …
        (local(2026, 11, 28, 1, 59), local(2026, 11, 28, 1, 59)),  # … ends on Saturday
        (local(2026, 11, 28, 2), local(2026, 11, 30, 22)),
        (local(2026, 11, 28, 22), local(2026, 11, 30, 22)),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_on_which_it_opens(now, opens):
    night = hours(start=time(22), end=time(2))
    assert opens_at(night, now, who="asha") == opens


def test_a_window_that_ends_when_it_begins_is_a_whole_day():
    whole_days = hours(start=time(0), end=time(0))
    assert is_open(whole_days, local(2026, 11, 27, 23, 59), who="asha")
    assert opens_at(whole_days, local(2026, 11, 28), who="asha") == local(2026, 11, 30)


def test_no_window_opens_on_a_holiday():
    off = hours(is_holiday={date(2026, 11, 25), date(2026, 11, 26)}.__contains__)
    assert opens_at(off, local(2026, 11, 24, 19), who="asha") == local(2026, 11, 27, 8)
    assert not is_open(off, local(2026, 11, 25, 12), who="asha")


@pytest.mark.parametrize("closed", [{"is_holiday": lambda _day: True}, {"days": ()}])
def test_after_a_year_of_holidays_a_message_is_sent_anyway(closed):
    now = local(2026, 11, 24, 12)
    assert opens_at(hours(**closed), now, who="asha") == now
    assert is_open(hours(**closed), now, who="asha")


def test_a_window_skipped_by_a_clock_change_opens_at_the_next_hour():
    sundays = hours(days=("sun",), start=time(2, 30), end=time(9), zone=BERLIN)
    night = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert opens_at(sundays, night, who="asha") == local(2026, 3, 29, 3, 30, zone=BERLIN)


def test_both_passes_of_a_repeated_hour_are_in_the_window():
    sundays = hours(days=("sun",), start=time(1), end=time(2, 30), zone=BERLIN)
    second = local(2026, 10, 25, 2, 15, zone=BERLIN).replace(fold=1).astimezone(UTC)
    assert is_open(sundays, second, who="asha")
    assert not is_open(sundays, second + timedelta(minutes=15), who="asha")


def test_jitter_differs_by_reader_and_day_and_is_repeatable():
    spread = hours(days=DAYS, jitter_minutes=30)
    mondays = [
        opens_at(spread, local(2026, 11, 24), who=f"reader-{number}") for number in range(50)
    ]
    again = [opens_at(spread, local(2026, 11, 24), who=f"reader-{number}") for number in range(50)]
    assert mondays == again
    assert len(set(mondays)) > 40
    assert min(mondays) >= local(2026, 11, 24, 8)
    assert max(mondays) <= local(2026, 11, 24, 8, 30)
    next_day = opens_at(spread, local(2026, 11, 25), who="reader-0")
    assert next_day - mondays[0] != timedelta(days=1)


def test_jitter_never_uses_up_a_whole_window():
    short = hours(days=DAYS, start=time(8), end=time(8, 10), jitter_minutes=600)
    for number in range(50):
        opens = opens_at(short, local(2026, 11, 24), who=f"reader-{number}")
        assert local(2026, 11, 24, 8) <= opens <= local(2026, 11, 24, 8, 5)


any_hours = st.builds(
    Hours,
    days=st.sets(st.sampled_from(DAYS), min_size=1).map(tuple),
    start=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    end=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
    is_holiday=st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40).map(
        lambda days: days.__contains__
    ),
    jitter_minutes=st.sampled_from([0, 0, 1, 45, 600]),
)
# Clock changes of all these zones lie in 2026.
any_instant = st.timedeltas(timedelta(0), timedelta(days=365)).map(
    lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since
)


@given(any_hours, any_instant, st.floats(0, 1, exclude_max=True))
def test_a_window_opens_at_the_first_open_instant(window, now, share):
    opens = opens_at(window, now, who="asha")
    assert opens >= now
    assert is_open(window, opens, who="asha")
    assert opens_at(window, opens, who="asha") == opens
    between = now + share * (opens - now)
    assume(between < opens)
    assert not is_open(window, between, who="asha")


@given(any_hours, any_instant)
def test_open_instants_are_within_the_hours_of_the_wall_clock(window, now):
    # A clock change may shift an end by as much as it shifts the clock.
    near = [now + timedelta(hours=shift) for shift in (-1, 0, 1)]
    on_the_wall = any(_on_the_wall(window, instant.astimezone(window.zone)) for instant in near)
    assert on_the_wall or not is_open(window, now, who="asha")


def _on_the_wall(window, here):
    today, before = here.date(), here.date() - timedelta(days=1)
    at = here.time()

    def opens_on(day):
        return DAYS[day.weekday()] in window.days and not window.is_holiday(day)

    if window.start < window.end:
        return opens_on(today) and window.start <= at < window.end
    return (opens_on(today) and at >= window.start) or (opens_on(before) and at < window.end)
