"""The servers of the tests are real, separate, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from support import servers
from support.servers import PostgresServer, RedisServer, ServerMissingError
from support.waiting import wait_until


def _dsn(url: str) -> str:
    return url.replace("+psycopg", "")


def _running(processes):
    return [process for process in processes if _runs(process)]


def _runs(process):
    """Return whether a process still runs; one that waits to be reaped has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_redis_is_new_enough_and_needs_its_password(shared_redis):
    assert int(shared_redis.client.info("server")["redis_version"].split(".")[0]) >= 6

    with (
        redis.Redis(port=shared_redis.port, retry=None) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_every_test_finds_an_empty_redis(redis_url, shared_redis, turn):
    assert shared_redis.client.dbsize() == 0
    shared_redis.client.set("left behind", turn)


def test_a_killed_redis_restarts_on_its_port_with_acknowledged_data(redis_server):
    url, first = redis_server.url, redis_server.pid
    redis_server.client.set("key", "kept")

    redis_server.kill()
    assert not redis_server.running
    redis_server.start()

    assert (redis_server.url, redis_server.pid == first) == (url, False)
    assert redis_server.client.get("key") == b"kept"


def test_a_frozen_redis_accepts_connections_and_does_not_answer(redis_server):
    redis_server.pause()
    with (
        redis.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=None) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.ping()
    redis_server.resume()

    assert redis_server.client.ping()


def test_every_test_has_an_empty_database_that_is_dropped_even_while_in_use(shared_postgres):
    with shared_postgres.database() as url, shared_postgres.database() as other:
        assert url != other
        connection = psycopg.connect(_dsn(url))
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)
        encoding = connection.execute("SHOW server_encoding").fetchone()
        assert encoding == ("UTF8",)

    with connection, pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(_dsn(url))


def test_a_killed_postgres_restarts_with_committed_data(postgres_server):
    with psycopg.connect(_dsn(postgres_server.url())) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")

    postgres_server.kill()
    postgres_server.start()

    with psycopg.connect(_dsn(postgres_server.url())) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


@pytest.fixture
def a_machine_without_servers(monkeypatch):
    monkeypatch.setattr(servers.shutil, "which", lambda _: None)
    monkeypatch.setattr(servers.Path, "glob", lambda *_: iter(()))


def test_the_servers_from_wheels_run_on_a_machine_without_servers(a_machine_without_servers):
    with RedisServer() as server:
        assert "site-packages" in str(server.binary)
    with (
        PostgresServer() as server,
        server.database() as url,
        psycopg.connect(_dsn(url)) as connection,
    ):
        assert connection.info.server_version >= 180000


def test_a_missing_server_is_an_error_that_shows_how_to_install_it(
    a_machine_without_servers, monkeypatch
):
    monkeypatch.setattr(servers.importlib.util, "find_spec", lambda _: None)

    with pytest.raises(ServerMissingError, match="uv sync"):
        RedisServer()
    with pytest.raises(ServerMissingError, match="uv sync"):
        PostgresServer()


def test_a_stopped_server_leaves_neither_a_process_nor_a_folder():
    with RedisServer() as first, PostgresServer() as second:
        processes = [psutil.Process(server.pid) for server in (first, second)]
        processes += processes[1].children(recursive=True)
        assert len(processes) > 2

    assert not _running(processes)
    assert not first.folder.exists()
    assert not second.folder.exists()


def test_servers_end_with_a_killed_test_run(tmp_path):
    program = """
        import time
        from support.servers import PostgresServer, RedisServer
        with RedisServer() as first, PostgresServer() as second:
            print(first.pid, second.pid, first.folder, second.folder, flush=True)
            time.sleep(600)
    """
    run = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        try:
            first, second, *folders = run.stdout.readline().split()
            processes = [psutil.Process(int(first)), psutil.Process(int(second))]
            processes += processes[1].children(recursive=True)
        finally:
            os.kill(run.pid, signal.SIGKILL)

    try:
        wait_until(lambda: not _running(processes), what=f"the end of {processes}")
    finally:
        for process in _running(processes):
            process.kill()
        for folder in folders:
            shutil.rmtree(folder)


def test_the_service_ends_with_a_killed_test_run(tmp_path):
    (tmp_path / "seeds").mkdir()
    program = f"""
        import time
        from pathlib import Path
        from support.programs import started
        with started("up", cwd=Path({str(tmp_path)!r})) as process:
            process.wait_for("Ctrl-C stops")
            print(process.pid, flush=True)
            time.sleep(600)
    """
    run = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        try:
            service = psutil.Process(int(run.stdout.readline()))
        finally:
            os.kill(run.pid, signal.SIGKILL)

    try:
        wait_until(lambda: not _running([service]), what="the end of the service")
    finally:
        for process in _running([service]):
            process.kill()
