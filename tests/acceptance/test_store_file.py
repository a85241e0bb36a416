"""A process whose store file is deleted or replaced under it ends, and says how to fix it."""

from __future__ import annotations

import sqlite3
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
    copy = folder / "copy.db"
    with closing(sqlite3.connect(the_file(folder))) as source, closing(sqlite3.connect(copy)) as to:
        source.backup(to)
    copy.replace(the_file(folder))


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
