"""Instants as people read them: in the team's zone, to the second, and how long ago.

Used by the text of commands and by the checks of `doctor`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

#: How far the clocks of two machines may differ.
CLOCKS_AGREE_WITHIN = timedelta(seconds=60)


def local_time(at: datetime | str | None, zone: tzinfo) -> str:
    """Return `2026-03-30 14:05:00`; a string is an instant of the JSON, and nothing stays nothing."""
    if not at:
        return ""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def ago(span: timedelta) -> str:
    """Return `3 minutes ago`, or `3 minutes in the future` if the clocks do not agree."""
    return f"{duration(-span)} in the future" if is_future(span) else f"{duration(span)} ago"


def is_future(span: timedelta) -> bool:
    """Return whether the time since something is so negative that two clocks do not agree."""
    return span < -CLOCKS_AGREE_WITHIN


def duration(span: timedelta) -> str:
    """Return `3 minutes`, in the largest unit of which there are at least two."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * size or size == 1:
            number = seconds // size
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    raise AssertionError
