"""A file that kills its worker costs three attempts, and the good files beside it wait for no scan."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from faults.installation import IMPATIENT, Installation
from faults.mortal_worker import WORD
from support.programs import Process, bound_to_us, clean_environment, run
from support.seeds import a_seed, write
from support.waiting import wait_until

SCRIPT = Path(__file__).with_name("mortal_worker.py")
DEADLY = a_seed(title="About a thing", body=f"# A page\n\nIt holds {WORD.decode()}.\n")


@pytest.fixture
def service(tmp_path, postgres_url: str, redis_url: str) -> Installation:
    return Installation(tmp_path, postgres_url, redis_url)


class MortalWorker:
    """A worker that may die; started anew when all of it died, as a container is."""

    def __init__(self, folder: Path, who: str, env: Mapping[str, str], *command: str) -> None:
        self._folder = folder
        self._who = who
        self._env = env
        self._command = command
        self._notes = folder / "deaths"
        self._notes.touch()
        self._log = folder / "worker.log"
        self._popen = self._start()

    @property
    def deaths(self) -> int:
        return len(self._notes.read_text().splitlines())

    @property
    def output(self) -> str:
        return self._log.read_text()

    def revive(self) -> None:
        """Start it again where all of it died."""
        if self._popen.poll() is not None:
            self._popen = self._start()

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(SCRIPT), str(self._notes), self._who, *self._command]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                bound_to_us(command),
                cwd=self._folder,
                env=clean_environment(self._env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def a_mortal_worker(service: Installation, who: str) -> Iterator[MortalWorker]:
    worker = MortalWorker(service.folder, who, service.env, "worker", "-c", "1")
    with mourned(worker):
        yield worker


@contextmanager
def a_patient_watcher(service: Installation) -> Iterator[None]:
    """Start one that looks at the folder once, and sends nothing again that it was not asked for."""
    env = {"CONTENT_SYNC_WATCH__SCAN_SECONDS": "3600", "IN_FLIGHT_SECONDS": "3600"}
    watcher = Process(
        "watch",
        cwd=service.folder,
        env={**service.env, **env},
        program=("-P", str(IMPATIENT)),
    )
    try:
        watcher.wait_for("leading (")
        yield
    finally:
        watcher.kill()


@contextmanager
def mourned(worker: MortalWorker) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"the worker said:\n{worker.output}")
        raise
    finally:
        worker.stop()


def refused(service: Installation) -> list[tuple[str, str]]:
    rows = service.query("SELECT path, problems FROM paths WHERE state = 'refused'")
    return [(path, problems[0]["code"]) for path, problems in rows]


@pytest.mark.parametrize("who", ["child", "error"])
def test_a_deadly_file_is_refused_after_three_attempts_and_delays_no_other(
    service: Installation, who: str
):
    good = [f"{number}.md" for number in range(20)]
    with a_mortal_worker(service, who) as worker:
        wait_until(lambda: "worker " in worker.output, what="the worker's start")
        for path in good:
            write(service.seeds / path, a_seed(title=f"Page {path}"))
        write(service.seeds / "10-deadly.md", DEADLY)
        with a_patient_watcher(service):
            wait_until(lambda: set(service.stored()) == set(good), what="the good pages")
            wait_until(lambda: refused(service), what="the quarantine")
            assert refused(service) == [("10-deadly.md", "CS007")]
            write(service.seeds / "late.md", a_seed(title="A later page"))
            wait_until(lambda: "late.md" in service.stored(), what="a later page")
            assert worker.deaths == 3
            notices = service.query("SELECT data FROM notices WHERE kind = 'refused'")
            assert "three times" in str(notices)

            write(service.seeds / "10-deadly.md", a_seed(title="It is fixed"))
            wait_until(service.is_equal, what="the fixed page")
            assert refused(service) == []
            assert worker.deaths == 3
    assert service.query("SELECT count(*) FROM versions") == [(len(good) + 2,)]


def test_an_edit_that_kills_the_worker_keeps_the_last_good_version(service: Installation):
    page = service.seeds / "a.md"
    with a_mortal_worker(service, "child") as worker, service.start("watch"):
        write(page, a_seed())
        wait_until(service.is_equal, what="the good version")
        good = service.stored()
        write(page, DEADLY)
        wait_until(lambda: refused(service) == [("a.md", "CS007")], what="the quarantine")
        assert worker.deaths == 3
        assert service.stored() == good


def test_a_file_that_kills_the_whole_worker_is_found_too(service: Installation):
    """Nothing of the worker is left to say so; the watcher sends what was begun again, alone."""
    with a_mortal_worker(service, "all") as worker, service.start_impatient_watcher(3):
        write(service.seeds / "deadly.md", DEADLY)

        def quarantined() -> bool:
            worker.revive()
            return refused(service) == [("deadly.md", "CS007")]

        wait_until(quarantined, what="the quarantine")
        write(service.seeds / "good.md", a_seed())
        wait_until(service.stored, what="a good page")
        assert worker.deaths == 3


def test_a_file_that_kills_the_embedded_service_does_so_three_times(tmp_path):
    """Whoever starts it again finds what it had begun; the good files of the same batch are stored."""
    good = {f"{number}.md" for number in range(6)}
    for path in good:
        write(tmp_path / "seeds" / path, a_seed(title=f"Page {path}"))
    write(tmp_path / "seeds" / "deadly.md", DEADLY)

    def listed(*arguments: str) -> set[str]:
        done = run("list", "--json", *arguments, cwd=tmp_path)
        return {one["path"] for one in json.loads(done.stdout or "[]")}

    service = MortalWorker(tmp_path, "all", {}, "up")
    with mourned(service):

        def quarantined() -> bool:
            service.revive()
            return "deadly.md" in service.output and "three times" in service.output

        wait_until(quarantined, what="the quarantine")
        assert service.deaths == 3
        wait_until(lambda: listed("--state", "live") == good, what="the good pages")
        write(tmp_path / "seeds" / "deadly.md", a_seed(title="It is fixed"))
        wait_until(lambda: "deadly.md" in listed("--state", "live"), what="the fixed page")
    assert list(tmp_path.glob("var/*.begun/*")) == []


def test_a_file_that_the_database_refuses_is_refused_at_once_and_alone(service: Installation):
    service.change("ALTER TABLE documents ADD CONSTRAINT no_bones CHECK (title <> 'Bones')")
    good = {f"{number}.md" for number in range(6)}
    for path in good:
        write(service.seeds / path, a_seed(title=f"Page {path}"))
    write(service.seeds / "bones.md", a_seed(title="Bones"))
    with service.start("watch"), service.start("worker", "-c", "1") as worker:
        wait_until(lambda: set(service.stored()) == good, what="the good pages")
        wait_until(lambda: refused(service) == [("bones.md", "CS008")], what="the refusal")
        assert "waiting" not in worker.output
        write(service.seeds / "bones.md", a_seed(title="About bones"))
        wait_until(service.is_equal, what="the fixed page")
    assert refused(service) == []
