"""The time from `os.replace` of a file to its committed version, for each way to run the service.

With the default window in which the watcher waits for more changes of a file, and with the least.
Called by the command alone.
"""

from __future__ import annotations

from typing import Any

from installation import INSTALLATIONS
from live import LivePage, spread
from options import Options
from timing import say, show

#: As good as none: zero is not allowed.
LEAST_MS = "0.001"
WINDOWS = {
    "least window": {"CONTENT_SYNC_WATCH__COALESCE_MS": LEAST_MS},
    "default window": {},
}
#: Targets with the least window, in milliseconds: p50 and p99.
TARGETS = {"embedded": (5, 15), "distributed": (8, 25)}
WARM_UP = 20


def measure_latency(options: Options) -> dict[str, Any]:
    """Time edits of one page, embedded and distributed, with each window."""
    results: dict[str, Any] = {}
    rows = []
    for window, env in WINDOWS.items():
        for kind, install in INSTALLATIONS.items():
            say(f"latency: {kind}, {window}")
            with install(env=env) as installed:
                page = LivePage(installed)
                for _ in range(WARM_UP):
                    page.edit()
                page.milliseconds.clear()
                for _ in range(options.edits):
                    page.edit()
            name = f"{installed.name}, {window}"
            found = spread(page.milliseconds)
            results[name] = {**found, "milliseconds": page.milliseconds}
            targets = TARGETS[kind] if window == "least window" else ()
            cells = [f"{found['p50']:.1f}", f"{found['p99']:.1f}"]
            for number, target in enumerate(targets):
                cells[number] += (
                    f" (≤ {target}{'' if float(cells[number]) <= target else ', over'})"
                )
            rows.append([name, *cells, f"{found['min']:.1f}–{found['max']:.1f}"])
    show(
        f"os.replace to commit, {options.edits} edits, ms",
        ["", "p50", "p99", "min–max"],
        rows,
    )
    return results
