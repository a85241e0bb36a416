"""The hours in which a route wants to be told: a window a day, on some days, but on no holiday.

Windows are told in local time of their zone; instants that come in and go out are aware, and in UTC. A
window belongs to the day on which it opens, also where it runs past midnight. Where a clock change
leaves nothing of a window, there is none that day. What a holiday is, the caller knows. Called by
`worker.messages.deliver`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: After so many days without a window a message goes out anyway: late is better than never.
_MOST_DAYS_CLOSED = 366
_A_DAY = timedelta(days=1)


def never(_day: date) -> bool:
    """Return that no day is a holiday."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From `start` until `end`, or all day where both are the same; `days` are names as in `DAYS`.

    With `jitter_minutes` each window opens later by up to so much, for each reader and day alike, so
    that many routes do not all begin at once; the end stays.
    """

    days: tuple[str, ...]
    start: time
    end: time
    zone: tzinfo
    is_holiday: Callable[[date], bool] = never
    jitter_minutes: int = 0


def is_open(hours: Hours, now: datetime, *, who: str) -> bool:
    """Return whether `who` may be told now."""
    return opens_at(hours, now, who=who) <= now.astimezone(UTC)


def opens_at(hours: Hours, now: datetime, *, who: str) -> datetime:
    """Return the first instant from `now` on at which `who` may be told, in UTC.

    It is `now` within a window, and also where no window opens for a year.
    """
    now = now.astimezone(UTC)
    yesterday = now.astimezone(hours.zone).date() - _A_DAY  # whose window may run past midnight
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
    # Of an hour that comes twice both belong to the window; one that is left out shifts its end.
    closes = max(_instant(last_day, hours.end, hours.zone, fold=fold) for fold in (0, 1))
    if closes <= opens:
        return None
    return opens + min(_delay(hours, day, who), (closes - opens) / 2), closes


def _instant(day: date, at: time, zone: tzinfo, *, fold: int) -> datetime:
    return datetime.combine(day, at.replace(fold=fold), tzinfo=zone).astimezone(UTC)


def _delay(hours: Hours, day: date, who: str) -> timedelta:
    """Return by how much the window opens later: the same in every process, another each day."""
    if not hours.jitter_minutes:
        return timedelta(0)
    digest = hashlib.blake2b(f"{day} {who}".encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest) % (hours.jitter_minutes * 60 + 1))
