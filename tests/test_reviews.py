"""The review sweep and what it owes, over both databases."""

from __future__ import annotations

from datetime import date

import pytest
from library import Library, a_library

from worker.settings import RouteSettings


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def stages(library: Library) -> list[tuple[str, str]]:
    return [(n["stage"], n["due_on"]) for n in reversed(library.services.notices(None))]


def test_a_page_that_is_overdue_when_it_arrives_is_told_of_at_once(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")
    assert stages(library) == [("overdue", "2026-03-30")]


def test_each_stage_is_owed_once_a_cycle(library: Library):
    library.drop("a.md", lastReviewed="2026-10-20", reviewFrequency="quarterly")
    for day in (date(2027, 1, 5), date(2027, 1, 6), date(2027, 1, 20), date(2027, 1, 21)):
        library.on(day)
        library.services.sweep()
        library.services.sweep()

    assert stages(library) == [
        ("upcoming", "2027-01-20"), ("due", "2027-01-20"), ("overdue", "2027-01-20"),
    ]  # fmt: skip


def test_upcoming_begins_fourteen_days_ahead(library: Library):
    library.drop("a.md", lastReviewed="2026-10-20", reviewFrequency="quarterly")
    library.on(date(2027, 1, 5))
    assert library.services.sweep() == 0
    library.on(date(2027, 1, 6))
    assert library.services.sweep() == 1


def test_a_review_starts_the_next_cycle(library: Library):
    library.drop("a.md", lastReviewed="2025-12-30")
    library.drop("a.md", lastReviewed="2026-11-20")
    library.on(date(2027, 2, 21))
    library.services.sweep()

    assert stages(library) == [("overdue", "2026-03-30"), ("overdue", "2027-02-20")]


def test_an_edit_is_not_a_review(library: Library):
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
def test_what_is_not_due_owes_nothing_and_is_listed(library: Library, fields, state: str):
    library.drop("a.md", **fields)

    assert library.services.sweep() == 0
    assert library.document("a.md")["review_state"] == state
    assert library.services.status()["review"][state] == 1


def test_a_dry_run_tells_and_writes_nothing(library: Library):
    library.drop("a.md", lastReviewed="2026-11-01", reviewFrequency="monthly")
    told = library.services.remind(on=date(2026, 12, 1), dry_run=True)

    assert told == {
        "notices": [{"path": "a.md", "stage": "due", "due_on": "2026-12-01", "route": "everyone"}]
    }
    assert library.services.notices(None)[0]["stage"] == "upcoming"
    assert len(library.services.notices(None)) == 1


def test_the_date_is_that_of_the_teams_zone(store_url: str):
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
    ("match", "told"),
    [
        ({"paths": ("02_nci_core/",)}, {"02_nci_core/a.md"}),
        ({"paths": ("*.txt",)}, {"99_local_navigation/b.txt"}),
        ({"source_types": ("99_local_navigation",)}, {"99_local_navigation/b.txt"}),
        ({"owners": ("Dr. Rao",)}, {"02_nci_core/a.md"}),
        ({"tags": ("travel",)}, {"99_local_navigation/b.txt"}),
        ({"kinds": ("refused",)}, set()),
    ],
)
def test_a_route_is_told_of_what_it_matches(store_url: str, match, told):
    routes = {"some": RouteSettings(channel="console", **match)}
    with a_library(store_url, routes=routes) as library:
        library.drop("02_nci_core/a.md", owner="Dr. Rao")
        library.drop("99_local_navigation/b.txt", sourceType="99_local_navigation", tags=["travel"])
        assert {n["path"] for n in library.services.notices(None)} == told


def test_parts_that_were_long_silent_are_forgotten_by_the_sweep(library: Library):
    from worker.store.liveness import find_heartbeats

    library.services.heartbeat("worker:worker@gone", {})
    library.later(days=31)
    library.services.heartbeat("watcher", {})
    library.services.sweep()

    with library.store.read() as connection:
        assert set(find_heartbeats(connection)) == {"watcher", "sweep"}
