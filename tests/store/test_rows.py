"""Many rows at once: what is stored is what SQLAlchemy itself would store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError
from support.stored import a_library

from worker.domain.changes.change import ChangeClass
from worker.store.documents import create_documents
from worker.store.rows import insert_rows
from worker.store.schema import bodies, documents, events

NOW = datetime(2026, 11, 24, 9, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def store(store_url):
    with a_library(store_url) as library:
        yield library.store


def a_document(path, **fields):
    return {
        "path": path, "state": "live", "number": 1, "sha256": "f" * 64, "observed": 2**62,
        "size": 12, "mtime_ns": -1, "inode": 2**63 - 1, "title": "जी मिचलाना 😀", "status": "active",
        "label": "v1", "source_type": None, "owner": None, "tags": [], "last_reviewed": None,
        "review_frequency": None, "due_on": None, "exempt": False, "risk_category": None,
        "created_at": NOW, "updated_at": NOW,
    } | fields  # fmt: skip


def an_event(**fields):
    return {
        "at": NOW, "kind": "version.stored", "path": "a.md", "document_id": None, "number": None,
        "data": {},
    } | fields  # fmt: skip


DOCUMENTS = [
    a_document("a.md"),
    a_document("b.md", tags=["x", "é"], due_on=date(2026, 3, 30), last_reviewed=date(1999, 1, 1)),
    a_document("c.md", exempt=True, owner="", created_at=NOW + timedelta(days=1)),
    a_document("d.md", updated_at=NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))),
    a_document("e.md", created_at=NOW.replace(microsecond=0), status=ChangeClass.CONTENT),
]
EVENTS = [
    an_event(data={"a": [1, 2.5, None, True, {"b": '"\n'}], "kind": ChangeClass.REVIEW}),
    an_event(document_id=7, number=3, at=datetime(2026, 11, 24, tzinfo=UTC)),
]


@pytest.mark.parametrize(("table", "rows"), [(documents, DOCUMENTS), (events, EVENTS)])
def test_rows_are_stored_as_sqlalchemy_stores_them(store, table, rows):
    columns = [column for column in table.c if column.name != "id"]

    def stored(put):
        with store.write() as connection:
            connection.execute(table.delete())
            put(connection)
            # As the database holds them, whatever their types make of that.
            found = connection.execute(select(*columns).order_by(table.c.id)).all()
            types = [[type(value) for value in row] for row in found]
            raw = connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY id").all()
            return found, types, [row[1:] for row in raw]

    ours = stored(lambda connection: insert_rows(connection, table, rows))
    theirs = stored(lambda connection: connection.execute(insert(table), rows))
    assert ours == theirs
    alone = stored(lambda connection: [insert_rows(connection, table, [row]) for row in rows])
    assert alone == theirs


def test_what_is_there_already_stays_where_it_may(store):
    old, new = {"sha256": "a", "body": "first"}, {"sha256": "a", "body": "second"}
    with store.write() as connection:
        insert_rows(connection, bodies, [old])
        insert_rows(connection, bodies, [new, {"sha256": "b", "body": "other"}], if_new=True)
        insert_rows(connection, bodies, [])
        assert dict(map(tuple, connection.execute(select(bodies)))) == {
            "a": "first",
            "b": "other",
        }
    with pytest.raises(IntegrityError), store._engine.begin() as connection:
        insert_rows(connection, bodies, [new])


def test_an_instant_without_a_zone_is_refused(store):
    naive = an_event(at=datetime(2026, 11, 24))  # noqa: DTZ001 - what is refused
    with pytest.raises((ValueError, StatementError)), store.write() as connection:
        insert_rows(connection, events, [naive])


def test_new_documents_get_ids_that_none_had(store):
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
