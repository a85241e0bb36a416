"""The hours in which a route accepts messages: one window a day, on chosen days, except holidays.

Windows are in local time of their zone. Instants are aware: arguments in any zone, results in UTC. A
window belongs to the day on which it opens, even if it ends after midnight. If a clock change leaves
nothing of a window, that day has none. The caller defines holidays. Called by
`worker.messages.deliver`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: After this many days without a window a message is sent anyway: late is better than never.
_MOST_DAYS_CLOSED = 366
_A_DAY = timedelta(days=1)


def never(_day: date) -> bool:
    """Return False: no day is a holiday."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A window from `start` to `end`, or all day if both are equal; `days` are names from `DAYS`.

    With `jitter_minutes`, each window opens later by up to that much, so that routes do not all begin
    at the same time. The delay depends only on the route and the day, and the end does not move.
    """

    days: tuple[str, ...]
    start: time
    end: time
    zone: tzinfo
    is_holiday: Callable[[date], bool] = never
    jitter_minutes: int = 0


def is_open(hours: Hours, now: datetime, *, who: str) -> bool:
    """Return whether a message may be sent to `who` now."""
    return opens_at(hours, now, who=who) <= now.astimezone(UTC)


def opens_at(hours: Hours, now: datetime, *, who: str) -> datetime:
    """Return the first instant from `now` on at which a message may be sent to `who`, in UTC.

    It is `now` within a window, and also if no window opens for a year.
    """
    now = now.astimezone(UTC)
    yesterday = now.astimezone(hours.zone).date() - _A_DAY  # its window may end after midnight
    for days in range(_MOST_DAYS_CLOSED + 2):
        window = _window(hours, yesterday + days * _A_DAY, who)
        if window is not None and now < window[1]:
            return max(now, window[0])
    return now


def _window(hours: Hours, day: date, who: str) -> tuple[datetime, datetime] | None:
    """Return when the window of a day opens and closes for `who`, in UTC."""
    if DAYS[day.weekday()] not in hours.days or hours.is_holiday(day):
        return None
    last_day = day if hours.start < hours.end else day + _A_DAY
    opens = _instant(day, hours.start, hours.zone, fold=0)
    # If the clock repeats an hour, the window includes both; if it skips one, the end shifts.
    closes = max(_instant(last_day, hours.end, hours.zone, fold=fold) for fold in (0, 1))
    if closes <= opens:
        return None
    return opens + min(_delay(hours, day, who), (closes - opens) / 2), closes


def _instant(day: date, at: time, zone: tzinfo, *, fold: int) -> datetime:
    return datetime.combine(day, at.replace(fold=fold), tzinfo=zone).astimezone(UTC)


def _delay(hours: Hours, day: date, who: str) -> timedelta:
    """Return how much later the window opens: the same in every process, different each day."""
    if not hours.jitter_minutes:
        return timedelta(0)
    digest = hashlib.blake2b(f"{day} {who}".encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest) % (hours.jitter_minutes * 60 + 1))
