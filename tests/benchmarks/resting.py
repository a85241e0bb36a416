"""The cost of an idle service: start-up, memory over repeated scans, an idle watcher.

All over a store that holds the library already. Called by the command alone.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from installation import (
    Installation,
    distributed,
    embedded,
    open_sqlite,
    peak_mebibytes,
    processor_seconds,
    resident_mebibytes,
)
from made import make_library
from options import Options
from support.programs import started
from support.seeds import a_seed, write
from support.waiting import wait_until
from timing import ours, run, say, show, temporary

ROUNDS = 10
#: How many pages are edited in each round, and how often the watcher compares all.
ROUND_EDITS, ROUND_SCAN_SECONDS = 500, 2
#: The parts are calm when they take less than this share of a core together, for so long.
CALM_SHARE, CALM_SECONDS, LONGEST_CALM_SECONDS = 0.05, 5, 180
LOOK_SECONDS = 0.005
#: Targets: seconds to be ready; resident MiB of one process; share of a core.
READY_SECONDS, WATCHER_MIB, WORKER_MIB, IDLE_SHARE = 1.5, 120, 150, 0.01


def measure_ready(options: Options) -> dict[str, Any]:
    """Time `up` over a store of 20,000 pages: to its ready line, and to a file that is dropped at once."""
    pages = min(options.pages, 20_000)
    times: dict[str, list[float]] = {"to the ready line": [], "to a file dropped at once": []}
    with temporary() as folder:
        make_library(folder / "seeds", pages)
        say(f"ready: storing {pages:,} pages")
        ours("sync", cwd=folder)
        with closing(open_sqlite(folder)) as store:
            for number in range(options.runs):
                line, stored = _time_start(folder, store, f"live/{number}.md")
                times["to the ready line"].append(line)
                times["to a file dropped at once"].append(stored)
    rows = [
        [
            name,
            f"{median(it):.2f}",
            f"{min(it):.2f}–{max(it):.2f}",
            _target(median(it), READY_SECONDS),
        ]
        for name, it in times.items()
    ]
    show(
        f"`up` over {pages:,} pages, seconds from the start of the process, median of {options.runs}",
        ["", "seconds", "min–max", "target"],
        rows,
    )
    return times


def measure_memory(options: Options) -> dict[str, Any]:
    """Note what watcher and worker hold, over rounds of edits and scans of a large library."""
    env = {"CONTENT_SYNC_WATCH__SCAN_SECONDS": str(ROUND_SCAN_SECONDS)}
    rounds: dict[str, list[float]] = {"watch": [], "worker": []}
    say(f"memory: storing {options.pages:,} pages")
    with distributed(env=env, before=lambda env, folder: _store(env, folder, options)) as installed:
        edited = sorted(installed.seeds.rglob("*.md"))[:: max(1, options.pages // ROUND_EDITS)]
        for number in range(1, ROUNDS + 1):
            _edit_all(installed, edited, number)
            for name, seen in rounds.items():
                seen.append(resident_mebibytes(installed.parts[name]))
            say(f"memory: round {number} of {ROUNDS}: {_last(rounds)}")
        peaks = {
            name: max(peak_mebibytes(process).values()) for name, process in installed.parts.items()
        }
    targets = {"watch": WATCHER_MIB, "worker": WORKER_MIB}
    show(
        f"resident MiB of the largest process with {options.pages:,} pages, over {ROUNDS} rounds of"
        f" {len(edited)} edits and whole scans",
        ["", "after one", f"after {ROUNDS}", "most", "target"],
        [
            [
                name,
                f"{it[0]:.0f}",
                f"{it[-1]:.0f}",
                f"{peaks[name]:.0f}",
                _target(peaks[name], targets[name]),
            ]
            for name, it in rounds.items()
        ],
    )
    return {"rounds_mebibytes": rounds, "peak_mebibytes": peaks}


def measure_idle(options: Options) -> dict[str, Any]:
    """Measure the processor time of the parts over a minute in which nothing happens."""
    say(f"idle: storing {options.pages:,} pages")
    with distributed(before=lambda env, folder: _store(env, folder, options)) as installed:
        shares = _shares(installed, options.seconds)
    with temporary() as folder:
        say(f"idle: storing {options.pages:,} pages for one process")
        _store({}, folder, options)
        with embedded(folder=folder) as installed:
            shares |= _shares(installed, options.seconds)
    show(
        f"share of a core over {options.seconds} s with {options.pages:,} pages, a scan each minute",
        ["", "%", "target"],
        [
            [
                name,
                f"{100 * share:.2f}",
                _target(100 * share, 100 * IDLE_SHARE) if name == "watch" else "",
            ]
            for name, share in shares.items()
        ],
    )
    return shares


def _shares(installed: Installation, seconds: float) -> dict[str, float]:
    """Return each part's processor time as a share of a core, over so many seconds of peace."""
    _wait_until_calm(installed)
    say(f"idle: {seconds} s in which nothing happens")
    before = {name: processor_seconds(part) for name, part in installed.parts.items()}
    start = time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - start
    return {
        name: (processor_seconds(part) - before[name]) / took
        for name, part in installed.parts.items()
    }


def _time_start(folder: Path, store: sqlite3.Connection, path: str) -> tuple[float, float]:
    """Return the seconds from the start of `up` to its ready line, and to the commit of a new file."""
    query = f"SELECT number FROM documents WHERE path = '{path}'"
    start = time.perf_counter()
    with started("up", cwd=folder) as up:
        write(folder / "seeds" / path, a_seed(title=path))
        line = stored = 0.0
        while not (line and stored):
            if not line and "Ctrl-C stops" in up.output:
                line = time.perf_counter() - start
            if not stored and store.execute(query).fetchone():
                stored = time.perf_counter() - start
            time.sleep(LOOK_SECONDS)
    return line, stored


def _store(env: dict[str, str], folder: Path, options: Options) -> None:
    """Store a made library without the parts, by one `sync`."""
    make_library(folder / "seeds", options.pages)
    run(sys.executable, "-m", "worker", "sync", "--json", cwd=folder, env=env, codes={0, 1})


def _edit_all(installed: Installation, paths: list[Path], number: int) -> None:
    """Edit pages, and wait until all are stored and a scan has begun and ended after that."""
    beside = installed.folder / ".edited.md"
    for path in paths:
        lines = path.read_text().split("\n")
        beside.write_text("\n".join([lines[0], f"title: Round {number}", *lines[2:]]))
        os.replace(beside, path)  # noqa: PTH105 - as editors save
    wait_until(
        lambda: (
            installed.ask(f"SELECT count(*) FROM documents WHERE title = 'Round {number}'")
            == (len(paths),)
        ),
        timeout=300,
        what=f"round {number}",
    )
    # A scan that has begun since: it ends later than one that began before would have begun again.
    after = datetime.now(UTC) + timedelta(seconds=ROUND_SCAN_SECONDS)
    scanned = (
        "SELECT count(*) FROM heartbeats WHERE name = 'watcher'"
        f" AND (data->>'last_scan')::timestamptz > '{after.isoformat()}'"
    )
    wait_until(lambda: installed.ask(scanned) == (1,), timeout=120, what="a scan")


def _wait_until_calm(installed: Installation) -> None:
    """Wait until the first scan, the first sweep, and the messages of the first load are done."""
    until = time.monotonic() + LONGEST_CALM_SECONDS
    used, share = 0.0, 1.0
    while share > CALM_SHARE and time.monotonic() < until:
        time.sleep(CALM_SECONDS)
        before, used = used, sum(processor_seconds(part) for part in installed.parts.values())
        share = (used - before) / CALM_SECONDS


def _target(value: float, target: float) -> str:
    return f"{target:g}{'' if value <= target else ' over'}"


def _last(rounds: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {seen[-1]:.0f} MiB" for name, seen in rounds.items())
