"""Watcher, workers and beat as processes of their own, over a real Redis and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from faults.installation import Installation
from support.programs import Process, clean_environment, run, started
from support.seeds import a_seed, write
from support.waiting import wait_until


class Service(Installation):
    """One installation whose workers share no disk with the watcher."""

    def start(self, *arguments: str, **env: str) -> Any:
        cwd = self.folder if arguments[0] == "watch" else self.elsewhere()
        return started(*arguments, cwd=cwd, env={**self.env, **env})

    def elsewhere(self) -> Path:
        """Return a folder without seeds."""
        folder = self.folder / "elsewhere"
        folder.mkdir(exist_ok=True)
        return folder

    def stored(self) -> dict[str, tuple[str, int]]:
        """Return the documents, live and retired, and the numbers of their newest versions."""
        rows = self.query("SELECT path, state, number FROM documents")
        return {path: (state, number) for path, state, number in rows}


@pytest.fixture
def service(tmp_path: Path, postgres_url: str, redis_url: str) -> Service:
    return Service(tmp_path, postgres_url, redis_url)


def test_a_page_reaches_postgresql_and_its_reviewer_gets_a_message(service: Service):
    with service.start("watch"), service.start("worker") as worker, service.start("beat"):
        write(service.seeds / "a.md", a_seed(lastReviewed="2025-12-30"))
        wait_until(lambda: service.stored() == {"a.md": ("live", 1)}, what="version 1")
        worker.wait_for("1 review overdue")
        write(service.seeds / "a.md", a_seed(status="deprecated"))
        wait_until(lambda: service.stored() == {"a.md": ("live", 2)}, what="version 2")
        write(service.seeds / "b.md", a_seed(title="The folder is not empty"))
        wait_until(lambda: "b.md" in service.stored(), what="the second page")
        (service.seeds / "a.md").unlink()
        wait_until(lambda: service.stored()["a.md"] == ("retired", 2), what="the retirement")


def test_three_workers_share_a_load_and_store_each_page_once(service: Service):
    for number in range(600):
        write(service.seeds / f"{number}.md", a_seed(title=f"Page {number}"))
    with ExitStack() as stack:
        for number in range(3):
            stack.enter_context(service.start("worker", "--name", f"w{number}", "-c", "1"))
        stack.enter_context(service.start("watch"))
        wait_until(lambda: len(service.stored()) == 600, what="600 pages")
    assert set(service.stored().values()) == {("live", 1)}
    assert service.query("SELECT count(*) FROM versions") == [(600,)]


def test_a_killed_worker_loses_nothing(service: Service):
    for number in range(300):
        write(service.seeds / f"{number}.md", a_seed(title=f"Page {number}"))
    with service.start_impatient_watcher(3):
        doomed = Process("worker", cwd=service.elsewhere(), env=service.env)
        wait_until(service.stored, what="a first page")
        doomed.kill()
        with service.start("worker"):
            wait_until(lambda: len(service.stored()) == 300, what="300 pages")
    assert service.query("SELECT count(*) FROM versions") == [(300,)]


def test_a_worker_with_other_rules_takes_no_file_and_doctor_names_it(service: Service):
    def judge() -> dict[str, Any]:
        checks, _ = service.ask("doctor")
        return next(check for check in checks["checks"] if check["name"] == "judge")

    with service.start("watch"):
        write(service.seeds / "a.md", a_seed())
        with service.start("worker", CONTENT_SYNC_RULES__BODY_SHRANK="warning") as other:
            other.wait_for("its watcher judges by another schema")
            wait_until(lambda: not judge()["ok"], what="doctor to notice")
            assert "the same and restart them" in judge()["detail"]
            assert service.stored() == {}
        with service.start("worker"):
            wait_until(lambda: service.stored() == {"a.md": ("live", 1)}, what="the page")
            wait_until(lambda: judge()["ok"], what="doctor to notice")


def test_a_redis_that_loses_everything_delays_pages_and_loses_none(
    service: Service, shared_redis: Any
):
    with service.start_impatient_watcher(3) as watcher:
        watcher.wait_for("watching")
        for number in range(50):
            write(service.seeds / f"{number}.md", a_seed(title=f"Page {number}"))
        wait_until(lambda: shared_redis.client.keys("content-sync:spool*"), what="a spooled batch")
        shared_redis.client.flushall()
        with service.start("worker"):
            wait_until(lambda: len(service.stored()) == 50, what="50 pages")


def test_plain_celery_can_run_a_worker(service: Service):
    write(service.seeds / "a.md", a_seed())
    celery = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "worker.celery_app", "worker", "-c", "1"],
        cwd=service.elsewhere(),
        env=clean_environment(service.env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with service.start("watch"):
            wait_until(service.stored, what="the page")
    finally:
        celery.send_signal(signal.SIGTERM)
        assert celery.wait() == 0


def test_sigterm_in_the_middle_of_a_load_loses_nothing(service: Service):
    for number in range(400):
        write(service.seeds / f"{number}.md", a_seed(title=f"Page {number}"))
    with service.start("watch"):
        with service.start("worker") as worker:
            wait_until(service.stored, what="a first page")
            assert worker.stop() == 0
        with service.start("worker"):
            wait_until(lambda: len(service.stored()) == 400, what="400 pages")
    assert service.query("SELECT count(*) FROM versions") == [(400,)]


def test_a_worker_that_waits_for_a_frozen_process_still_ends(service: Service):
    hasty = (
        "from worker import cli; from worker.run import celery_settings;"
        "celery_settings.STOP_SECONDS = 1; cli.main()"
    )
    program = ("-P", "-c", hasty)
    write(service.seeds / "a.md", a_seed())
    with service.start("watch"):
        worker = Process(
            "worker", "-c", "1", cwd=service.elsewhere(), env=service.env, program=program
        )
        try:
            wait_until(service.stored, what="the page")
            (frozen,) = psutil.Process(worker.pid).children()
            frozen.suspend()
            os.kill(worker.pid, signal.SIGTERM)
            assert worker.wait() == 1
            assert "could not stop within 1 s" in worker.output
            frozen.resume()
            frozen.wait()  # it has lost its parent, and ends
        finally:
            worker.kill()


def test_health_checks_report_the_real_state(service: Service):
    def healthy(part: str) -> bool:
        return run("doctor", "--as", part, cwd=service.folder, env=service.env).returncode == 0

    assert not healthy("watcher")
    assert not healthy("beat")
    with service.start("watch"), service.start("beat"):
        wait_until(lambda: healthy("watcher"), what="a healthy watcher")
        wait_until(lambda: healthy("beat"), what="a healthy beat")
        assert not healthy("worker")
        with service.start("worker") as worker:
            wait_until(lambda: healthy("worker"), what="a healthy worker")
            os.killpg(worker.pid, signal.SIGSTOP)
            try:
                assert not healthy("worker"), "a frozen worker is not healthy"
            finally:
                os.killpg(worker.pid, signal.SIGCONT)


def test_processes_that_start_before_their_database_wait_for_it(
    tmp_path: Path, postgres_server: Any, redis_url: str
):
    with postgres_server.database() as url:
        postgres_server.stop()
        service_env = {
            "CONTENT_SYNC_STORE_URL": url,
            "CONTENT_SYNC_BROKER_URL": redis_url,
        }
        (tmp_path / "seeds").mkdir()
        with started("watch", cwd=tmp_path, env=service_env) as watcher:
            watcher.wait_for("waiting")
            postgres_server.start()
            assert run("migrate", cwd=tmp_path, env=service_env).returncode == 0
            watcher.wait_for("watching")


def test_processes_wait_for_an_unreachable_redis_and_lose_nothing(
    tmp_path: Path, postgres_url: str, redis_server: Any
):
    service = Service(tmp_path, postgres_url, redis_server.url)
    with service.start("watch") as watcher, service.start("worker"):
        write(service.seeds / "a.md", a_seed())
        wait_until(lambda: len(service.stored()) == 1, what="a first page")
        redis_server.kill()
        write(service.seeds / "b.md", a_seed(title="While Redis was away"))
        watcher.wait_for("waiting")
        redis_server.start()
        wait_until(lambda: len(service.stored()) == 2, what="the second page")


def test_a_scheduler_that_gets_sigterm_while_it_sends_ends(
    tmp_path: Path, postgres_url: str, redis_server: Any
):
    """The exception by which Celery ends it gets lost where a client tidies up after a broken read."""
    service = Service(tmp_path, postgres_url, redis_server.url)
    with service.start("beat") as beat:
        wait_until(lambda: redis_server.client.keys("*notices*"), what="a tick")
        redis_server.client.client_pause(60_000, all=False)  # what writes has no answer
        wait_until(lambda: "b" in flags_of_clients(redis_server), what="a tick without an answer")
        assert beat.stop() == 0


def flags_of_clients(redis_server: Any) -> str:
    """Return Redis' flags of all its clients; `b` is one that waits."""
    return "".join(client["flags"] for client in redis_server.client.client_list())


@pytest.mark.parametrize("part", ["watch", "worker", "beat"])
def test_separate_processes_need_redis_and_say_so(tmp_path: Path, part: str):
    (tmp_path / "seeds").mkdir()
    answer = run(part, cwd=tmp_path)
    assert answer.returncode == 2
    assert "CONTENT_SYNC_BROKER_URL" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_stream_shows_programs_what_happened(service: Service, shared_redis: Any):
    with service.start("watch"), service.start("worker"), service.start("beat"):
        write(service.seeds / "a.md", a_seed(title="About bones"))
        entries = wait_until(
            lambda: shared_redis.client.xrange("content-sync:events"), what="an event"
        )
    event = json.loads(entries[0][1][b"event"])
    assert event["type"] == "org.content-sync.version.stored"
    assert event["data"]["title"] == "About bones"
