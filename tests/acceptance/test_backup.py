"""Backups taken while a writer works: what comes back is sound, and the next look completes it."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from support.seeds import BODY, a_seed, write
from support.servers import PostgresServer
from support.waiting import wait_until

import worker
from worker.library.opened import open_services
from worker.run import processes
from worker.run.sync import sync_folder
from worker.run.verify import verify_library
from worker.settings.model import Settings, load_settings

PAGES = 40
#: As in docs/operating.md.
SQLITE_SHELL = 'sqlite3 {store} ".backup {copy}"'
SQLITE_PYTHON = (
    "python -c \"import sqlite3; sqlite3.connect('{store}').backup(sqlite3.connect('{copy}'))\""
)


def quiet(_done: int, _total: int) -> None:
    pass


def sync(settings: Settings):
    return sync_folder(settings, full=False, dry_run=False, progress=quiet)


@contextmanager
def a_writer(settings: Settings) -> Iterator[None]:
    """Edit pages, add some and remove some, and sync, again and again, until the end."""
    stop, rounds, failed = Event(), [], []

    def work() -> None:
        try:
            while not stop.is_set():
                number = len(rounds)
                for page in range(number % 7, PAGES, 7):
                    text = a_seed(
                        title=f"Page {page}", body=f"{BODY}\nRound {number}, page {page}."
                    )
                    write(settings.seeds / f"{page:02}.md", text)
                write(settings.seeds / "new" / f"{number}.md", a_seed(body=f"{BODY}\n{number}."))
                (settings.seeds / "new" / f"{number - 2}.md").unlink(missing_ok=True)
                sync(settings)
                rounds.append(number)
        except BaseException as error:
            failed.append(error)
            raise

    thread = Thread(target=work)
    thread.start()
    try:
        wait_until(lambda: len(rounds) > 2 or failed, what="the writer at work")
        yield
        seen = len(rounds)
        wait_until(lambda: len(rounds) > seen or failed, what="the writer after the backup")
    finally:
        stop.set()
        thread.join()
    assert not failed


def a_library(store_url: str, seeds: Path) -> Settings:
    settings = load_settings(store_url=store_url, seeds=seeds, watch={"removal_ms": 20})
    processes.migrate(settings)
    for page in range(PAGES):
        write(seeds / f"{page:02}.md", a_seed(title=f"Page {page}", body=f"{BODY}\nPage {page}."))
    assert sync(settings).new == PAGES
    return settings


def assert_nothing_is_lost(settings: Settings, restored_url: str) -> None:
    """Assert that a backup is sound as it is, and holds all that the folder holds after one look."""
    restored = load_settings(store_url=restored_url, seeds=settings.seeds, watch={"removal_ms": 20})
    findings = verify_library(restored, most=5, progress=quiet)
    assert findings.breaches == []
    assert findings.checked["versions"] >= PAGES

    sync(restored)
    after = verify_library(restored, most=5, progress=quiet)
    assert after.breaches == []
    assert after.checked["waiting"] == 0
    with open_services(restored) as services:
        live = {row["path"] for row in services.list_documents("live")}
        numbers = {len(services.history(path)["versions"]) for path in live}
    folder = settings.seeds
    assert live == {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}
    assert max(numbers) > 1, "the versions came along"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(SQLITE_PYTHON, id="python"),
        pytest.param(
            SQLITE_SHELL,
            id="sqlite3",
            marks=pytest.mark.skipif(
                shutil.which("sqlite3") is None, reason="there is no sqlite3 on this machine"
            ),
        ),
    ],
)
def test_a_sqlite_backup_under_a_writer_is_sound(
    sqlite_url: str, seeds: Path, tmp_path: Path, command: str
):
    settings = a_library(sqlite_url, seeds)
    copy = tmp_path / "copy.db"
    shell = command.format(store=tmp_path / "content-sync.db", copy=copy)
    with a_writer(settings):
        program, *arguments = shlex.split(shell)
        program = sys.executable if program == "python" else program
        subprocess.run([program, *arguments], check=True, cwd=tmp_path)
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert_nothing_is_lost(settings, f"sqlite:///{copy}")


def test_the_page_for_operators_shows_these_commands():
    page = Path(worker.__file__).parents[1] / "docs" / "operating.md"
    shown = page.read_text(encoding="utf-8")
    for command in (SQLITE_PYTHON, SQLITE_SHELL):
        assert command.format(store="var/content-sync.db", copy="copy.db") in shown
    for command in ("pg_dump --no-owner", "psql --single-transaction --set ON_ERROR_STOP=1"):
        assert command in shown


def test_a_dump_of_postgresql_under_a_writer_is_sound(
    shared_postgres: PostgresServer, seeds: Path, tmp_path: Path
):
    dump = tmp_path / "dump.sql"
    with shared_postgres.database() as url, shared_postgres.database() as restored_url:
        settings = a_library(url, seeds)
        with a_writer(settings), dump.open("wb") as output:
            subprocess.run(
                [tool(shared_postgres, "pg_dump"), "--no-owner", dsn(url)],
                stdout=output, check=True,
            )  # fmt: skip
        subprocess.run(
            [
                tool(shared_postgres, "psql"), "--quiet", "--single-transaction",
                "--set", "ON_ERROR_STOP=1", "--file", dump, "--dbname", dsn(restored_url),
            ],
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        assert_nothing_is_lost(settings, restored_url)


def tool(server: PostgresServer, name: str) -> Path:
    """Return a program of the server's own installation: an older `pg_dump` refuses it."""
    return server.binaries / name


def dsn(url: str) -> str:
    return url.replace("+psycopg", "")
