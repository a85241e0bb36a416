"""The review sweep and what it owes, over both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select
from support.stored import Library, a_library

from worker.reviews.snooze_and_ack import acknowledge, snooze
from worker.settings.model import RouteSettings
from worker.store.schema import notices


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def stages(library: Library) -> list[tuple[str, str]]:
    return [(n["rung"], n["due_on"]) for n in reversed(library.services.notices(None))]


def test_a_page_that_is_overdue_on_arrival_owes_a_notice_at_once(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")
    assert stages(library) == [("overdue", "2026-03-30")]


def test_each_stage_is_owed_once_a_cycle(library: Library):
    library.drop("a.md", lastReviewed="2026-10-20", reviewFrequency="quarterly")
    for day in (date(2027, 1, 6), date(2027, 1, 17), date(2027, 1, 20), date(2027, 1, 21)):
        library.on(day)
        library.services.sweep()
        library.services.sweep()

    assert stages(library) == [
        ("ahead-14", "2027-01-20"), ("ahead-3", "2027-01-20"),
        ("due", "2027-01-20"), ("overdue", "2027-01-20"),
    ]  # fmt: skip


def test_a_quarterly_review_is_announced_fourteen_days_ahead(library: Library):
    library.drop("a.md", lastReviewed="2026-10-20", reviewFrequency="quarterly")
    library.on(date(2027, 1, 5))
    assert library.services.sweep() == 0
    library.on(date(2027, 1, 6))
    assert library.services.sweep() == 1


def test_a_recorded_review_starts_the_next_cycle(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")
    library.drop("a.md", lastReviewed="2026-11-20")
    library.on(date(2027, 2, 21))
    library.services.sweep()

    assert stages(library) == [("overdue", "2026-03-30"), ("overdue", "2027-02-20")]


def test_an_edit_does_not_count_as_a_review(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")
    library.drop("a.md", lastReviewed="2025-12-30", body="Another text, with enough words in it.\n")

    assert library.document("a.md")["due_on"] == "2026-03-30"
    assert len(stages(library)) == 1


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"reviewFrequency": "as_needed"}, "exempt"),
        ({"status": "inactive"}, "exempt"),
        ({"reviewFrequency": None}, "unknown"),
        ({"lastReviewed": None}, "unknown"),
        ({"lastReviewed": "2026-11-01", "reviewFrequency": "annual"}, "current"),
    ],
)
def test_a_review_that_is_not_due_owes_nothing_and_is_listed(library: Library, fields, state: str):
    library.drop("a.md", **fields)

    assert library.services.sweep() == 0
    assert library.document("a.md")["review_state"] == state
    assert library.services.status()["review"][state] == 1


def test_live_and_retired_documents_are_counted(library: Library):
    for path in ("a.md", "b.md", "c.md"):
        library.drop(path, title=path)
    library.remove("b.md")

    status = library.services.status()
    assert status["documents"] == {"live": 2, "retired": 1}
    assert sum(status["review"].values()) == 2


def test_a_dry_run_reports_and_writes_nothing(library: Library):
    library.drop("a.md", lastReviewed="2026-10-26", reviewFrequency="monthly")
    notified = library.services.remind(on=date(2026, 11, 26), dry_run=True)

    assert notified == {
        "notices": [
            {
                "path": "a.md",
                "stage": "due",
                "rung": "due",
                "due_on": "2026-11-26",
                "route": "everyone",
            }
        ]
    }
    assert library.services.notices(None)[0]["rung"] == "ahead-3"
    assert library.services.notices(None)[0]["stage"] == "upcoming"
    assert len(library.services.notices(None)) == 1


def test_the_date_is_in_the_zone_of_the_team(store_url: str):
    with a_library(store_url, review={"timezone": "Asia/Kolkata"}) as library:
        library.time = library.time.replace(hour=20)  # 01:30 the next day in Kolkata
        library.drop("a.md", lastReviewed="2026-10-25", reviewFrequency="monthly")
        assert library.document("a.md")["review_state"] == "due"


def test_a_default_by_source_type_fills_a_missing_frequency(store_url: str):
    cadences = [{"source_type": "02_nci_core", "frequency": "quarterly"}]
    with a_library(store_url, review={"default_cadences": cadences}) as library:
        library.drop("a.md", lastReviewed="2025-12-30", reviewFrequency=None)
        assert library.document("a.md")["due_on"] == "2026-03-30"


@pytest.mark.parametrize(
    ("match", "notified"),
    [
        ({"paths": ("02_nci_core/",)}, {"02_nci_core/a.md"}),
        ({"paths": ("*.txt",)}, {"99_local_navigation/b.txt"}),
        ({"source_types": ("99_local_navigation",)}, {"99_local_navigation/b.txt"}),
        ({"owners": ("Dr. Rao",)}, {"02_nci_core/a.md"}),
        ({"tags": ("travel",)}, {"99_local_navigation/b.txt"}),
        ({"kinds": ("refused",)}, set()),
    ],
)
def test_a_route_gets_notices_for_the_documents_that_it_matches(store_url: str, match, notified):
    routes = {"some": RouteSettings(channel="console", **match)}
    with a_library(store_url, routes=routes) as library:
        library.drop("02_nci_core/a.md", owner="Dr. Rao")
        library.drop("99_local_navigation/b.txt", sourceType="99_local_navigation", tags=["travel"])
        assert {n["path"] for n in library.services.notices(None)} == notified


def test_the_sweep_forgets_processes_that_have_been_silent_for_long(library: Library):
    from worker.store.liveness import find_heartbeats

    library.services.heartbeat("worker:worker@gone", {})
    library.later(days=31)
    library.services.heartbeat("watcher", {})
    library.services.sweep()

    with library.store.read() as connection:
        assert set(find_heartbeats(connection)) == {"watcher", "sweep"}


# Repeats, escalation, and what people answer


def route(**options) -> RouteSettings:
    return RouteSettings(channel="console", **options)


def owed(library: Library, day: date) -> set[tuple[str, str]]:
    """Sweep on a day, and return the stages that are new, with their routes."""
    library.on(day)
    before = {n["id"] for n in library.services.notices(None)}
    library.services.sweep()
    new = [n for n in library.services.notices(None) if n["id"] not in before]
    return {(n["route"], n["rung"]) for n in new}


def answer(library: Library, how, **details) -> None:
    """Answer the review of `a.md` as a person does."""
    services = library.services
    today = services.today()
    if how is snooze:
        details["settings"] = services.settings
    how(library.store, "a.md", by="Asha", now=library.time, today=today, **details)


def test_an_overdue_review_is_repeated_a_week_after_its_notice(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")  # due on 2026-03-30, notice on 2026-11-24
    for day in range(25, 31):
        assert owed(library, date(2026, 11, day)) == set()
    assert owed(library, date(2026, 12, 1)) == {("everyone", "overdue+246")}
    assert owed(library, date(2026, 12, 1)) == set()
    assert owed(library, date(2026, 12, 20)) == {("everyone", "overdue+253")}
    assert owed(library, date(2026, 12, 26)) == set()


def test_a_clock_that_steps_back_creates_no_notice_twice(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")
    assert owed(library, date(2026, 12, 1)) == {("everyone", "overdue+246")}
    assert owed(library, date(2026, 11, 20)) == set()
    assert owed(library, date(2026, 12, 2)) == set()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia", "UTC"])
def test_every_date_owes_its_stage_once_after_any_number_of_sweeps(sqlite_url: str, zone: str):
    with a_library(sqlite_url, review={"timezone": zone}) as library:
        library.time = datetime(2026, 10, 20, tzinfo=UTC)  # clocks change on 25 October
        library.drop("a.md", lastReviewed="2026-09-25", reviewFrequency="monthly")
        while library.time < datetime(2026, 11, 10, tzinfo=UTC):
            library.services.sweep()
            library.services.sweep()
            library.later(hours=1)  # every one of these zones begins its days at a whole hour

        notified = [n["rung"] for n in reversed(library.services.notices(None))]
        assert notified == ["ahead-3", "due", "overdue", "overdue+8", "overdue+15"]


@pytest.fixture
def team(store_url: str):
    routes = {
        "asha": route(owners=("Asha",), backup="ravi", lead="meera"),
        "ravi": route(owners=("Ravi",)),
        "meera": route(owners=("Meera",)),
        "nobodys": route(fallback=True),
    }
    with a_library(store_url, routes=routes) as library:
        library.time = datetime(2026, 3, 30, 12, tzinfo=UTC)
        yield library


def test_the_backup_gets_a_notice_after_a_week_and_the_lead_after_three(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="asha")
    assert owed(team, date(2026, 3, 31)) == {("asha", "overdue")}
    assert owed(team, date(2026, 4, 5)) == set()
    assert team.document("a.md")["review_state"] == "overdue"
    assert owed(team, date(2026, 4, 6)) == {("ravi", "backup")}
    assert team.document("a.md")["review_state"] == "escalated"
    assert owed(team, date(2026, 4, 20)) == {("asha", "overdue+8"), ("meera", "lead")}
    assert owed(team, date(2026, 4, 21)) == set()


def test_a_review_ends_the_cycle_and_cancels_waiting_notices(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="Asha")
    assert owed(team, date(2026, 4, 20)) == {
        ("asha", "overdue"), ("ravi", "backup"), ("meera", "lead"),
    }  # fmt: skip
    team.drop("a.md", lastReviewed="2026-04-20", owner="Asha")
    team.later(seconds=6)
    assert {d.state for d in team.services.deliver()} == {"cancelled"}
    assert team.services.status()["notices"]["pending"] == 0
    assert owed(team, date(2026, 7, 21)) == {("asha", "overdue")}


def test_the_fallback_gets_notices_that_nobody_answers_for(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30")
    team.drop("b.md", lastReviewed="2025-12-30", owner="Somebody Else")
    team.drop("c.md", lastReviewed="2025-12-30", owner="@Ravi")
    notified = {(n["path"], n["route"]) for n in team.services.notices(None)}
    assert notified == {("a.md", "nobodys"), ("b.md", "nobodys"), ("c.md", "ravi")}


def test_the_owner_of_a_refused_file_gets_a_notice(team: Library):
    team.drop("a.md", owner="Ravi", status="whatever")
    assert [n["route"] for n in team.services.notices(None)] == ["ravi"]


def test_a_snoozed_review_owes_no_notice_until_the_snooze_ends(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="Asha")
    assert owed(team, date(2026, 3, 31)) == {("asha", "overdue")}
    team.later(seconds=6)
    team.services.deliver()
    answer(team, snooze, until=date(2026, 4, 9), reason="in hospital")

    assert owed(team, date(2026, 4, 8)) == set()
    assert team.document("a.md")["review_state"] == "snoozed"
    assert team.document("a.md")["due_on"] == "2026-03-30"
    assert owed(team, date(2026, 4, 9)) == {("asha", "overdue+10"), ("ravi", "backup")}


def test_a_message_that_waits_while_its_review_is_snoozed_is_sent_afterwards(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="Asha")
    assert owed(team, date(2026, 4, 7)) == {("asha", "overdue"), ("ravi", "backup")}
    answer(team, snooze, until=date(2026, 4, 9), reason="in hospital")
    team.later(seconds=6)
    assert {d.state for d in team.services.deliver()} == {"cancelled"}
    assert owed(team, date(2026, 4, 8)) == set()
    assert owed(team, date(2026, 4, 9)) == {("asha", "overdue"), ("ravi", "backup")}


def test_an_acknowledged_review_is_not_repeated_for_a_while(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="Asha")
    assert owed(team, date(2026, 3, 31)) == {("asha", "overdue")}
    team.on(date(2026, 4, 6))
    answer(team, acknowledge, until=date(2026, 4, 13))
    assert owed(team, date(2026, 4, 7)) == {("ravi", "backup")}
    assert owed(team, date(2026, 4, 13)) == {("asha", "overdue+14")}


def test_an_answer_counts_only_in_its_cycle(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="Asha")
    answer(team, snooze, until=date(2026, 4, 20), reason="on leave")
    team.drop("a.md", lastReviewed="2026-01-05", owner="Asha")
    assert team.document("a.md")["review_state"] == "upcoming"


# What cannot wait, and what may be asked for


def test_a_retraction_is_reported_at_once_unless_the_page_was_never_served(team: Library):
    team.drop("a.md", owner="Ravi", reviewFrequency="as_needed")
    team.drop("a.md", owner="Ravi", reviewFrequency="as_needed", status="deprecated")
    team.remove("a.md")
    team.drop("b.md", owner="Ravi", status="inactive")
    team.drop("c.md", owner="Ravi", reviewFrequency="as_needed")
    team.remove("c.md")
    notified = {(n["path"], n["kind"], n["route"]) for n in team.services.notices(None)}
    assert notified == {("a.md", "retracted", "ravi"), ("c.md", "retracted", "ravi")}


@pytest.mark.parametrize(("ask", "stages"), [(True, ["asked-2"]), (False, [])])
def test_an_edit_of_high_risk_can_request_a_review(sqlite_url: str, ask, stages):
    with a_library(sqlite_url, review={"ask_after_high_risk": ask}) as library:
        known = {"lastReviewed": "2026-11-20", "reviewFrequency": "annual"}
        text = "Take 20 mg each day, for as long as the nurse tells you to, and with some water.\n"
        library.drop("a.md", body=text, **known)
        library.drop("a.md", body=text.replace("20 mg", "40 mg"), **known)
        assert [n["rung"] for n in library.services.notices(None)] == stages
        assert library.document("a.md")["due_on"] == "2027-11-20", "the clock is left alone"
        library.drop("a.md", body=text, **(known | {"lastReviewed": "2026-11-24"}))
        assert len(library.services.notices(None)) == len(stages), "an edit that was reviewed"


def test_good_health_can_be_reported_once_a_month(store_url: str):
    routes = {"boss": route(kinds=("well",))}
    with a_library(store_url, routes=routes) as library:
        library.drop("a.md", lastReviewed="2026-11-20", reviewFrequency="quarterly")
        library.services.sweep()
        library.services.sweep()
        library.on(date(2026, 11, 30))
        library.services.sweep()
        assert [n["kind"] for n in library.services.notices(None)] == ["well"]
        library.on(date(2026, 12, 1))
        library.services.sweep()
        assert len(library.services.notices(None)) == 2
        library.on(date(2027, 3, 1))  # it is overdue
        library.services.sweep()
        assert len(library.services.notices(None)) == 2


def test_a_folder_that_cannot_be_read_is_reported_once_as_long_as_it_lasts(store_url: str):
    with a_library(store_url, routes={"boss": route(kinds=("silent",))}) as library:

        def reported(unseen: dict[str, str] | None) -> int:
            library.services.heartbeat("watcher", {"unseen": unseen})
            library.services.deliver()
            library.services.deliver()
            library.later(minutes=1)
            return len(library.services.notices(None))

        library.drop("sub/a.md")
        library.drop("other/b.md")
        library.services.sweep()
        assert reported({}) == 0
        assert reported({"sub": "2026-11-24T12:00:00+00:00"}) == 1
        assert reported(None) == 1, "a watcher that has scanned nothing yet"
        assert reported({"sub": "2026-11-24T12:02:00+00:00"}) == 1, "another watcher"
        later = {"sub": "2026-11-24T12:02:00+00:00", "": "2026-11-24T12:04:00+00:00"}
        assert reported(later) == 2
        assert reported({}) == 2
        assert reported({"sub": "2026-11-24T12:05:00+00:00"}) == 3
        with library.store.read() as connection:
            rows = connection.execute(select(notices.c.data).order_by(notices.c.id)).scalars().all()
        assert [(row["folder"], row["live"]) for row in rows] == [("sub", 1), (".", 2), ("sub", 1)]


def test_a_sweep_that_does_not_run_is_reported_once_a_day(store_url: str):
    with a_library(store_url, routes={"boss": route(kinds=("silent",))}) as library:
        library.services.sweep()
        library.services.heartbeat("watcher", {})
        library.later(hours=2, minutes=2)
        library.services.heartbeat("watcher", {})
        library.services.deliver()
        library.services.deliver()
        assert [n["kind"] for n in library.services.notices(None)] == ["silent"]
        library.later(days=1)
        library.services.heartbeat("watcher", {})
        library.services.deliver()
        assert len(library.services.notices(None)) == 2
        library.services.sweep()
        library.later(days=1)
        library.services.sweep()
        library.services.deliver()
        assert len(library.services.notices(None)) == 3, "the watcher"


def test_silence_before_this_process_started_does_not_count(store_url: str):
    with a_library(store_url, routes={"boss": route(kinds=("silent",))}) as library:
        library.services.sweep()
        library.later(days=9)
        library.services.silence_alarm.started_at = library.time
        library.services.deliver()
        assert library.services.notices(None) == []


def test_due_lists_undated_documents_last_and_omits_exempt_ones(library: Library):
    library.drop("unknown.md", lastReviewed=None)
    library.drop("later.md", lastReviewed="2026-11-20")
    library.drop("late.md", lastReviewed="2025-12-30")
    library.drop("exempt.md", reviewFrequency="as_needed")
    calendar = library.services.due(on=None, within_days=None)
    assert [(row["path"], row["state"]) for row in calendar] == [
        ("late.md", "overdue"), ("later.md", "current"), ("unknown.md", "unknown"),
    ]  # fmt: skip
    assert [r["path"] for r in library.services.due(on=None, within_days=1)] == ["late.md"]


def test_the_owner_is_notified_of_an_escalation_if_the_library_says_so(team: Library):
    team.drop("a.md", lastReviewed="2025-12-30", owner="Asha")
    notified = [team.services.preview("asha")["preview"]]
    for day in (date(2026, 4, 5), date(2026, 4, 6)):
        team.on(day)
        notified.append(team.services.preview("asha")["preview"])
    assert ["1 review escalated" in text for text in notified] == [False, False, True]
    assert team.document("a.md")["review_state"] == "escalated"
