"""Fixtures that all tests share: real servers, stores, an empty seeds folder, the real library.

Each worker of pytest-xdist has its own servers, started when the first test needs one, which takes half a
second for both. No test can disturb the servers of another worker.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # tests import from `support`

from support.servers import PgBouncerServer, PostgresServer, RedisServer, find_pgbouncer

pytest_plugins = ["support.peers"]

# A slow machine is no finding.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell starts a background job with SIGINT ignored, and every program of the tests would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

CORPUS = os.environ.get("CONTENT_SYNC_CORPUS")


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder: neither the environment nor a settings file there has a say."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")  # the zone of a team whose settings name none
    for name in [name for name in os.environ if name.startswith("CONTENT_SYNC_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """Return the URL of an empty Redis."""
    shared_redis.client.flushall()
    return shared_redis.url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Give a Redis of the test's own, to stop, kill or freeze; it is append-only."""
    with RedisServer(append_only=True) as server:
        yield server


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_database(shared_postgres: PostgresServer) -> Iterator[str]:
    """Give the name of a PostgreSQL database with the tables of this version, to copy."""
    from worker.store.engine import Store
    from worker.store.migrate import migrate

    with shared_postgres.database() as url:
        store = Store(url)
        migrate(store)
        store.close()
        yield url.rpartition("/")[2]


@pytest.fixture
def postgres_url(shared_postgres: PostgresServer, migrated_database: str) -> Iterator[str]:
    """Give the SQLAlchemy URL of a database without rows: to migrate each anew takes five times as long."""
    with shared_postgres.database(template=migrated_database) as url:
        yield url


@pytest.fixture
def empty_postgres_url(shared_postgres: PostgresServer) -> Iterator[str]:
    """Give the SQLAlchemy URL of a database without tables."""
    with shared_postgres.database() as url:
        yield url


@pytest.fixture
def pooled_url(shared_postgres: PostgresServer, postgres_url: str) -> Iterator[str]:
    """Give the URL of an empty database behind a PgBouncer in transaction mode."""
    if find_pgbouncer() is None:
        pytest.skip("there is no pgbouncer: install your system's package")
    with PgBouncerServer(shared_postgres) as pooler:
        yield f"{pooler.url(postgres_url)}?prepare_threshold=none"


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """Give a PostgreSQL of the test's own, to stop, kill or start again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the SQLAlchemy URL of a database that is not there yet."""
    return f"sqlite:///{tmp_path / 'content-sync.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Run the test over both databases."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(fixture))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest) -> str:
    """Run the test over both databases, without tables."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "empty_postgres_url"}[request.param]
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """Return an empty seeds folder."""
    folder = tmp_path / "seeds"
    folder.mkdir()
    return folder


def pytest_collection_finish() -> None:
    """Let no collection of garbage look again and again at 4,000 tests and the modules they need."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("corpus") is None or CORPUS:
        return
    reason = "CONTENT_SYNC_CORPUS names no folder or archive of the real library"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI has to have it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the real library; it is shared, so copy what you change."""
    assert CORPUS, "mark the test with `corpus`"
    if Path(CORPUS).is_dir():
        return Path(CORPUS)
    # Below pytest's folder of the whole run, which the workers share.
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "corpus"
    with FileLock(shared / "corpus.lock"):
        if not folder.exists():
            unpacking = shared / "corpus.unpacking"
            with tarfile.open(CORPUS) as archive:
                archive.extractall(unpacking, filter="data")
            unpacking.rename(folder)
    return folder
