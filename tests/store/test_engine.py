"""Transactions: no update is lost, no password is shown, and temporary errors are tried again."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from support.stored import Library, a_library

from worker.errors import StoreUnavailableError
from worker.store import engine
from worker.store.engine import Store
from worker.store.schema import heartbeats


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def test_concurrent_writers_lose_no_update(library: Library):
    store = library.store
    library.services.heartbeat("counter", {"n": 0})

    def increase(_: int) -> None:
        def work(connection):
            query = select(heartbeats.c.data).where(heartbeats.c.name == "counter")
            data = connection.scalar(query.with_for_update())
            connection.execute(
                update(heartbeats)
                .where(heartbeats.c.name == "counter")
                .values(data={"n": data["n"] + 1})
            )

        store.transact(work)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increase, range(80)))

    with store.read() as connection:
        assert connection.scalar(select(heartbeats.c.data))["n"] == 80


def test_a_writer_that_timed_out_tries_again(sqlite_url: str, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_WAIT_SECONDS", 0)
    first, second = Store(sqlite_url), Store(sqlite_url)
    with first.write() as connection:
        monkeypatch.setattr(engine.time, "sleep", lambda _seconds: connection.rollback())
        assert second.transact(lambda other: other.scalar(text("SELECT 1"))) == 1
    first.close()
    second.close()


def test_sqlite_has_the_required_pragmas(sqlite_url: str):
    store = Store(sqlite_url)
    with store.read() as connection:
        settings = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "page_size")
        }
    store.close()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
        "page_size": 8192,
    }


def test_a_failed_transaction_leaves_nothing(library: Library):
    def work(connection):
        connection.execute(heartbeats.insert().values(name="x", at=library.time, data={}))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        library.store.transact(work)

    with library.store.read() as connection:
        assert connection.execute(select(heartbeats)).all() == []


def test_an_unreachable_database_is_reported_without_its_password():
    store = Store("postgresql://someone:s3cret@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError) as raised, store.read():
        pass
    assert "s3cret" not in str(raised.value)
    assert "127.0.0.1:1" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_process_that_hangs_with_the_lock_of_the_events_loses_its_transaction(
    postgres_url: str, monkeypatch
):
    silent, other = Store(postgres_url), Store(postgres_url)
    connection = silent._engine.connect()
    with monkeypatch.context() as patch:
        patch.setattr(engine, "LONGEST_HOLD_SECONDS", 0.1)
        silent.lock_events(connection)
    with other.write() as writing:
        other.lock_events(writing)  # waits until the silent one has lost it
    with pytest.raises(DBAPIError, match="idle-in-transaction"):
        connection.execute(text("SELECT 1"))
    connection.close()
    silent.close()
    other.close()


def test_a_silent_machine_is_given_up_on_both_sides(postgres_url: str):
    store = Store(postgres_url)
    with store.read() as connection:
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
        theirs = [int(connection.scalar(text(f"SHOW {name}"))) for name in names]
        ours = connection.connection.driver_connection.info.get_parameters()
    store.close()
    assert theirs[0] + theirs[1] * theirs[2] <= 15
    assert [int(ours[name.removeprefix("tcp_")]) for name in names] == theirs


def test_bodies_are_compressed_with_lz4_where_the_server_can(postgres_url: str):
    with a_library(postgres_url) as library, library.store.read() as connection:
        can = connection.scalar(
            text(
                "SELECT 'lz4' = ANY(enumvals) FROM pg_settings "
                "WHERE name = 'default_toast_compression'"
            )
        )
        kind = connection.scalar(
            text(
                "SELECT attcompression FROM pg_attribute "
                "WHERE attrelid = 'bodies'::regclass AND attname = 'body'"
            )
        )
    assert kind == ("l" if can else "")


def test_prepared_statements_outlast_a_read(postgres_url: str):
    """Psycopg prepares what it has sent five times, and forgets that at a rollback."""
    store = Store(postgres_url)
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%42%'")
    for _ in range(8):
        store.transact(lambda connection: connection.execute(text("SELECT 42")).all())
        with store.read() as connection:
            connection.execute(text("SELECT 1"))
    with store.read() as connection:
        assert connection.scalar(prepared) == 1
    store.close()


def test_a_new_sqlite_file_and_its_folder_are_for_one_user_alone(tmp_path):
    before = os.umask(0)
    try:
        with a_library(f"sqlite:///{tmp_path}/deep/var/store.db") as library:
            library.services.heartbeat("counter", {"n": 0})
            var = tmp_path / "deep" / "var"
            modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [var, *var.iterdir()]}
    finally:
        os.umask(before)
    assert modes == {
        "var": "0o700",
        **dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), "0o600"),
    }


def test_a_sqlite_file_that_exists_keeps_its_mode(tmp_path):
    file = tmp_path / "store.db"
    file.touch()
    for path, mode in ((file, 0o660), (tmp_path, 0o770)):
        path.chmod(mode)
    with a_library(f"sqlite:///{file}") as library:
        library.services.heartbeat("counter", {"n": 0})
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o660}
    assert tmp_path.stat().st_mode & 0o777 == 0o770
