"""The benchmarks run to their end on tiny libraries, and print what docs/figures.md shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import clean_environment

ROOT = Path(__file__).parents[1]
TINY = ("--runs", "1", "--edits", "3", "--sizes", "20,40", "--pages", "40", "--seconds", "1")


def benchmark(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        cwd=ROOT,
        env=clean_environment({"TMPDIR": str(cwd)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_content_sync_is_compared_with_git_and_lower_bounds_at_several_sizes(tmp_path):
    figures, pictures = tmp_path / "figures.json", tmp_path / "pictures"
    said = benchmark(
        "sizes", *TINY, "--json", str(figures), "--pictures", str(pictures), cwd=tmp_path
    )
    found = json.loads(figures.read_text())["results"]["sizes"]
    assert set(found) == {"20", "40"}
    costs = found["40"]["costs"]
    assert {"content-sync sync", "git add + commit; git status", "floor: + PostgreSQL"} <= set(
        costs
    )
    assert all(step["seconds"] > 0 for steps in costs.values() for step in steps.values())
    assert "40 made pages" in said
    assert "<svg" in (pictures / "sizes.svg").read_text()


def test_live_edits_are_timed_while_a_library_loads(tmp_path):
    figures = tmp_path / "figures.json"
    benchmark("backlog", *TINY, "--json", str(figures), cwd=tmp_path)
    found = json.loads(figures.read_text())["results"]["backlog"]
    assert set(found) == {"embedded, SQLite", "Redis, prefork, PostgreSQL"}
    assert all(one["edits"]["count"] >= 1 for one in found.values())


def test_an_unknown_benchmark_is_reported_in_one_line(tmp_path):
    with pytest.raises(AssertionError, match="'nothing' is none of library, sizes"):
        benchmark("nothing", cwd=tmp_path)
