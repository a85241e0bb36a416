"""Writes the review calendar as an iCalendar file (RFC 5545), for people who look at their calendar first.

Each document is an all-day event on the day for which its review is planned, or else on its due date. A day
with many documents is one event that names the first few. The file changes only when a review changes, and
an unchanged event keeps its stamps. This module does not serve the file. Called by `worker.library.services`
after each sweep.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from worker.atomic_write import replace_whole
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import ReviewRow, ReviewState
from worker.domain.seeds.visible import visible
from worker.errors import ConfigurationError
from worker.settings.model import Settings
from worker.store.engine import Store
from worker.store.library import review_rows

if TYPE_CHECKING:
    from icalendar import Calendar, Event

logger = logging.getLogger("content_sync.calendar")

NAME = "Content reviews"
_PROGRAM = "-//Content Sync//Reviews//EN"
_HOST = "content-sync"
#: How often calendar programs should fetch the file again, if they honour that.
_REFRESH = timedelta(hours=1)
#: A day with more documents is one event, which names the first 20.
_MOST_EVENTS_A_DAY = 10
_MOST_NAMED = 20

#: The same words inside a description are folded and begin with a space, so they do not match.
_EVENT = re.compile(rb"^BEGIN:VEVENT\r\n.*?^END:VEVENT\r\n", re.DOTALL | re.MULTILINE)
_UID = re.compile(rb"^UID:(.*)\r$", re.MULTILINE)
_SEQUENCE = re.compile(rb"^SEQUENCE:([0-9]{1,9})\r$", re.MULTILINE)
_STAMPS = re.compile(rb"^(?:DTSTAMP|LAST-MODIFIED|SEQUENCE):.*\r\n", re.MULTILINE)


def publish_calendar(
    store: Store, settings: Settings, policy: Policy, *, now: datetime, today: date
) -> None:
    """Write the review calendar if the settings name a file; log a failure and go on."""
    file = settings.calendar.file
    if file is None:
        return
    with store.read() as connection:
        data = render_calendar(review_rows(connection), today=today, now=now, policy=policy)
    try:
        write_calendar(file, data)
    except ConfigurationError as error:
        logger.warning("%s", error)


def render_calendar(
    rows: Iterable[ReviewRow], *, today: date, now: datetime, policy: Policy
) -> bytes:
    """Return a new calendar of all reviews that have a date; each event is in its first revision.

    `today` is a date in the team's zone. `now` is aware, and the stamp of every event.
    """
    days: defaultdict[date, list[ReviewRow]] = defaultdict(list)
    for row in rows:
        if (day := row.given.planned_on or row.due_on) is not None and row.due_on is not None:
            days[day].append(row)
    calendar = _calendar()
    for day, due in sorted(days.items()):
        due.sort(key=lambda row: row.path)
        if len(due) > _MOST_EVENTS_A_DAY:
            calendar.add_component(_crowded_day(day, due, now))
            continue
        for row in due:
            state = policy.state_of(row, today=today)
            calendar.add_component(_review(day, row, state, now, policy))
    data: bytes = calendar.to_ical()
    return data


def write_calendar(path: Path, data: bytes) -> bool:
    """Write what `render_calendar` returned, atomically; return False if the file already says so.

    Unchanged events keep their stamps, a changed one gets the next `SEQUENCE`. Creates the folder if it is
    missing. Raises `ConfigurationError` when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            before = path.read_bytes()
        except FileNotFoundError:
            before = b""
        data = _carry_over(before, data)
        if data == before:
            return False
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            replace_whole(folder, path.name, data)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigurationError(
            f"the calendar {path} cannot be written: {error.strerror}"
        ) from error
    return True


def _calendar() -> Calendar:
    from icalendar import Calendar, vDuration  # noqa: PLC0415 - slow, and only where a file is named

    calendar = Calendar()
    calendar.add("prodid", _PROGRAM)
    calendar.add("version", "2.0")
    calendar.add("name", NAME)
    calendar.add("x-wr-calname", NAME)  # the same two for programs older than RFC 7986
    calendar.add("refresh-interval", vDuration(_REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(_REFRESH))
    return calendar


def _review(day: date, row: ReviewRow, state: ReviewState, now: datetime, policy: Policy) -> Event:
    owners = policy.owners.of(row.path, row.owner).owners
    lines = [
        f"Path: {row.path}",
        f"Owner: {', '.join(owners) or 'nobody'}",
        f"Last review: {row.last_reviewed or 'unknown'}",
        f"State: {state}",
    ]
    if state is ReviewState.SNOOZED:
        lines[-1] += f" until {row.given.snoozed_until}"
    lines.append(f"Due: {row.due_on}")
    if row.given.planned_on is not None:
        lines[-1] += f"; planned for {row.given.planned_on}"
    return _event(f"document-{row.document_id}", day, f"Review: {row.title}", lines, now)


def _crowded_day(day: date, rows: Sequence[ReviewRow], now: datetime) -> Event:
    planned = sum(row.given.planned_on is not None for row in rows)
    word = "planned" if planned == len(rows) else "due or planned" if planned else "due"
    lines = [_named(row) for row in rows[:_MOST_NAMED]]
    if len(rows) > _MOST_NAMED:
        lines.append(f"and {len(rows) - _MOST_NAMED:,} more")
    return _event(f"day-{day}", day, f"{len(rows):,} reviews {word}", lines, now)


def _named(row: ReviewRow) -> str:
    due = f" (due {row.due_on})" if row.given.planned_on is not None else ""
    return f"{row.title}: {row.path}{due}"


def _event(uid: str, day: date, summary: str, lines: Iterable[str], now: datetime) -> Event:
    from icalendar import Event  # noqa: PLC0415

    event = Event()
    event.add("uid", f"{uid}@{_HOST}")
    event.add("dtstamp", now)
    event.add("last-modified", now)
    event.add("sequence", 0)
    event.add("dtstart", day)
    event.add("transp", "TRANSPARENT")  # the event blocks nobody's day
    event.add("summary", visible(summary))
    event.add("description", "\n".join(visible(line) for line in lines))
    return event


def _carry_over(before: bytes, data: bytes) -> bytes:
    """Return the new calendar with the stamps of events that the file already has."""
    known: dict[bytes | None, bytes] = {_uid(event): event for event in _EVENT.findall(before)}

    def carry(match: re.Match[bytes]) -> bytes:
        new = match[0]
        old = known.get(_uid(new))
        if old is None:
            return new
        if _STAMPS.sub(b"", old) == _STAMPS.sub(b"", new):
            return old
        revision = _SEQUENCE.search(old)
        following = int(revision[1]) + 1 if revision is not None else 1
        return _SEQUENCE.sub(b"SEQUENCE:%d\r" % following, new)

    return _EVENT.sub(carry, data)


def _uid(event: bytes) -> bytes | None:
    found = _UID.search(event)
    return found[1] if found is not None else None
