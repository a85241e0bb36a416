"""The calendar file, as another library reads it: days, texts, crowded days, stamps that stay."""

import stat
from datetime import UTC, date, datetime, timedelta

import pytest
from ical.calendar_stream import IcsCalendarStream
from support.review_rows import a_policy, a_row
from support.stored import a_library

from worker.domain.reviews.owners import parse_owners
from worker.domain.reviews.review import Acknowledgement
from worker.errors import ConfigurationError
from worker.reviews.icalendar_file import render_calendar, write_calendar

TODAY = date(2026, 3, 20)
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
DUE = date(2026, 3, 30)
POLICY = a_policy(owners=parse_owners("/pages/ @asha\n"))


def render(*rows, now=NOW, today=TODAY):
    return render_calendar(rows, today=today, now=now, policy=POLICY)


def read(data):
    calendar = IcsCalendarStream.calendar_from_ics(data.decode())
    return {event.uid: event for event in calendar.events}


def only(*rows):
    [event] = read(render(*rows)).values()
    return event


def test_a_review_is_an_all_day_event_that_blocks_no_time():
    event = only(a_row(7, title="Coping with nausea"))
    assert (event.dtstart, event.start, event.end) == (DUE, DUE, DUE + timedelta(days=1))
    assert event.summary == "Review: Coping with nausea"
    assert event.uid == "document-7@content-sync"
    assert event.transparency == "TRANSPARENT"
    assert event.description.split("\n") == [
        "Path: pages/0007.md",
        "Owner: @asha",
        "Last review: 2025-12-30",
        "State: upcoming",
        "Due: 2026-03-30",
    ]
    assert (event.dtstamp, event.last_modified, event.sequence) == (NOW, NOW, 0)


def test_a_planned_review_is_on_its_planned_day_and_shows_its_due_date():
    planned = Acknowledgement(planned_on=date(2026, 3, 25))
    event = only(a_row(given=planned))
    assert event.dtstart == date(2026, 3, 25)
    assert event.description.endswith("Due: 2026-03-30; planned for 2026-03-25")


def test_a_snoozed_review_stays_on_its_due_date():
    snoozed = Acknowledgement(snoozed_until=date(2026, 4, 5), snoozes=1)
    event = only(a_row(given=snoozed))
    assert event.dtstart == DUE
    assert "State: snoozed until 2026-04-05" in event.description


def test_a_document_without_a_due_date_is_in_no_calendar():
    never = [a_row(1, due_on=None, exempt=True), a_row(2, due_on=None, last_reviewed=None)]
    assert read(render(*never)) == {}


@pytest.mark.parametrize("count", [10, 11])
def test_more_than_ten_reviews_on_a_day_are_one_event(count):
    events = read(render(*(a_row(number) for number in range(count))))
    assert len(events) == (count if count == 10 else 1)


def test_a_day_with_a_whole_library_is_one_event_that_names_the_first_pages():
    rows = [a_row(number) for number in range(1349)]
    rows += [a_row(2000 + n, due_on=DUE + timedelta(days=1 + n % 80)) for n in range(80)]
    events = read(render(*reversed(rows)))
    assert len(events) == 81
    crowd = events["day-2026-03-30@content-sync"]
    assert crowd.summary == "1,349 reviews due"
    lines = crowd.description.split("\n")
    assert lines[0] == "Page 0: pages/0000.md"
    assert (len(lines), lines[-1]) == (21, "and 1,329 more")


@pytest.mark.parametrize(
    ("plans", "summary"), [(12, "12 reviews planned"), (1, "12 reviews due or planned")]
)
def test_a_crowded_day_distinguishes_plans_from_due_dates(plans, summary):
    planned = Acknowledgement(planned_on=DUE)
    rows = [
        a_row(n, due_on=date(2026, 4, 9), given=planned) if n < plans else a_row(n)
        for n in range(12)
    ]
    event = only(*rows)
    assert event.summary == summary
    assert "Page 0: pages/0000.md (due 2026-04-09)" in event.description


HOSTILE = (
    "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:evil; a, b \\n \\; \x00\x07\u2028\u202e é \u0928\u093f"
)


def test_a_title_cannot_end_its_event():
    hostile = a_row(1, title=HOSTILE, path=f"pages/{HOSTILE}.md", owner=HOSTILE)
    data = render(hostile)
    events = read(data)
    assert set(events) == {"document-1@content-sync"}
    summary = events["document-1@content-sync"].summary
    assert summary.startswith(r"Review: x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:evil; a, b \n \;")
    assert summary.endswith("é \u0928\u093f")
    assert not any(byte < 0x20 and byte not in b"\r\n" for byte in data)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


def test_a_folded_long_title_ends_no_event(tmp_path):
    path = tmp_path / "reviews.ics"
    # One of these is folded just before the word.
    rows = [
        a_row(n, title="x" * n + "END:VEVENT", due_on=DUE + timedelta(days=n)) for n in range(75)
    ]
    data = render(*rows)
    assert b"\r\n END:VEVENT\r\n" in data
    assert write_calendar(path, data)
    assert not write_calendar(path, render(*rows, now=NOW + timedelta(hours=1)))


def test_the_file_gives_calendars_a_name_and_a_refresh_interval():
    text = render().decode()
    for line in (
        "VERSION:2.0",
        "X-WR-CALNAME:Content reviews",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ):
        assert f"{line}\r\n" in text


def test_the_file_is_not_rewritten_while_only_the_time_changes(tmp_path):
    path = tmp_path / "feeds" / "reviews.ics"
    rows = [a_row(number) for number in range(3)]
    assert write_calendar(path, render(*rows))
    before = path.stat()
    assert not write_calendar(path, render(*rows, now=NOW + timedelta(hours=1)))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_event_that_changed_is_a_new_revision_and_the_others_keep_their_stamps(tmp_path):
    path = tmp_path / "reviews.ics"
    later = NOW + timedelta(days=1)
    write_calendar(path, render(a_row(1), a_row(2)))
    for revision in (1, 2):
        moved = a_row(1, due_on=DUE + timedelta(days=revision))
        assert write_calendar(path, render(moved, a_row(2), now=later))
        events = read(path.read_bytes())
        changed, same = (events[f"document-{n}@content-sync"] for n in (1, 2))
        assert (changed.sequence, changed.last_modified) == (revision, later)
        assert (same.sequence, same.last_modified, same.dtstamp) == (0, NOW, NOW)


def test_a_removed_document_leaves_the_calendar(tmp_path):
    path = tmp_path / "reviews.ics"
    write_calendar(path, render(a_row(1), a_row(2)))
    assert write_calendar(path, render(a_row(2)))
    assert set(read(path.read_bytes())) == {"document-2@content-sync"}


def test_an_existing_file_is_replaced_and_keeps_its_mode(tmp_path):
    path = tmp_path / "reviews.ics"
    path.write_bytes(b"BEGIN:VEVENT\r\nno calendar\xff")
    path.chmod(0o640)
    assert write_calendar(path, render(a_row()))
    assert len(read(path.read_bytes())) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_file_is_reported_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"the calendar .*reviews\.ics cannot be written: "
    ):
        write_calendar(tmp_path / "file" / "reviews.ics", render())
    with pytest.raises(ConfigurationError, match="cannot be written: Is a directory"):
        write_calendar(tmp_path, render())


def test_each_sweep_writes_the_file_that_the_settings_name(sqlite_url, tmp_path, caplog):
    file = tmp_path / "var" / "reviews.ics"
    with a_library(sqlite_url, calendar={"file": file}) as library:
        library.drop("a.md", title="Eating well", lastReviewed="2026-11-20")
        library.services.sweep()
        assert "Eating well" in file.read_text()

        file.unlink()
        file.mkdir()  # where no file can be
        library.services.sweep()
    assert f"the calendar {file} cannot be written" in caplog.text
