"""A store file that is deleted or replaced, under a process or between two, and what a process says of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.programs import Process, run, started
from support.seeds import a_seed, write
from support.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one page in its store."""
    write(tmp_path / "seeds/nausea.md", a_seed(title="Nausea"))
    assert run("sync", cwd=tmp_path).returncode == 0
    return tmp_path


def delete(folder: Path) -> None:
    the_file(folder).unlink()


def replace(folder: Path) -> None:
    back_up(folder).replace(the_file(folder))


def back_up(folder: Path) -> Path:
    copy = folder / "copy.db"
    with closing(sqlite3.connect(the_file(folder))) as source, closing(sqlite3.connect(copy)) as to:
        source.backup(to)
    return copy


def the_file(folder: Path) -> Path:
    return folder / "var/content-sync.db"


def require_end(process: Process, what: str, folder: Path) -> None:
    """Check that a process ends by itself with an error that names the file and the fix."""
    wait_until(lambda: process.exit_code is not None, what=f"the end of {process}")
    assert process.exit_code in (1, 2)
    assert f"the store's file {the_file(folder)} was {what}" in process.output
    assert "Backup and restore" in process.output
    assert "Traceback" not in process.output


@pytest.fixture(params=["deleted", "replaced"])
def what(request: pytest.FixtureRequest) -> str:
    return request.param


def take_away(folder: Path, what: str) -> None:
    {"deleted": delete, "replaced": replace}[what](folder)


def test_up_ends(folder, what):
    process = Process("up", cwd=folder)
    try:
        process.wait_for("leading")
        take_away(folder, what)
        require_end(process, what, folder)
        assert the_file(folder).exists() == (what == "replaced")
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("command", "ready"),
    [("watch", "leading"), ("worker", "worker     "), ("beat", "scheduler  ")],
    ids=["watch", "worker", "beat"],
)
def test_a_process_over_redis_ends(folder, redis_url, what, command, ready):
    process = Process(command, cwd=folder, env={"CONTENT_SYNC_BROKER_URL": redis_url})
    try:
        process.wait_for(ready)
        if command == "worker":
            wait_until(lambda: looks_at_its_file(folder, redis_url), what="a worker that works")
        take_away(folder, what)
        require_end(process, what, folder)
    finally:
        process.kill()


def looks_at_its_file(folder: Path, redis_url: str) -> bool:
    """Return whether the worker has consumed a message."""
    env = {"CONTENT_SYNC_BROKER_URL": redis_url}
    return run("doctor", "--as", "worker", cwd=folder, env=env).returncode == 0


def test_a_file_that_was_exchanged_while_nothing_ran_is_the_store(folder):
    replace(folder)
    with started("up", cwd=folder) as process:
        process.wait_for("leading")
    assert "was replaced" not in process.output


@pytest.fixture
def backup(folder: Path) -> Path:
    """A backup that is older than the file of a killed `up`, which has left a `-wal` beside it."""
    copy = back_up(folder)
    add_pages(folder, "later")
    assert run("sync", cwd=folder).returncode == 0  # ends, and so writes its -wal into the file
    process = Process("up", cwd=folder)
    try:
        process.wait_for("leading")
        add_pages(folder, "last")
        wait_until(lambda: stored(folder) == 1 + 2 * PAGES, what="the pages in the store")
    finally:
        process.kill()
    assert left(folder, "-wal").stat().st_size
    return copy


PAGES = 30


def add_pages(folder: Path, name: str) -> None:
    for number in range(PAGES):
        write(folder / f"seeds/{name}-{number}.md", a_seed(title=f"{name} {number}"))


def stored(folder: Path) -> int:
    """Return the number of documents, with a connection that leaves the files as they are."""
    path = f"{the_file(folder).as_uri()}?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM documents").fetchone()[0]


def left(folder: Path, suffix: str) -> Path:
    return folder / f"var/content-sync.db{suffix}"


def both_files(folder: Path) -> list[bytes]:
    return [the_file(folder).read_bytes(), left(folder, "-wal").read_bytes()]


@pytest.mark.parametrize("put_back", [shutil.copyfile, shutil.copy2, os.replace])
def test_a_backup_beside_the_wal_of_the_newer_file_is_refused_and_not_touched(
    folder: Path, backup: Path, put_back: Callable[[Path, Path], object]
):
    put_back(backup, the_file(folder))
    before = both_files(folder)
    for command in ("status", "doctor", "migrate", "sync", "up"):
        ended = run(command, cwd=folder)
        assert ended.returncode in (1, 2), command
        assert f"the store's file {the_file(folder)} is damaged together with" in (
            ended.stdout + ended.stderr
        ).replace("\n", " ")
        assert "Traceback" not in ended.stderr
        assert both_files(folder) == before

    left(folder, "-wal").unlink()
    left(folder, "-shm").unlink()
    assert run("verify", cwd=folder).returncode == 0
    assert stored(folder) == 1
    assert run("sync", cwd=folder).returncode == 0
    assert stored(folder) == 1 + 2 * PAGES


def test_sqlite_alone_writes_the_wal_of_the_newer_file_into_the_backup(folder: Path, backup: Path):
    shutil.copyfile(backup, the_file(folder))
    with closing(sqlite3.connect(the_file(folder))) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    assert not left(folder, "-wal").exists()
    with closing(sqlite3.connect(the_file(folder))) as connection:
        assert connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",)


def test_a_backup_that_the_wal_follows_becomes_the_newer_file_again(folder: Path):
    copy = back_up(folder)
    process = Process("up", cwd=folder)
    try:
        process.wait_for("leading")
        add_pages(folder, "last")
        wait_until(lambda: stored(folder) == 1 + PAGES, what="the pages in the store")
    finally:
        process.kill()
    shutil.copyfile(copy, the_file(folder))
    assert run("verify", cwd=folder).returncode == 0
    assert stored(folder) == 1 + PAGES


def test_the_wal_of_a_killed_process_is_taken_in(folder: Path, backup: Path):
    the_file(folder).chmod(0o600)  # changes the file after its -wal, but not what is in it
    assert run("verify", cwd=folder).returncode == 0
    assert stored(folder) == 1 + 2 * PAGES


def test_a_row_that_somebody_deleted_by_hand_keeps_no_command_from_the_store(folder: Path):
    process = Process("up", cwd=folder)
    try:
        process.wait_for("leading")
        with closing(sqlite3.connect(the_file(folder))) as shell:  # checks no references by default
            shell.execute("DELETE FROM documents")
            shell.commit()
            shell.execute("PRAGMA wal_checkpoint")
        assert left(folder, "-wal").stat().st_size
        assert run("status", cwd=folder).returncode == 0
        assert "refers to a row" in run("verify", cwd=folder).stdout
    finally:
        process.kill()
    assert "refers to a row" in run("verify", cwd=folder).stdout
