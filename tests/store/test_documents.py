"""Documents, bodies and events, stored many at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError
from support.stored import a_library

from worker.store.documents import add_bodies, add_events, create_documents, event_row
from worker.store.schema import bodies, documents

NOW = datetime(2026, 11, 24, 9, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def store(store_url):
    with a_library(store_url) as library:
        yield library.store


def a_document(path, **fields):
    return {
        "path": path, "state": "live", "number": 1, "sha256": "f" * 64, "title": "जी मिचलाना 😀",
        "status": "active", "label": "v1", "source_type": None, "owner": None, "tags": [],
        "last_reviewed": None, "review_frequency": None, "due_on": None, "exempt": False,
        "risk_category": None, "created_at": NOW, "updated_at": NOW,
    } | fields  # fmt: skip


def test_an_existing_body_stays(store):
    with store.write() as connection:
        add_bodies(connection, {"a": "first"})
        add_bodies(connection, {"a": "second", "b": "other"})
        add_bodies(connection, {})
        assert dict(map(tuple, connection.execute(select(bodies)))) == {"a": "first", "b": "other"}


def test_an_instant_without_a_zone_is_refused(store):
    event = event_row(NOW.replace(tzinfo=None), "version.stored", "a.md")
    with pytest.raises((ValueError, StatementError)), store.write() as connection:
        add_events(connection, [event])


def test_new_documents_get_unused_ids(store):
    first = [a_document(f"{number}.md") for number in range(3)]
    with store.write() as connection:
        made = create_documents(connection, first)
    with store.write() as connection:
        again = create_documents(connection, [a_document("x.md"), a_document("y.md")])
        assert create_documents(connection, []) == {}
        held = dict(map(tuple, connection.execute(select(documents.c.path, documents.c.id))))
        # What gives ids elsewhere goes on behind them.
        connection.execute(insert(documents), [a_document("z.md")])
        last = connection.scalar(select(documents.c.id).where(documents.c.path == "z.md"))
    assert held == made | again
    assert list(held.values()) == sorted(set(held.values()))
    assert last > max(held.values())
