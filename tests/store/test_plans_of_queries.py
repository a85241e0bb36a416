"""Frequent queries count in SQL and scan no table that grows with the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event
from support.stored import Library, a_library

from worker.domain.reviews.review import DefaultFrequency
from worker.ingest.holds import unanswered_refusals
from worker.reviews.snooze_and_ack import snooze
from worker.store.library import count_all, review_groups, review_rows
from worker.store.notices import last_notified
from worker.store.removals import find_removals

TODAY = date(2026, 11, 24)


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def fill(library: Library) -> None:
    """Store pages in each state of a review, and two of some."""
    for number, days in enumerate((5, 5, 80, 85, 91, 200)):
        reviewed = (TODAY - timedelta(days=days)).isoformat()
        library.drop(f"quarterly/{number}.md", lastReviewed=reviewed, reviewFrequency="quarterly")
        library.drop(f"annual/{number}.md", lastReviewed=reviewed, reviewFrequency="annual")
    library.drop("unnamed/a.md", lastReviewed="2026-08-30", reviewFrequency=None)
    library.drop("unnamed/b.md", lastReviewed="2026-08-30", reviewFrequency=None)
    library.drop("never.md", reviewFrequency="as_needed")
    library.drop("gone.md")
    library.remove("gone.md")
    library.drop("snoozed.md", lastReviewed="2026-08-01", reviewFrequency="quarterly")
    snooze(
        library.store,
        "snoozed.md",
        until=TODAY + timedelta(days=7),
        reason="away",
        by="me",
        settings=library.services.settings,
        now=library.time,
        today=TODAY,
    )


def test_counting_by_state_equals_the_state_of_each_document(library: Library):
    fill(library)
    defaults = (DefaultFrequency(frequency="annual", paths=("unnamed/a.md",)),)
    for policy in (
        library.services.policy,
        replace(library.services.policy, default_frequencies=defaults),
    ):
        with library.store.read() as connection:
            one_by_one = Counter(
                policy.state_of(row, today=TODAY) for row in review_rows(connection)
            )
            counted: Counter[str] = Counter()
            for group in review_groups(connection, by_path=policy.defaults_by_path):
                counted[policy.state_of(group, today=TODAY)] += group.count

        assert counted == one_by_one
        assert counted.total() == 16
        assert len(counted) >= 5


def plans_of(connection: Connection, ask: Callable[[], object]) -> tuple[int, list[str]]:
    """Return how many queries a function makes, and the steps by which SQLite answers them."""
    asked: list[tuple[str, Any]] = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask()
    event.remove(connection, "before_cursor_execute", note)
    return len(asked), [
        row[3]
        for statement, parameters in asked
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]


def test_a_sweep_scans_no_growing_table(sqlite_url: str):
    until = TODAY + timedelta(days=60)

    with a_library(sqlite_url) as library, library.store.read() as connection:

        def sweep() -> None:
            last_notified(connection, today=TODAY, zone=UTC)
            list(review_rows(connection, due_until=until, planned_until=TODAY))

        asked, plans = plans_of(connection, sweep)

    assert asked == 3
    assert [
        step for step in plans if step.startswith("SCAN") and "acknowledgements" not in step
    ] == []
    assert "SEARCH documents USING INDEX ix_documents_due_on (due_on>?)" not in plans


def test_a_delivery_scans_refusals_and_not_live_documents(sqlite_url: str):
    """It looks for a mass of refusals every few seconds: 8% of a core over 100,000 documents."""
    with a_library(sqlite_url) as library, library.store.read() as connection:
        asked, plans = plans_of(
            connection,
            lambda: unanswered_refusals(
                connection, library.services.settings.brake, now=library.time
            ),
        )

    assert asked == 2
    assert [step for step in plans if "documents" in step and "rowid=?" not in step] == []


def test_a_count_of_reviews_scans_the_table_in_order(sqlite_url: str):
    """As for `known_files`: by the index of due dates it takes twice as long."""
    with a_library(sqlite_url) as library, library.store.read() as connection:
        asked, plans = plans_of(connection, lambda: list(review_groups(connection, by_path=True)))

    assert asked == 1
    assert "SCAN documents" in plans


def test_the_other_counts_use_indexes_only(sqlite_url: str):
    with a_library(sqlite_url) as library, library.store.read() as connection:
        _, plans = plans_of(connection, lambda: count_all(connection))

    scans = [step for step in plans if step.startswith("SCAN documents")]
    assert len(scans) == 1
    assert "USING COVERING INDEX" in scans[0]


def test_the_removals_of_a_day_are_found_from_the_end_of_the_events(sqlite_url: str):
    """The brake asks with every deletion, and the table has the events of all years."""
    with a_library(sqlite_url) as library, library.store.read() as connection:
        since = library.time - timedelta(hours=24)
        asked, plans = plans_of(connection, lambda: find_removals(connection, since))

    assert asked == 1
    touched = [step for step in plans if "events" in step]
    # The scan goes backwards by ID and ends at the first event before the day.
    assert sorted(touched) == [
        "SCAN events",
        "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)",
    ]
