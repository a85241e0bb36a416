"""One of two watchers over a folder leads; when the other takes over, no page is lost or reverted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from faults.installation import Installation, Line
from support.programs import Process
from support.seeds import a_seed, write
from support.waiting import wait_until


@pytest.fixture
def service(tmp_path, postgres_url: str, redis_url: str) -> Installation:
    return Installation(tmp_path, postgres_url, redis_url)


@contextmanager
def two_watchers(service: Installation, **env: str) -> Iterator[tuple[Process, Process]]:
    """Start one that leads, with `env`, and then one that stands by."""
    first = Process("watch", cwd=service.folder, env={**service.env, **env})
    try:
        first.wait_for("leading (")
        with service.start("watch") as second:
            second.wait_for("standing by:")
            yield first, second
    finally:
        first.kill()


def takes_over(service: Installation, process: Process, why: str, *, times: int = 1) -> None:
    """Wait until it has said so many times that it leads for this reason."""
    wait_until(lambda: process.output.count(why) == times, what=f"the next leader ({why})")
    assert service.leads(process)


def is_equal(service: Installation, what: str) -> None:
    wait_until(service.is_equal, what=what)


def test_one_watcher_leads_the_other_stands_by_and_both_are_healthy(service: Installation):
    with two_watchers(service) as (first, second):
        status, _ = wait_until(
            lambda: (
                (answer := service.ask("status"))[0]["watcher"]["state"] == "watching" and answer
            ),
            what="the leader's first heartbeat",
        )
        assert status["watcher"]["leader"]["pid"] == first.pid
        assert [one["pid"] for one in status["watcher"]["stand_by"]] == [second.pid]
        checks, code = service.ask("doctor", "--as", "watcher")
        assert code == 0
        assert f"(process {first.pid}) leads since" in checks["checks"][-1]["detail"]
        assert second.stop() == 0
        assert first.stop() == 0
    assert service.ask("doctor", "--as", "watcher")[1] == 1


def test_a_killed_leader_is_replaced(service: Installation):
    with service.start("worker"), two_watchers(service) as (first, second):
        write(service.seeds / "a.md", a_seed())
        is_equal(service, "the first page")
        os.kill(first.pid, signal.SIGKILL)
        write(service.seeds / "b.md", a_seed(title="While nobody watched"))
        assert first.wait() == -signal.SIGKILL
        takes_over(service, second, "has ended)")
        is_equal(service, "the page that nobody saw")


def test_a_frozen_leader_sends_nothing_after_it_wakes_and_stands_by(service: Installation):
    with service.start("worker"), two_watchers(service) as (first, second):
        page = service.seeds / "a.md"
        write(page, a_seed())
        is_equal(service, "the first page")
        os.kill(first.pid, signal.SIGSTOP)
        write(page, a_seed(title="While it was frozen"))
        takes_over(service, second, "was silent for")
        is_equal(service, "the page that the frozen one did not see")
        os.kill(first.pid, signal.SIGCONT)
        first.wait_for("leads now: standing by")
        write(page, a_seed(title="After it came back"))
        is_equal(service, "the next edit")
        assert service.leads(second)
        assert second.stop() == 0
        takes_over(service, first, "leading (no other watcher is running)", times=2)
        write(page, a_seed(title="It leads again"))
        is_equal(service, "the edit that the first one saw again")
    assert service.query("SELECT number FROM documents") == [(4,)], "each edit once"


def test_a_leader_that_stops_hands_over_at_once(service: Installation):
    with two_watchers(service) as (first, second):
        assert first.stop() == 0
        takes_over(service, second, "leading (no other watcher is running)")


def test_a_leader_cut_off_from_the_store_is_replaced_and_then_stands_by(
    service: Installation, shared_postgres
):
    line = Line(urlsplit(shared_postgres.url()).port)
    there = service.env["CONTENT_SYNC_STORE_URL"].replace(
        f":{urlsplit(shared_postgres.url()).port}/", f":{line.port}/"
    )
    try:
        with (
            service.start("worker"),
            two_watchers(service, CONTENT_SYNC_STORE_URL=there) as (first, second),
        ):
            write(service.seeds / "a.md", a_seed())
            is_equal(service, "the first page")
            line.cut()
            write(service.seeds / "a.md", a_seed(title="During the partition"))
            takes_over(service, second, "was silent for")
            is_equal(service, "the edit during the partition")
            line.fix()
            first.wait_for("leads now: standing by")
            write(service.seeds / "a.md", a_seed(title="After the partition"))
            is_equal(service, "the edit after the partition")
            assert service.leads(second)
    finally:
        line.close()
    numbers = service.query("SELECT number FROM documents")
    assert numbers == [(3,)], "each edit once"


def test_a_leader_without_redis_gives_way_and_then_stands_by(service: Installation, shared_redis):
    line = Line(shared_redis.port)
    there = service.env["CONTENT_SYNC_BROKER_URL"].replace(
        f":{shared_redis.port}/", f":{line.port}/"
    )
    with (
        service.start("worker"),
        two_watchers(service, CONTENT_SYNC_BROKER_URL=there) as (first, second),
    ):
        write(service.seeds / "a.md", a_seed())
        is_equal(service, "the first page")
        line.close()  # whoever connects is refused at once
        write(service.seeds / "a.md", a_seed(title="While Redis refuses the leader"))
        first.wait_for("giving way to")
        takes_over(service, second, "leading (no other watcher is running)")
        is_equal(service, "the edit that the first one could not send")
        first.wait_for("standing by: process")
        write(service.seeds / "a.md", a_seed(title="Afterwards"))
        is_equal(service, "the edit afterwards")
        assert service.leads(second)
    assert service.query("SELECT number FROM documents") == [(3,)], "each edit once"


def test_two_schedulers_over_the_same_pages_send_one_digest(service: Installation, start_web):
    web = start_web()
    service.env["CONTENT_SYNC_DEADMAN__URL"] = f"http://127.0.0.1:{web.port}/"
    service.env["CONTENT_SYNC_DEADMAN__EVERY_SECONDS"] = "0.3"
    for number in range(5):
        write(service.seeds / f"{number}.md", a_seed(title=f"Page {number}"))
    with (
        service.start("worker") as worker,
        service.start("watch"),
        service.start("beat"),
        service.start("beat"),
    ):
        wait_until(
            lambda: service.query("SELECT count(*) FROM notices WHERE state = 'sent'") == [(5,)],
            what="the digest",
        )
        ticks = len(web.requests)  # not all of them: each process of the worker has its interval
        wait_until(lambda: len(web.requests) > ticks + 20, what="more ticks of both")
        assert worker.output.count("sent       everyone") == 1
    counts = service.query(
        "SELECT count(*), count(DISTINCT message_id), sum(attempts) FROM notices"
    )
    assert counts == [(5, 1, 5)]
