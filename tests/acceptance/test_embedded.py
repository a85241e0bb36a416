"""`content-sync up` as a person runs it: one process, real files, real inotify, SQLite."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.programs import Process, clean_environment, run, started
from support.seeds import a_seed, write
from support.waiting import wait_until

QUICK = {
    "CONTENT_SYNC_WATCH__REMOVAL_MS": "200",
    "CONTENT_SYNC_DELIVERY__GROUP_WAIT_SECONDS": "0.5",
    "CONTENT_SYNC_DELIVERY__TICK_SECONDS": "0.2",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as after a clone: an empty library."""
    (tmp_path / "seeds").mkdir()
    return tmp_path


@pytest.fixture
def up(folder: Path):
    with started("up", cwd=folder, env=QUICK) as process:
        process.wait_for("Ctrl-C stops")
        yield process


def documents(folder: Path) -> dict[str, dict[str, Any]]:
    """Ask the store as a program does."""
    answer = run("list", "--json", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return {row["path"]: row for row in json.loads(answer.stdout)}


def stored(folder: Path, path: str) -> tuple[str, int] | None:
    """Read state and version number straight from the database: quick enough to poll."""
    connection = sqlite3.connect(folder / "var" / "content-sync.db")
    try:
        return connection.execute(
            "SELECT state, number FROM documents WHERE path = ?", (path,)
        ).fetchone()
    finally:
        connection.close()


def test_a_dropped_page_is_stored_and_its_reviewer_gets_a_message(folder: Path, up: Process):
    write(folder / "seeds" / "a.md", a_seed(lastReviewed="2025-12-30", title="About bones"))

    up.wait_for("new       a.md")
    up.wait_for("1 review overdue")
    assert documents(folder)["a.md"]["due_on"] == "2026-03-30"


def test_it_prints_its_folder_its_store_and_who_gets_messages(up: Process):
    for line in ("watching", "seeds", "store", "///var/content-sync.db", "messages"):
        assert line in up.output


def test_an_edit_a_deletion_and_a_return_reach_the_store(folder: Path, up: Process):
    page = write(folder / "seeds" / "a.md", a_seed())
    wait_until(lambda: stored(folder, "a.md") == ("live", 1), what="version 1")
    write(page, a_seed(status="deprecated"))
    wait_until(lambda: stored(folder, "a.md") == ("live", 2), what="version 2")
    write(folder / "seeds" / "b.md", a_seed(title="The folder is not empty"))
    wait_until(lambda: stored(folder, "b.md"), what="the second page")
    page.unlink()
    wait_until(lambda: stored(folder, "a.md") == ("retired", 2), what="the retirement")
    write(page, a_seed(status="deprecated"))
    wait_until(lambda: stored(folder, "a.md") == ("live", 2), what="the return")


def test_a_moved_page_keeps_its_history(folder: Path, up: Process):
    page = write(folder / "seeds" / "a.md", a_seed())
    wait_until(lambda: stored(folder, "a.md"), what="version 1")
    write(page, a_seed(title="Edited"))
    wait_until(lambda: stored(folder, "a.md") == ("live", 2), what="version 2")
    page.rename(folder / "seeds" / "b.md")

    wait_until(lambda: stored(folder, "b.md") == ("live", 2), what="the move")
    assert stored(folder, "a.md") is None


def test_a_broken_page_is_refused_with_its_line_and_the_good_version_stays(
    folder: Path, up: Process
):
    page = write(folder / "seeds" / "a.md", a_seed())
    wait_until(lambda: stored(folder, "a.md"), what="version 1")
    write(page, a_seed(reviewFrequency="quaterly"))

    up.wait_for("refused   a.md")
    assert "line 9" in up.output
    assert documents(folder)["a.md"]["number"] == 1


def test_changes_made_while_it_was_down_are_found_at_start(folder: Path):
    write(folder / "seeds" / "a.md", a_seed())
    write(folder / "seeds" / "gone.md", a_seed(title="Gone"))
    with started("up", cwd=folder, env=QUICK) as process:
        process.wait_for("new       gone.md")
    write(folder / "seeds" / "a.md", a_seed(title="Edited while it was down"))
    (folder / "seeds" / "gone.md").unlink()
    with started("up", cwd=folder, env=QUICK):
        wait_until(lambda: stored(folder, "a.md") == ("live", 2), what="the edit")
        wait_until(lambda: stored(folder, "gone.md") == ("retired", 1), what="the deletion")


def test_a_crash_neither_loses_nor_duplicates_a_page(folder: Path):
    for number in range(50):
        write(folder / "seeds" / f"{number}.md", a_seed(title=f"Page {number}"))
    crashed = Process("up", cwd=folder, env=QUICK)
    crashed.wait_for("Ctrl-C stops")
    crashed.kill()
    with started("up", cwd=folder, env=QUICK):
        wait_until(lambda: stored(folder, "49.md"), what="the last page")
    assert len(documents(folder)) == 50
    assert {row["number"] for row in documents(folder).values()} == {1}


def test_a_second_service_on_the_same_store_is_refused_in_one_line(folder: Path, up: Process):
    second = run("up", cwd=folder)

    assert second.returncode == 2
    assert "another `content-sync up` is running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_missing_folder_is_reported_in_one_line(tmp_path: Path):
    answer = run("up", cwd=tmp_path)
    assert answer.returncode == 2
    assert "seeds" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_unwritable_folder_for_the_store_is_reported_in_one_line(folder: Path):
    (folder / "var").write_text("a file where the folder should be")
    answer = run("up", cwd=folder)
    assert answer.returncode == 2
    assert "var" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_sigterm_ends_it_cleanly_with_everything_stored(folder: Path):
    with started("up", cwd=folder, env=QUICK) as process:
        process.wait_for("Ctrl-C stops")
        for number in range(200):
            write(folder / "seeds" / f"{number}.md", a_seed(title=f"Page {number}"))
        wait_until(lambda: stored(folder, "0.md"), what="the first page")
        assert process.stop() == 0
        assert "stopped" in process.output
        assert "Traceback" not in process.output
    assert run("sync", cwd=folder).returncode == 0
    assert len(documents(folder)) == 200


def test_a_mass_disappearance_is_held_until_a_person_approves_it(folder: Path, up: Process):
    for number in range(30):
        write(folder / "seeds" / "pages" / f"{number}.md", a_seed(title=f"Page {number}"))
    wait_until(lambda: all(stored(folder, f"pages/{n}.md") for n in range(30)), what="30 pages")
    shutil.rmtree(folder / "seeds" / "pages")

    wait_until(
        lambda: json.loads(run("status", "--json", cwd=folder).stdout)["held"]["removals"] == 30,
        what="the hold",
    )
    assert stored(folder, "pages/0.md") == ("live", 1)
    shown = json.loads(run("approve", "--show", "--json", cwd=folder).stdout)
    assert run("approve", shown["ids"]["removals"], cwd=folder).returncode == 0
    wait_until(lambda: stored(folder, "pages/0.md") == ("retired", 1), what="the retirement")


def test_the_service_ends_when_its_worker_does(folder: Path):
    """Half of the service would look like all of it: whoever restarts it has to see the end."""
    ended = folder / "ended.py"
    ended.write_text(
        "import threading, time\n"
        "from celery.worker import state\n"
        "from worker.run import processes\n"
        "from worker.run.logs import configure\n"
        "from worker.settings.model import load_settings\n"
        "settings = load_settings()\n"
        "configure(settings)\n"
        "def end():\n"
        "    while all(thread.name != 'worker' for thread in threading.enumerate()):\n"
        "        time.sleep(0.01)\n"
        "    state.should_stop = 0\n"
        "threading.Thread(target=end, daemon=True).start()\n"
        "processes.up(settings)\n"
    )
    done = subprocess.run(
        [sys.executable, str(ended)],
        cwd=folder,
        env=clean_environment(QUICK),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the worker or the scheduler has ended" in done.stderr


def test_a_failed_task_says_why_and_the_next_one_runs(folder: Path):
    settings = {"GROUP_WAIT_SECONDS": "3600", "LEASE_SECONDS": "1"}
    patient = QUICK | {f"CONTENT_SYNC_DELIVERY__{name}": text for name, text in settings.items()}
    with started("up", cwd=folder, env=patient) as up:
        up.wait_for("Ctrl-C stops")
        write(folder / "seeds" / "a.md", a_seed(lastReviewed="nonsense"))
        up.wait_for("refused   a.md")
        with closing(sqlite3.connect(folder / "var" / "content-sync.db")) as connection:
            (data,) = connection.execute("SELECT data FROM notices").fetchone()
            # It has waited for others long enough.
            connection.execute("UPDATE notices SET data = '{}', created_at = '2025-12-30 00:00:00'")
            connection.commit()
            up.wait_for("content_sync.deliver: failed")
            up.wait_for("KeyError")
            connection.execute("UPDATE notices SET data = ?", (data,))
            connection.commit()
        up.wait_for("1 file refused")
