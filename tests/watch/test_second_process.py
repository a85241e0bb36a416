"""A first load shared by two processes, even if one of them ends."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process does it all")

PROGRAM = Path(__file__).parent / "ending_sync.py"
PAGES = 600


@pytest.fixture
def folder(tmp_path):
    for page in range(PAGES):
        body = f"# Page {page}\n\nThis page is number {page}.\n"
        write(tmp_path / f"seeds/{page % 7}/{page}.md", a_seed(title=f"Page {page}", body=body))
    return tmp_path


@pytest.fixture
def sync(folder):
    """Return a function that runs a sync, and gives what it printed and who looked at how many files."""

    def sync_with(where="nowhere", how="examine"):
        notes = folder / "notes"
        notes.write_text("")
        done = subprocess.run(
            [sys.executable, str(PROGRAM), str(notes), where, how, "sync", "--json"],
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        return done, Counter(notes.read_text().split())

    return sync_with


def counts(folder):
    answer = json.loads(run("status", "--json", cwd=folder).stdout)
    return answer["documents"]["live"], answer["versions"]


def test_two_processes_ingest_each_file_once(sync, folder):
    done, looked_at = sync()
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["scanned"], report["new"], report["unchanged"]) == (PAGES, PAGES, 0)
    assert len(looked_at) == 2
    assert looked_at.total() == PAGES
    assert counts(folder) == (PAGES, PAGES)
    verified = run("verify", "--json", cwd=folder)
    assert json.loads(verified.stdout)["ok"], verified.stdout


def test_two_processes_store_what_one_stores(sync, folder):
    sync()
    alone = {"CONTENT_SYNC_STORE_URL": f"sqlite:///{folder / 'alone.db'}"}
    on_one_processor = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from worker.cli import main; main()"
    )
    subprocess.run(
        [sys.executable, "-c", on_one_processor, "sync"],
        cwd=folder,
        env=clean_environment(alone),
        check=True,
        timeout=60,
    )
    assert stored(folder / "var/content-sync.db") == stored(folder / "alone.db")


def stored(store):
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(
            "SELECT d.path, d.sha256, d.title, d.due_on, v.metadata, b.body FROM documents d"
            " JOIN versions v ON v.document_id = d.id JOIN bodies b ON b.sha256 = v.body_sha256"
            " ORDER BY d.path"
        ).fetchall()


def test_the_first_process_reports_the_refusals_of_both(sync, folder):
    for page in range(PAGES):
        write(folder / f"seeds/{page % 7}/{page}.md", a_seed(status="actve", title=f"Page {page}"))
    done, looked_at = sync()
    assert len(looked_at) == 2
    assert (done.returncode, json.loads(done.stdout)["refused"]) == (1, PAGES)
    assert done.stderr.count("refused ") == PAGES


@pytest.mark.parametrize("how", ["examine", "write"])
def test_a_killed_second_process_is_reported_and_loses_nothing(sync, folder, how):
    done, _ = sync("second", how)
    assert done.returncode == 2
    assert "the second process that read the folder ended early (SIGKILL)" in done.stderr
    assert "the next sync ingests the rest" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    stored, versions = counts(folder)
    assert stored == versions < PAGES
    done, _ = sync()
    report = json.loads(done.stdout)
    assert (done.returncode, report["unchanged"], report["new"]) == (0, stored, PAGES - stored)


def test_an_error_in_the_second_process_is_raised_in_the_first(sync):
    done, _ = sync("second", "error")
    assert done.returncode not in {0, 1, 2} or "LookupError" in done.stderr
    assert "nobody thought of that" in done.stderr
    assert "ending_sync.py" in done.stderr  # with the way there


def test_a_second_process_ends_soon_after_the_first(sync, folder):
    done, looked_at = sync("first")
    assert done.returncode == -9
    others = [int(pid) for pid in looked_at]
    wait_until(lambda: not any(map(is_running, others)), what="both processes to end")
    stored, versions = counts(folder)
    assert stored == versions
    done, _ = sync()
    assert json.loads(done.stdout)["new"] == PAGES - stored


@pytest.mark.parametrize("where", ["first", "second", "fork"])
def test_ctrl_c_ends_both_without_output(sync, folder, where):
    done, looked_at = sync(where, "interrupt")
    assert (done.returncode, done.stderr) == (130, "")
    assert not any(is_running(int(pid)) for pid in looked_at)
    stored, versions = counts(folder)
    assert stored == versions < PAGES


def test_ctrl_c_during_a_forked_walk_ends_without_output(sync):
    done, looked_at = sync("walk", "interrupt")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert not looked_at


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_few_files_and_moves_use_one_process(sync, folder):
    sync()
    for page in range(0, PAGES, 2):
        path = folder / f"seeds/{page % 7}/{page}.md"
        path.rename(path.with_name(f"moved-{page}.md"))
    for page in range(1, PAGES, 2):
        write(folder / f"seeds/{page % 7}/{page}.md", a_seed(title=f"Another {page}"))
    done, looked_at = sync()
    assert len(looked_at) == 1
    assert json.loads(done.stdout)["moved"] == PAGES // 2
