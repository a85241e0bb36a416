"""What a library of 20,000 and of 100,000 made pages costs: syncs, commands, and the review sweep.

Ratios are to git in the same run. Called by the command alone.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from made import make_library
from timing import clock, git_commit, ours, run, show, temporary

from worker.reviews import sweep
from worker.settings import load_settings
from worker.store.engine import Store
from worker.team_policy import make_policy

RUNS = 5
SIZES = (1_432, 20_000, 100_000)
#: Targets: an unchanged sync of the largest to `git status`, a small command, a sweep.
UNCHANGED, COMMAND_SECONDS, SWEEP_MS = 4, 0.25, 100


def measure_sizes() -> dict[str, Any]:
    """Time first and unchanged syncs of made libraries against git; the first ones once."""
    results: dict[str, Any] = {}
    for pages in SIZES:
        with temporary() as folder:
            seeds = make_library(folder / "seeds", pages)
            times: dict[str, list[float]] = {}
            run("git", "init", "-q", cwd=seeds)
            clock(times, "git add + commit", lambda: git_commit(seeds))  # noqa: B023 - called at once
            clock(times, "first sync", lambda: ours("sync", "--json", cwd=folder))
            for _ in range(RUNS):
                clock(times, "git status", lambda: run("git", "status", "--short", cwd=seeds))  # noqa: B023
                clock(times, "unchanged sync", lambda: ours("sync", "--json", cwd=folder))
        results[str(pages)] = {name: median(taken) for name, taken in times.items()}
    rows = []
    for pages, taken in results.items():
        first = taken["first sync"] / taken["git add + commit"]
        unchanged = taken["unchanged sync"] / taken["git status"]
        over = " over" if int(pages) == SIZES[-1] and unchanged > UNCHANGED else ""
        rows.append(
            [
                f"{int(pages):,}",
                f"{taken['first sync']:.2f}",
                f"{first:.2f}",
                f"{1e6 * taken['first sync'] / int(pages):.0f}",
                f"{taken['unchanged sync']:.3f}",
                f"{unchanged:.1f}{over}",
            ]
        )
    show(
        f"made pages of 4 kB, whole processes; unchanged: median of {RUNS}",
        ["pages", "first, s", "to git commit", "µs a page", "unchanged, s", "to git status"],
        rows,
    )
    return results


def measure_commands() -> dict[str, Any]:
    """Time whole processes of commands that read, over libraries of two sizes."""
    results: dict[str, Any] = {}
    page = "0000/page-000001.md"
    commands = (("--help",), ("status",), ("history", page), ("list",), ("due", "--within", "7"))
    for pages in SIZES[:2]:
        with temporary() as folder:
            make_library(folder / "seeds", pages)
            ours("sync", cwd=folder)
            shutil.rmtree(folder / "seeds")
            times: dict[str, list[float]] = {}
            for _ in range(RUNS):
                for command in commands:
                    clock(times, " ".join(command), lambda: ours(*command, cwd=folder))  # noqa: B023
        results[str(pages)] = {name: median(taken) for name, taken in times.items()}
    small, large = results.values()
    rows = [
        [
            name,
            f"{small[name]:.3f}",
            f"{large[name]:.3f}",
            "" if name == "list" else f"{COMMAND_SECONDS}",
        ]
        for name in small
    ]
    columns = ["", *(f"{size:,} pages, s" for size in SIZES[:2]), "target"]
    show(f"whole processes, median of {RUNS}", columns, rows)
    return results


def measure_sweep() -> dict[str, Any]:
    """Time the review sweep of 100,000 documents, 1% overdue: one that tells them, one that adds nothing."""
    settings = load_settings()
    policy = make_policy(settings)
    with temporary() as folder:
        make_library(folder / "seeds", SIZES[-1])
        ours("sync", cwd=folder)
        store = Store(f"sqlite:///{folder / 'var' / 'content-sync.db'}")

        def sweep_at(now: datetime) -> int:
            owed = sweep(store, policy=policy, now=now, today=now.date(), zone=settings.zone)
            return len(owed)

        times: dict[str, list[float]] = {}
        added = []
        for number in range(1, RUNS + 1):
            at = datetime.now(UTC) + timedelta(days=number * (policy.repeat_days + 1))
            clock(times, "it tells all that is overdue", lambda: added.append(sweep_at(at)))  # noqa: B023
            clock(times, "all is told", lambda: sweep_at(at))  # noqa: B023
        store.close()
    medians = {name: 1000 * median(taken) for name, taken in times.items()}
    rows = [
        [name, f"{taken:.0f}", f"{SWEEP_MS}{'' if taken <= SWEEP_MS else ' over'}"]
        for name, taken in medians.items()
    ]
    show(
        f"review sweep of {SIZES[-1]:,} documents, {added[0]:,} overdue", ["", "ms", "target"], rows
    )
    return {"ms": medians, "told": added}
