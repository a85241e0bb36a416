import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import redis

from worker.errors import BrokerUnavailableError, ConfigurationError
from worker.ingest.spool import MemorySpool, RedisSpool, open_spool
from worker.settings.model import load_settings

SPOOL_SECONDS = 3600


@pytest.fixture
def redis_spool(redis_url):
    spool = RedisSpool(redis_url, spool_seconds=SPOOL_SECONDS)
    yield spool
    spool.close()


@pytest.fixture(params=["memory", "redis"])
def spool(request):
    return MemorySpool() if request.param == "memory" else request.getfixturevalue("redis_spool")


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_stored_bytes_can_be_read_until_they_are_dropped(spool):
    data = bytes(range(256)) * 1000
    spool.put("b1", data)

    assert spool.get("b1") == data
    assert spool.get("b1") == data
    spool.drop("b1")
    assert spool.get("b1") is None


def test_a_batch_may_have_no_bytes(spool):
    spool.put("b1", b"")
    assert spool.get("b1") == b""


def test_dropping_is_idempotent(spool):
    spool.put("b1", b"x")
    spool.drop("b1")
    spool.drop("b1")
    spool.drop("never")
    assert spool.outstanding() == 0


def test_the_spool_lists_its_batches(spool):
    for name in ("b1", "b2"):
        spool.put(name, b"x")
    spool.drop("b1")
    assert spool.kept() == {"b2"}


def test_outstanding_counts_batches_that_were_put_and_not_dropped(spool):
    assert spool.outstanding() == 0
    for batch_id in ("b1", "b2", "b3", "b3"):
        spool.put(batch_id, b"x")
    assert spool.outstanding() == 3
    spool.get("b1")
    spool.drop("b2")
    assert spool.outstanding() == 2


def test_every_key_in_redis_expires(redis_spool, client):
    redis_spool.put("b1", b"x")
    redis_spool.drop("b1")
    redis_spool.put("b2", b"x")

    keys = client.keys("*")
    assert keys
    for key in keys:
        assert key.startswith(b"content-sync:")
        assert 0 < client.ttl(key) <= SPOOL_SECONDS


def test_an_unconsumed_batch_stops_counting_in_the_end(redis_spool, client):
    redis_spool.put("old", b"x")
    redis_spool.put("new", b"x")
    (counted,) = (k for k in client.keys("*") if client.type(k) == b"zset")
    client.zincrby(counted, -SPOOL_SECONDS, "old")

    assert redis_spool.outstanding() == 1
    assert client.zrange(counted, 0, -1) == [b"new"]


def test_scores_use_the_clock_of_redis(redis_spool, client, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    redis_spool.put("b1", b"x")
    (counted,) = (k for k in client.keys("*") if client.type(k) == b"zset")
    assert abs(client.zscore(counted, "b1") - client.time()[0]) <= 2


def test_a_spool_that_was_flushed_is_an_empty_spool(redis_spool, client):
    redis_spool.put("b1", b"x")
    client.flushall()
    assert redis_spool.get("b1") is None
    assert redis_spool.outstanding() == 0
    redis_spool.drop("b1")


def test_a_batch_that_does_not_fit_into_redis_is_not_counted(redis_spool, client):
    redis_spool.put("fits", b"x")
    client.config_set("maxmemory", "1mb")
    client.config_set("maxmemory-policy", "noeviction")
    try:
        with pytest.raises(BrokerUnavailableError, match=r"(?i)memory"):
            redis_spool.put("b1", b"x" * 4_000_000)
    finally:
        client.config_set("maxmemory", "0")
    assert redis_spool.get("b1") is None
    assert redis_spool.outstanding() == 1


def test_connections_that_died_are_replaced(redis_spool, client):
    redis_spool.put("b1", b"x")
    client.client_kill_filter(_type="normal", skipme=True)
    assert redis_spool.get("b1") == b"x"


FORKS = """
import os, sys
from worker.ingest.spool import RedisSpool

def work(name):
    for turn in range(50):
        data = f"{name}-{turn}".encode() * 1000
        spool.put(f"{name}-{turn}", data)
        assert spool.get(f"{name}-{turn}") == data

spool = RedisSpool(sys.argv[1], spool_seconds=60)
work("before")
children = []
for name in ("one", "two"):
    if not (child := os.fork()):
        work(name)
        os._exit(0)
    children.append(child)
work("parent")
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
assert spool.outstanding() == 200
"""


def test_a_spool_that_was_used_before_a_fork_is_safe_after_it(redis_url):
    """In a process of its own: this one has threads, and a fork with threads is a warning."""
    subprocess.run([sys.executable, "-c", FORKS, redis_url], check=True)


def test_threads_share_a_spool(spool):
    def work(worker):
        for turn in range(50):
            spool.put(f"{worker}-{turn}", str(worker).encode())
            assert spool.get(f"{worker}-{turn}") == str(worker).encode()
            spool.drop(f"{worker}-{turn}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.outstanding() == 0


def calls(spool):
    return [
        lambda: spool.put("b1", b"x"),
        lambda: spool.get("b1"),
        lambda: spool.drop("b1"),
        spool.outstanding,
    ]


def test_a_missing_redis_is_reported_without_the_password():
    spool = RedisSpool(
        "redis://user:hunter2secret@127.0.0.1:1/0?client_name=hunter2secret", spool_seconds=60
    )
    for call in calls(spool):
        with pytest.raises(BrokerUnavailableError) as caught:
            call()
        assert "redis://user:***@127.0.0.1:1/0" in str(caught.value)
        assert "hunter2secret" not in str(caught.value)


def test_a_wrong_password_is_reported_without_showing_it(redis_url):
    spool = RedisSpool(redis_url.replace("://", "://nobody:hunter2secret@"), spool_seconds=60)
    with pytest.raises(BrokerUnavailableError) as caught:
        spool.get("b1")
    assert "hunter2secret" not in str(caught.value)


def test_a_silent_redis_is_given_up_after_a_few_tries(monkeypatch):
    monkeypatch.setattr("worker.settings.redis_link._TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        spool = RedisSpool(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", spool_seconds=60)
        with pytest.raises(BrokerUnavailableError, match=r"(?i)timeout"):
            spool.get("b1")
        silent.setblocking(False)
        tries = 0
        with suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                tries += 1
        assert tries <= 4, "two for the call, and two for the connection of each"


class _Line:
    """A connection that can go dead, as behind a firewall: its bytes vanish and neither end notices."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends = []
        self._dead = set()
        self.url = url.replace(f":{parts.port}/", f":{self._listener.getsockname()[1]}/")
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def kill_what_is_open(self):
        self._dead |= set(self._ends)

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._server)
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pass_on, args=(source, target)))
                self._threads[-1].start()

    def _pass_on(self, source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._dead:
                    target.sendall(data)

    def close(self):
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()


def test_a_dead_connection_costs_one_timeout_and_no_error(redis_url, monkeypatch):
    monkeypatch.setattr("worker.settings.redis_link._TIMEOUT_SECONDS", 2)
    line = _Line(redis_url)
    spool = RedisSpool(line.url, spool_seconds=60)
    try:
        spool.put("b1", b"x")
        line.kill_what_is_open()
        assert spool.get("b1") == b"x"
    finally:
        spool.close()
        line.close()


@pytest.fixture
def _no_settings_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_embedded_service_does_not_import_redis():
    code = (
        "import sys, worker.ingest.spool, worker.messages.channels.stream;"
        "sys.exit('redis' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("_no_settings_file")
def test_the_spool_uses_the_redis_of_the_broker():
    assert isinstance(open_spool(load_settings()), MemorySpool)
    assert isinstance(open_spool(load_settings(broker_url="redis://127.0.0.1:6379/0")), RedisSpool)


@pytest.mark.usefixtures("_no_settings_file")
@pytest.mark.parametrize("url", ["amqp://guest:hunter2secret@localhost", "localhost:6379", ""])
def test_a_broker_that_is_not_redis_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError) as caught:
        open_spool(load_settings(broker_url=url))
    assert "hunter2secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["redis://127.0.0.1:nonsense/0", "redis://127.0.0.1/0?nosuch=1", "rediss://x?ssl_cert_reqs=y"],
)
def test_an_invalid_redis_url_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError, match="is not a Redis URL"):
        RedisSpool(url, spool_seconds=60)
