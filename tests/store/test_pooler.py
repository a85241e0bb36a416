"""PostgreSQL behind a PgBouncer in transaction mode: nothing is refused, and nothing leaks to its others."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text
from support.programs import run
from support.seeds import a_seed, write
from support.stored import a_library

from worker.errors import ConfigurationError, RowRefusedError, StoreUnavailableError
from worker.store.engine import Store
from worker.store.library import events_after

OURS = {"lock_timeout": "10s", "TimeZone": "UTC", "tcp_keepalives_idle": "5"}


def settings_in(connection):
    return {name: connection.scalar(text(f"SHOW {name}")) for name in OURS}


def without_option(url):
    return url.partition("?")[0]


def test_a_library_lives_behind_a_pooler(pooled_url):
    with a_library(pooled_url) as library:
        for n in range(20):  # more runs of each statement than the driver prepares it after
            library.drop("a.md", a_seed(title=f"Title {n}"))
            library.drop(f"b{n}.md", a_seed(title=f"Page {n}"))
        library.remove("b0.md")
        assert library.document("a.md")["title"] == "Title 19"
        assert len(list(library.services.list_documents(None))) == 21


def test_every_command_works_behind_a_pooler(pooled_url, tmp_path):
    env = {"CONTENT_SYNC_STORE_URL": pooled_url}
    for n in range(200):
        write(tmp_path / "seeds" / f"{n}.md", a_seed(title=f"Page {n}"))
    for command in (
        "migrate",
        "sync",
        "sync",
        "status",
        "list",
        "verify",
        "export",
        "history 1.md",
    ):
        done = run(*command.split(), cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr


def test_workers_share_the_connections_of_a_pooler(pooled_url):
    with a_library(pooled_url) as library:

        def load(worker):
            library.take_in({f"{worker}-{n}.md": a_seed(title=f"{worker} {n}") for n in range(20)})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(load, range(8)))
        with library.store.read() as connection:
            ids = [row.id for row in events_after(connection, 0, 1000)]
    assert len(ids) == 160 == len(set(ids))


def test_our_settings_hold_in_each_transaction_and_reach_no_other_client(pooled_url):
    store = Store(pooled_url)
    plain = without_option(pooled_url).replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as other:
        theirs = {name: other.execute(f"SHOW {name}").fetchone()[0] for name in OURS}
        assert theirs["lock_timeout"] == "0"
        for opened in (store.read, store.write, store.read):
            with opened() as connection:
                assert settings_in(connection) == OURS
        for _ in range(8):  # any of the pooler's connections
            assert {name: other.execute(f"SHOW {name}").fetchone()[0] for name in OURS} == theirs
    store.close()


def test_a_reader_sees_one_state_behind_a_pooler(pooled_url):
    with a_library(pooled_url) as library, library.store.read() as connection:
        level = connection.scalar(text("SHOW transaction_isolation"))
    assert level == "repeatable read"


def test_a_failed_transaction_is_rolled_back_behind_a_pooler(pooled_url):
    with a_library(pooled_url) as library:

        def fail(connection):
            connection.execute(text("DELETE FROM heartbeats"))
            connection.execute(text("SELECT 1 / 0"))

        library.services.heartbeat("counter", {"n": 1})
        with pytest.raises(RowRefusedError):
            library.store.transact(fail)
        with library.store.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM heartbeats")) == 1


def test_a_pooler_that_forgets_prepared_statements_is_named(pooled_url):
    first, second = (Store(f"{without_option(pooled_url)}?prepare_threshold=1") for _ in range(2))

    def query_in_turns():
        for store in (first, second) * 10:
            with store.read() as connection:
                connection.scalar(text("SELECT 1"))

    try:
        with pytest.raises(StoreUnavailableError, match="add prepare_threshold=none to store_url"):
            query_in_turns()
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("value", ["-1", "0", "never", "1&prepare_threshold=2"])
def test_an_impossible_threshold_is_an_error_of_the_settings(value):
    with pytest.raises(ConfigurationError, match="prepare_threshold in store_url must be"):
        Store(f"postgresql://a@b/c?prepare_threshold={value}")


@pytest.mark.parametrize(("option", "most"), [("", 5), ("?prepare_threshold=7", 7)])
def test_statements_are_prepared_after_as_many_runs_as_the_url_says(postgres_url, option, most):
    store = Store(postgres_url + option)
    with store.read() as connection:
        assert connection.connection.driver_connection.prepare_threshold == most
    store.close()
