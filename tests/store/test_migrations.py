"""The tables that the migrations make are those of the models, on both databases."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from support.programs import clean_environment

import worker.store.migrate as subject
from worker.domain.folder.chain_laws import check_chain
from worker.errors import ConfigurationError, StoreUnavailableError
from worker.store.chain import chained_events
from worker.store.documents import add_events, event_row
from worker.store.engine import Connection, Store, parse_url
from worker.store.epochs import checkpoint
from worker.store.library import list_versions
from worker.store.paths import Verdicts, known_files
from worker.store.schema import metadata

MIGRATIONS = Path(subject.__file__).parent / "migrations"


@pytest.fixture
def store(empty_store_url: str):
    store = Store(empty_store_url)
    yield store
    store.close()


def test_the_migrations_create_the_tables_of_the_models(store: Store):
    assert subject.migrate(store) == (None, subject.HEAD)

    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_empty_sqlite_store_gets_the_tables_of_the_migrations(tmp_path: Path):
    made, migrated = (Store(f"sqlite:///{tmp_path / name}.db") for name in ("made", "migrated"))
    subject.migrate(made)
    upgrade_to(migrated, "head")

    assert describe(made) == describe(migrated)
    for store in (made, migrated):
        store.close()


def describe(store: Store) -> dict[str, object]:
    """Return all that SQLite knows of each table: its columns by name, keys, indexes and rows."""
    described: dict[str, object] = {}
    with store.read() as connection:
        sql = connection.exec_driver_sql
        for name, made_by in sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all():
            rows = sql(f"SELECT * FROM {name}").all()
            if name == "epochs":  # its names and its time are each store's own
                rows = [(row.number, row.reason, row.after_event) for row in rows]
            columns = {row[1]: row[2:] for row in sql(f"PRAGMA table_info({name})").all()}
            indexes = {
                (index[1], index[2], index[4]): sql(f"PRAGMA index_xinfo('{index[1]}')").all()
                for index in sql(f"PRAGMA index_list({name})").all()
            }
            where = sql(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (name,)
            )
            described[name] = (
                rows,
                columns,
                {key: {(c[2], *c[3:]) for c in found} for key, found in indexes.items()},
                {key: " ".join(str(text).split()) for key, text in where.all()},
                set(sql(f"PRAGMA foreign_key_list({name})").all()),
                set(re.findall(r"CONSTRAINT \"?(\w+)", made_by)),
                "AUTOINCREMENT" in made_by,
            )
    return described


def test_live_due_dates_and_pending_notices_have_partial_indexes(store: Store):
    subject.migrate(store)

    with store.read() as connection:
        found = inspect(connection)
        for table, index, state in (
            ("documents", "ix_documents_due_on", "live"),
            ("notices", "ix_notices_pending", "pending"),
        ):
            (options,) = (
                one["dialect_options"] for one in found.get_indexes(table) if one["name"] == index
            )
            assert f"'{state}'" in str(options[f"{connection.dialect.name}_where"])


def test_constraints_have_the_names_of_the_models(store: Store):
    subject.migrate(store)

    with store.read() as connection:
        found = inspect(connection)
        assert found.get_pk_constraint("documents")["name"] == "pk_documents"
        assert [u["name"] for u in found.get_unique_constraints("versions")] == [
            "uq_versions_document_id"
        ]


def test_the_head_in_the_code_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == subject.HEAD


def test_a_second_migration_finds_nothing_to_do(store: Store):
    subject.migrate(store)
    assert subject.migrate(store) == (subject.HEAD, subject.HEAD)


def test_a_store_of_the_first_version_keeps_its_versions(store: Store):
    upgrade_to(store, "0001")
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO documents (id, path, state, number, sha256, observed, size, mtime_ns, inode,"
            " title, status, label, tags, exempt, created_at, updated_at)"
            " VALUES (1, 'a.md', 'live', 1, 'x', 1, 1, 1, 1, 'A', 'active', 'v1', '[]', false,"
            " '2026-11-24 12:00:00', '2026-11-24 12:00:00')"
        )
        connection.exec_driver_sql("INSERT INTO bodies (sha256, body) VALUES ('b', '# A')")
        insert_version_of_0001(connection, number=1)

    assert subject.migrate(store) == ("0001", subject.HEAD)

    with store.write() as connection:
        insert_version_of_0001(connection, number=2)  # by a program that is not upgraded yet
    with store.read() as connection:
        for number, row in enumerate(list_versions(connection, 1), start=1):
            assert (row.number, row.change, row.lines_added) == (number, "content", 1)
            assert (row.sections, row.figures, row.links, row.risk) == ([], [], [], "low")
        assert row.number == 2


def test_events_are_renamed_by_the_upgrade_and_back_by_the_downgrade(store: Store):
    upgrade_to(store, "0004")
    with store.write() as connection:
        for number, kind in enumerate(("seed.mended", "document.mended", "seed.refused"), start=1):
            connection.exec_driver_sql(
                "INSERT INTO events (id, at, kind, path, data)"
                f" VALUES ({number}, '2026-11-24 12:00:00', '{kind}', 'a.md', '{{}}')"
            )

    subject.migrate(store)
    assert kinds_of_events(store) == ["seed.fixed", "document.repaired", "seed.refused"]

    downgrade_to(store, "0004")
    assert kinds_of_events(store) == ["seed.mended", "document.mended", "seed.refused"]


def test_the_files_of_an_earlier_store_have_neither_ctime_nor_judge_yet(store: Store):
    upgrade_to(store, "0006")
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO paths (path, observed, accepted, size, mtime_ns, inode, sha256, state, problems)"
            " VALUES ('a.md', 9, 9, 5, 6, 7, 'x', 'live', '[]')"
        )

    subject.migrate(store)
    with store.read() as connection:
        held = known_files(connection, Verdicts("0123", date(2026, 11, 24)))["a.md"]
        assert (held.stamp, held.judged) == ((5, 6, 7, 0), False)

    downgrade_to(store, "0006")
    upgrade_to(store, "head")
    with store.read() as connection:
        held = known_files(connection, Verdicts("0123", date(2026, 11, 24)))["a.md"]
        assert (held.stamp, held.judged) == ((5, 6, 7, 0), False)


def test_the_events_of_an_earlier_store_are_chained(store: Store):
    upgrade_to(store, "0008")
    for number in range(1, 1003):  # more than one page
        add_event_of_0008(store, number)

    subject.migrate(store)
    with store.read() as connection:
        rows = list(chained_events(connection))
        assert [row.id for row in rows] == list(range(1, 1003))
        assert all(row.salt and row.content_sha256 and row.chain_sha256 for row in rows)
        assert list(check_chain(rows)) == []


def test_an_event_of_a_program_that_is_not_upgraded_yet_is_chained_before_the_next(store: Store):
    subject.migrate(store)
    add_event_of_0008(store, 1)
    with store.read() as connection:
        assert checkpoint(connection) is None
    with store.write() as connection:
        store.lock_events(connection)
        add_events(connection, [event_row(datetime.now(UTC), "seed.fixed", "b.md")])

    with store.read() as connection:
        rows = list(chained_events(connection))
        assert [row.path for row in rows] == ["a.md", "b.md"]
        assert None not in {row.chain_sha256 for row in rows}
        assert list(check_chain(rows)) == []


def add_event_of_0008(store: Store, number: int) -> None:
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO events (at, kind, path, number, data) VALUES"
            f" ('2026-11-24 12:00:00', 'version.stored', 'a.md', {number}, '{{\"similarity\": 1.0}}')"
        )


def kinds_of_events(store: Store) -> list[str]:
    with store.read() as connection:
        rows = connection.exec_driver_sql("SELECT kind FROM events ORDER BY id").all()
    return [row.kind for row in rows]


def upgrade_to(store: Store, revision: str) -> None:
    with _migrating(store) as config:
        command.upgrade(config, revision)


def downgrade_to(store: Store, revision: str) -> None:
    with _migrating(store) as config:
        command.downgrade(config, revision)


@contextmanager
def _migrating(store: Store) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.migrate() as connection:
        config.attributes["connection"] = connection
        yield config


def insert_version_of_0001(connection: Connection, *, number: int) -> None:
    connection.exec_driver_sql(
        "INSERT INTO versions (id, document_id, number, path, label, sha256, body_sha256, front_matter,"
        " metadata, change, fields, lines_added, lines_removed, observed_at, stored_at)"
        f" VALUES ({number}, 1, {number}, 'a.md', 'v1', 'x', 'b', '', '{{}}', 'content', '[]', 1, 0,"
        " '2026-11-24 12:00:00', '2026-11-24 12:00:00')"
    )


def test_concurrent_migrations_run_once(empty_store_url: str, tmp_path: Path):
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "worker", "migrate"],
            cwd=tmp_path,
            env=clean_environment({"CONTENT_SYNC_STORE_URL": empty_store_url}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in running:
        _out, err = process.communicate()
        assert process.returncode == 0, err
    store = Store(empty_store_url)
    subject.require_schema(store)
    store.close()


def test_a_store_of_a_newer_version_is_refused_in_one_line(store: Store):
    subject.migrate(store)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailableError, match=r"newer version.* revision 9999"):
        subject.require_schema(store)
    with pytest.raises(StoreUnavailableError, match="newer version"):
        subject.migrate(store)


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_the_url_of_an_unknown_database_is_a_configuration_error(url: str):
    with pytest.raises(ConfigurationError, match="store_url"):
        parse_url(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_any_spelling_of_postgresql_uses_the_shipped_driver(scheme: str):
    assert parse_url(f"{scheme}://user:pw@host/name").drivername == "postgresql+psycopg"
