"""The cost of commands that read and of the review sweep, with 20,000 and 100,000 generated pages.

Called by the command alone.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from made import make_library
from options import Options
from timing import Cost, medians, ours, run, say, show, temporary, timed

from worker.reviews.sweep import sweep
from worker.settings.model import load_settings
from worker.settings.policy import make_policy
from worker.store.engine import Store

#: Targets: a small command, a sweep.
COMMAND_SECONDS, SWEEP_MS = 0.25, 100
#: What a command that reads the store stands on, collected as seldom as there.
FLOOR = "floor: import what they stand on"
IMPORTS = (
    "import gc; gc.set_threshold(200_000);"
    "import rich.console, sqlalchemy.dialects.sqlite, msgspec, click; gc.freeze()"
)


def measure_commands(options: Options) -> dict[str, Any]:
    """Time whole processes of commands that read, over libraries of two sizes."""
    sizes = options.sizes[:2]
    results: dict[str, Any] = {}
    page = "0000/page-000001.md"
    commands = (("--help",), ("status",), ("history", page), ("list",), ("due", "--within", "7"))
    for pages in sizes:
        say(f"commands over {pages:,} pages")
        with temporary() as folder:
            make_library(folder / "seeds", pages)
            ours("sync", cwd=folder)
            costs: dict[str, list[Cost]] = {}
            for _ in range(options.runs):
                for command in commands:
                    costs.setdefault(" ".join(command), []).append(ours(*command, cwd=folder))
                floor = run(sys.executable, "-c", IMPORTS, cwd=folder)
                costs.setdefault(FLOOR, []).append(floor)
        results[str(pages)] = {name: medians(taken) for name, taken in costs.items()}
    rows = []
    for name in (*(" ".join(command) for command in commands), FLOOR):
        found = [results[str(pages)][name] for pages in sizes]
        target = "" if name in {"list", FLOOR} else f"{COMMAND_SECONDS}"
        over = target and any(one["seconds"] > COMMAND_SECONDS for one in found)
        cells = [f"{one['seconds']:.3f} (cpu {one['processor_seconds']:.2f})" for one in found]
        rows.append([name, *cells, f"{target} over" if over else target])
    columns = ["", *(f"{pages:,} pages, s" for pages in sizes), "target"]
    show(f"whole processes, median of {options.runs}", columns, rows)
    return results


def measure_sweep(options: Options) -> dict[str, Any]:
    """Time the review sweep, 1% overdue: one that adds their notices, and one that adds nothing."""
    settings = load_settings()
    policy = make_policy(settings)
    overdue: list[int] = []
    costs: dict[str, list[Cost]] = {"it adds notices for all overdue": [], "it adds nothing": []}
    say(f"sweep: storing {options.pages:,} pages")
    with temporary() as folder:
        make_library(folder / "seeds", options.pages)
        ours("sync", cwd=folder)
        store = Store(f"sqlite:///{folder / 'var' / 'content-sync.db'}")

        def sweep_at(now: datetime) -> None:
            owed = sweep(store, policy=policy, now=now, today=now.date(), zone=settings.zone)
            overdue.append(len(owed))

        for number in range(1, options.runs + 1):
            at = datetime.now(UTC) + timedelta(days=number * (policy.repeat_days + 1))
            for taken in costs.values():
                taken.append(timed(partial(sweep_at, at)))
        store.close()
    found = {name: medians(taken) for name, taken in costs.items()}
    rows = []
    for name, one in found.items():
        milliseconds = 1000 * one["seconds"]
        over = "" if milliseconds <= SWEEP_MS else " over"
        rows.append([name, f"{milliseconds:.0f}", f"{SWEEP_MS}{over}"])
    show(
        f"review sweep of {options.pages:,} documents, {overdue[0]:,} overdue",
        ["", "ms", "target"],
        rows,
    )
    return {"costs": found, "overdue": overdue}
