"""The first sync, one with nothing to do and one with one change: ours beside git, floors and peers.

All take their turns in one run, over the same folder: compare their ratios. Called by the command alone.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from floors import floors
from git import Git
from installation import DurablePostgres
from made import make_library
from options import Options
from peer_runs import PEERS, Asked, Installed, install
from real_library import AGE_SECONDS, take_library
from timing import Cost, medians, ours, say, show, temporary, timed

FIRST, UNCHANGED, CHANGE = "first", "unchanged", "one change"
OURS, GIT = "content-sync sync", "git add + commit; git status"
DURABLE_GIT = "git, as durable as ours"
#: A first sync of so many pages in all runs together, at least once.
FIRST_PAGES = 60_000
#: Peers are asked of libraries up to this size: the slowest takes minutes for more.
PEER_PAGES = 20_000
#: Targets, as ratios to git: a first sync, an unchanged one of the largest library.
FIRST_RATIO, UNCHANGED_RATIO = 0.75, 4.0

COLUMNS = (
    *("", "first, s", "min–max", "cpu", "cpu to git", "µs a page", "to git"),
    *("same, s", "to git", "change, s", "MiB"),
)

Costs = dict[str, dict[str, list[Cost]]]


def compare_library(options: Options) -> dict[str, Any]:
    """Compare on the real library, or a made one of its size."""
    with temporary() as folder:
        seeds, real = take_library(folder / "seeds", options.corpus)
        found = _compare(seeds, folder, options)
    _show(f"{found['pages']:,} {'real' if real else 'made'} pages", found)
    return {"real": real, **found}


def compare_sizes(options: Options) -> dict[str, Any]:
    """Compare on made libraries of several sizes."""
    results = {}
    for pages in options.sizes:
        with temporary() as folder:
            say(f"making {pages:,} pages")
            found = _compare(make_library(folder / "seeds", pages), folder, options)
        _show(f"{pages:,} made pages of 4 kB", found)
        results[str(pages)] = found
    return results


def _compare(seeds: Path, folder: Path, options: Options) -> dict[str, Any]:
    pages = sorted(seeds.rglob("*.md"))
    costs: Costs = {}
    edits = _edits(pages)
    with ExitStack() as stack:
        peers: list[Installed] = []
        if options.peers and len(pages) <= PEER_PAGES:
            peers = [install(peer, folder) for peer in PEERS]
        url = None
        if options.floors:
            postgres = stack.enter_context(DurablePostgres())
            url = stack.enter_context(postgres.database())
        firsts = max(1, min(options.runs, FIRST_PAGES // len(pages)))
        for number in range(firsts):
            say(f"{len(pages):,} pages: run {number + 1} of {firsts}")
            # After one first sync all that follows it is measured as often as asked for.
            repeats = options.runs if number == firsts - 1 else 1
            _git(seeds, folder, costs, edits, repeats)
            _note(costs, DURABLE_GIT, FIRST, Git(seeds, folder, durable=True).commit())
            _ours(seeds, folder, costs, edits, repeats)
            for name, work in floors(seeds, folder, url).items() if options.floors else ():
                _note(costs, name, FIRST, timed(work))
            for peer in peers:
                with Asked(peer, seeds, folder / f"{peer.program.stem}-{number}") as asked:
                    _sync_all(costs, peer.name, asked.sync, asked.sync, edits, repeats)
    return {
        "pages": len(pages),
        "load_average": os.getloadavg()[0],
        "costs": {
            name: {step: medians(each) for step, each in steps.items()}
            for name, steps in costs.items()
        },
    }


def _git(seeds: Path, folder: Path, costs: Costs, edits: Iterator[None], repeats: int) -> None:
    git = Git(seeds, folder)
    _sync_all(costs, GIT, git.commit, git.status, edits, repeats, git.commit)


def _ours(seeds: Path, folder: Path, costs: Costs, edits: Iterator[None], repeats: int) -> None:
    shutil.rmtree(folder / "var", ignore_errors=True)

    def sync() -> Cost:
        return ours("sync", "--json", "--seeds", str(seeds), cwd=folder)

    _sync_all(costs, OURS, sync, sync, edits, repeats)


def _sync_all(
    costs: Costs,
    name: str,
    first: Callable[[], Cost],
    unchanged: Callable[[], Cost],
    edits: Iterator[None],
    repeats: int,
    change: Callable[[], Cost] | None = None,
) -> None:
    _note(costs, name, FIRST, first())
    for _ in range(repeats):
        _note(costs, name, UNCHANGED, unchanged())
        next(edits)
        _note(costs, name, CHANGE, (change or first)())


def _note(costs: Costs, name: str, step: str, cost: Cost) -> None:
    costs.setdefault(name, {}).setdefault(step, []).append(cost)


def _edits(pages: list[Path]) -> Iterator[None]:
    """Change one page each time, by a line at its end, as if that had been done a while ago.

    What was written within two seconds would be hashed again by the next scan, ours as git's.
    """
    page, number = pages[len(pages) // 2], 0
    text = page.read_text(encoding="utf-8")
    while True:
        number += 1
        page.write_text(f"{text}\nAnd line {number}.\n", encoding="utf-8")
        then = time.time() - AGE_SECONDS + number
        os.utime(page, (then, then))
        yield


def _show(what: str, found: dict[str, Any]) -> None:
    costs, pages = found["costs"], found["pages"]
    rows = []
    for name, steps in costs.items():
        first = steps[FIRST]
        row = [
            name,
            f"{first['seconds']:.3f}",
            f"{first['min']:.2f}–{first['max']:.2f}" if first["runs"] > 1 else "",
            f"{first['processor_seconds']:.2f}",
            f"{first['processor_seconds'] / costs[GIT][FIRST]['processor_seconds']:.2f}",
            f"{1e6 * first['seconds'] / pages:.0f}",
            f"{_ratio(costs, name, FIRST):.2f}{_over(costs, name, FIRST, FIRST_RATIO)}",
        ]
        if UNCHANGED in steps:
            row += [
                f"{steps[UNCHANGED]['seconds']:.3f}",
                f"{_ratio(costs, name, UNCHANGED):.1f}{_over(costs, name, UNCHANGED, UNCHANGED_RATIO)}",
                f"{steps[CHANGE]['seconds']:.3f}",
                _peak(steps),
            ]
        rows.append(row + [""] * (len(COLUMNS) - len(row)))
    show(
        f"{what}: seconds, and ratios to git of the same run; load {found['load_average']:.1f}",
        list(COLUMNS),
        rows,
    )


def _peak(steps: dict[str, dict[str, float]]) -> str:
    most = max(step["peak_mebibytes"] for step in steps.values())
    return f"{most:.0f}" if most else ""


def _ratio(costs: dict[str, Any], name: str, step: str) -> float:
    return float(costs[name][step]["seconds"] / costs[GIT][step]["seconds"])


def _over(costs: dict[str, Any], name: str, step: str, target: float) -> str:
    return " over" if name == OURS and _ratio(costs, name, step) > target else ""
