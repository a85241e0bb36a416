"""Messages of somebody who can write to Redis but does not know the secret are dropped and reported."""

from __future__ import annotations

import base64
import bz2
import hashlib
import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from faults.installation import Installation
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Stamp
from worker.run.celery_settings import DELIVER, INGEST
from worker.run.message_signing import MAX_MESSAGE_BYTES, SIGNED_TYPE, make_signer

SECRET, OLD_SECRET = "a secret of the team's own", "the one before, also long"
QUEUE = "content-sync:live"
QUEUES = (QUEUE, "content-sync:bulk")


@pytest.fixture
def service(tmp_path, postgres_url: str, redis_url: str) -> Installation:
    return Installation(tmp_path, postgres_url, redis_url, CONTENT_SYNC_BROKER_SECRET=SECRET)


class Intruder:
    """Somebody with the right to write to Redis: spools bytes, and puts messages into a queue."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(
        self,
        body: str | bytes,
        *,
        task: str | None = INGEST,
        content_type: str = SIGNED_TYPE,
        content_encoding: str = "utf-8",
        **headers: Any,
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        task_id = str(uuid.uuid4())
        named = {} if task is None else {"task": task}
        message = {
            "body": base64.b64encode(data).decode(),
            "content-encoding": content_encoding,
            "content-type": content_type,
            "headers": {"id": task_id, "lang": "py", "argsrepr": "", **named, **headers},
            "properties": {
                "correlation_id": task_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "live"},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
        self._client.lpush(QUEUE, json.dumps(message))

    def spool(self, batch: Batch, data: bytes) -> None:
        self._client.set(f"content-sync:spool:{batch.id}", data, ex=60)

    def arguments(self, batch: Batch) -> list[Any]:
        embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        return [[batch.as_json()], {}, embed]


@pytest.fixture
def intruder(shared_redis) -> Intruder:
    return Intruder(shared_redis.client)


def a_forged_page(path: str = "forged.md") -> tuple[Batch, bytes]:
    data = a_seed(title="Take twice the dose").encode()
    now = time.time_ns()
    snapshot = Snapshot(
        path=path,
        stamp=Stamp(size=len(data), mtime_ns=now, inode=1),
        sha256=hashlib.sha256(data).hexdigest(),
        observed=now // 1000,
    )
    return Batch(id=uuid.uuid4().hex, snapshots=(snapshot,)), data


def sealed(secret: str, value: Any) -> str:
    from worker.settings.model import load_settings

    signer = make_signer(load_settings(broker_url="redis://example", broker_secret=secret))
    assert signer is not None
    return signer.seal(value)


def refusals(worker: Any) -> int:
    return worker.output.count("dropped a forged message")


def test_forged_messages_change_nothing_and_doctor_counts_them(
    service: Installation, intruder: Intruder
):
    batch, data = a_forged_page()
    value = intruder.arguments(batch)
    plain = json.dumps(value)
    right = sealed(SECRET, value)
    with service.start("worker", "-c", "1") as worker, service.start("watch"):
        write(service.seeds / "a.md", a_seed())
        wait_until(service.is_equal, what="the true page")
        intruder.spool(batch, data)
        intruder.send(plain, content_type="application/json")
        intruder.send(plain)
        intruder.send(sealed("somebody else's secret", value))
        intruder.send(right.replace("forged.md", "other0.md"))
        intruder.send(right, content_type="application/json")
        intruder.send(b"\xff" * 100)
        intruder.send("x" * (MAX_MESSAGE_BYTES + 1))
        intruder.send("[" * 100_000)
        intruder.send(plain, task=DELIVER, eta="2030-01-01T00:00:00+00:00")
        wait_until(lambda: refusals(worker) == 9, what="nine refusals")
        assert "Traceback" not in worker.output
        write(service.seeds / "a.md", a_seed(title="The service goes on"))
        wait_until(service.is_equal, what="the next edit, and no forged page")
        service.ask("doctor", "--as", "worker")
    checks = {check["name"]: check for check in service.ask("doctor")[0]["checks"]}
    assert not checks["messages"]["ok"]
    assert checks["messages"]["detail"].startswith("9 forged")
    assert checks["broker"]["detail"].endswith("messages are signed with broker_secret")


BOMB = 256 * 1024 * 1024


def most_memory(worker: Any) -> int:
    """Return the most bytes that a worker's first process ever had in memory."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def test_nothing_is_inflated_before_the_signature_is_checked(
    service: Installation, intruder: Intruder
):
    """Neither by the header `compression`, nor by an encoding of Python's such as bz2."""
    bomb = bz2.compress(b"0" * BOMB)
    assert len(bomb) < 1000
    with service.start("worker", "-c", "1") as worker, service.start("watch"):
        write(service.seeds / "a.md", a_seed())
        wait_until(service.is_equal, what="the true page")
        before = most_memory(worker)
        intruder.send(bomb, compression="application/x-bz2")
        intruder.send(bomb, content_type="application/text", content_encoding="bz2", task=None)
        wait_until(lambda: refusals(worker) == 2, what="two refusals")
        write(service.seeds / "a.md", a_seed(title="The service goes on"))
        wait_until(service.is_equal, what="the next edit")
        assert most_memory(worker) - before < BOMB / 8


GARBAGE = (
    *(b"", b"{", b"null", b"\xff", b'"text"', b"[" * 100_000, b"{}", b'{"properties": {}}'),
    b'{"__type__": "uuid", "__value__": "x"}',
    b'{"__type__": "datetime", "__value__": 5}',
)


def test_garbage_in_a_queue_ends_no_worker(service: Installation, shared_redis: Any):
    with service.start("worker", "-c", "1") as worker, service.start("watch"):
        for count, garbage in enumerate(GARBAGE, 1):
            shared_redis.client.lpush(QUEUE, garbage)
            wait_until(
                lambda n=count: refusals(worker) == n, what=f"that {garbage[:50]!r} is dropped"
            )
        write(service.seeds / "a.md", a_seed(title="The service goes on"))
        wait_until(service.is_equal, what="the page")
        assert "Traceback" not in worker.output


def test_a_repeated_message_is_harmless(service: Installation, shared_redis: Any):
    """Observations are ordered, and the bytes of a batch are dropped when it was taken in."""
    page = service.seeds / "a.md"
    with service.start("watch") as watcher:
        watcher.wait_for("leading (")
        write(page, a_seed(title="The first text"))
        # The first scan may find the page before its event does; then it waits in the other queue.
        message = wait_until(
            lambda: next(filter(None, (shared_redis.client.lindex(q, 0) for q in QUEUES)), None),
            what="its message",
        )
        spooled = {
            key: shared_redis.client.get(key)
            for key in shared_redis.client.scan_iter("content-sync:spool:*")
        }
        with service.start("worker", "-c", "1") as worker:
            wait_until(service.is_equal, what="the first text")
            write(page, a_seed(title="The second text"))
            wait_until(service.is_equal, what="the second text")
            shared_redis.client.lpush(QUEUE, message)
            worker.wait_for("is no longer in the spool")
            for key, data in spooled.items():  # even where its bytes come back too
                shared_redis.client.set(key, data, ex=60)
            shared_redis.client.lpush(QUEUE, message)
            wait_until(
                lambda: not any(map(shared_redis.client.exists, spooled)), what="the replay's end"
            )
            assert service.is_equal()
    assert service.query("SELECT number FROM documents") == [(2,)]


def test_bytes_in_the_spool_that_do_not_match_the_message_are_not_stored(
    service: Installation, shared_redis: Any
):
    with service.start("watch") as watcher:
        watcher.wait_for("leading (")
        text = a_seed(title="Take it once a day")
        write(service.seeds / "a.md", text)
        (key,) = wait_until(
            lambda: list(shared_redis.client.scan_iter("content-sync:spool:*")), what="its bytes"
        )
        shared_redis.client.set(key, text.replace("once", "nine").encode(), ex=60)
        wait_until(lambda: shared_redis.client.llen(QUEUE), what="its message")
        with service.start("worker", "-c", "1") as worker:
            worker.wait_for("bytes in the spool")
            assert service.stored() == {}
            assert "Traceback" not in worker.output


@pytest.mark.parametrize(
    "path",
    ["../out.md", "/etc/passwd", "a/../../b.md", "a//b.md", "a\0.md", "", "./a.md", "a\n.md"],
)
def test_a_batch_with_a_path_outside_the_folder_is_refused(path: str):
    sha256, old, now = "5e" * 32, {"format": 2}, {"format": 3}
    stamp = [1, 1, 1, 1]
    for made in (
        {"removals": [[path, 1]]} | old,
        {"unreadable": [[path, 1, 1, 1, 1, "CS001", ""]]} | old,
        {"snapshots": [[path, 1, 1, 1, sha256, 1, None]]} | old,
        {"snapshots": [["a.md", 1, 1, 1, sha256, 1, path]]} | old,
        {"removals": [[path, 1, [], 0]]} | now,
        {"removals": [["a.md", 1, [[path, 1]], 0]]} | now,
        {"unreadable": [[path, stamp, 1, "CS001", "", [], 0]]} | now,
        {"snapshots": [[path, stamp, sha256, 1, None, [], [], 0]]} | now,
        {"snapshots": [["a.md", stamp, sha256, 1, [path, 1], [], [], 0]]} | now,
        {"snapshots": [["a.md", stamp, sha256, 1, None, [[path, 1]], [], 0]]} | now,
    ):
        with pytest.raises(ValueError, match="is not a path in the folder"):
            Batch.from_json({**Batch(id="a").as_json(), **made})


@pytest.mark.parametrize("number", [-1, 2**63, 1.5, "1", True, None])
def test_a_batch_with_an_impossible_observation_number_is_refused(number: Any):
    batch = Batch(id="a", removals=(Removal(path="a.md", observed=1),))
    with pytest.raises(ValueError, match="not a batch"):
        Batch.from_json({**batch.as_json(), "removals": [["a.md", number]]})


def test_both_secrets_are_accepted_while_one_replaces_the_other(service: Installation):
    """Workers learn the new one first, and accept the old one of the watcher."""
    new = {"CONTENT_SYNC_BROKER_SECRET": OLD_SECRET, "CONTENT_SYNC_BROKER_OLD_SECRET": SECRET}
    with service.start("worker", "-c", "1", **new) as worker:
        for secrets in ({}, new):
            with service.start("watch", **secrets):
                write(service.seeds / "a.md", a_seed(title=f"Signed with {len(secrets)}"))
                wait_until(service.is_equal, what="the page")
        assert refusals(worker) == 0


def test_the_broker_password_is_the_default_secret():
    from worker.settings.model import load_settings

    with_password = make_signer(load_settings(broker_url="redis://:p%40ss@example/0"))
    same = make_signer(load_settings(broker_url="redis://:p%40ss@other:6380/3"))
    other = make_signer(load_settings(broker_url="redis://:other@example/0"))
    assert with_password.source == "the broker's password"
    assert same.open(with_password.seal([1, "é"])) == [1, "é"]
    with pytest.raises(ValueError, match="signature"):
        other.open(with_password.seal([1]))
    assert make_signer(load_settings(broker_url="redis://example")).source == ""
    assert make_signer(load_settings()) is None
    assert "p@ss" not in repr(with_password)


def test_a_secret_may_be_in_a_file_and_a_short_one_is_refused(tmp_path, monkeypatch):
    from worker.errors import ConfigurationError
    from worker.settings.model import load_settings

    monkeypatch.setenv(
        "CONTENT_SYNC_BROKER_SECRET_FILE", str(write(tmp_path / "key", SECRET + "\n"))
    )
    assert load_settings().broker_secret.value == SECRET
    with pytest.raises(ConfigurationError, match="broker_old_secret"):
        load_settings(broker_old_secret="short")
