"""Benchmarks: `uv run python -m tests.benchmarks [NAME…]`, see `--help`.

Compare ratios of one run, never the times of two machines. `library` and `sizes` run ours beside git,
beside bare floors, and with `--peers` beside other programs, which are installed from PyPI. Servers are
those of the tests, with a PostgreSQL that waits for its disk. The real library is CONTENT_SYNC_CORPUS, a
folder or an archive; without it a made one of its size is used, and the table says so. Everything with
100,000 pages takes minutes: `--sizes` and `--pages` make it smaller. Begin five minutes after many files
were deleted (see `temporary`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from aged import measure_aged
from backlog import measure_backlog, measure_workers
from commands import measure_commands, measure_sweep
from compared import compare_library, compare_sizes
from dropped import measure_drop
from functions import compare_bodies, validate_bodies
from latency import measure_latency
from live import EditLostError
from options import Options
from pictures import PICTURES, draw_pictures
from resting import measure_idle, measure_memory, measure_ready
from slow_store import measure_slow_store
from timing import CommandFailedError, say

BENCHMARKS: dict[str, Callable[[Options], dict[str, Any]]] = {
    "library": compare_library,
    "sizes": compare_sizes,
    "latency": measure_latency,
    "ready": measure_ready,
    "commands": measure_commands,
    "sweep": measure_sweep,
    "drop": measure_drop,
    "workers": measure_workers,
    "backlog": measure_backlog,
    "slow-store": measure_slow_store,
    "memory": measure_memory,
    "idle": measure_idle,
    "aged": measure_aged,
    "change": compare_bodies,
    "validation": validate_bodies,
}


def main() -> None:
    """Run the benchmarks that are named, or all; print tables, and write what is asked for."""
    arguments = _read_arguments()
    # Out of the environment, where the service would take it for an unknown setting.
    corpus = os.environ.pop("CONTENT_SYNC_CORPUS", None)
    options = Options(
        runs=arguments.runs,
        edits=arguments.edits,
        sizes=arguments.sizes,
        pages=arguments.pages,
        seconds=arguments.seconds,
        corpus=Path(corpus).resolve() if corpus else None,
        floors=not arguments.no_floors,
        peers=arguments.peers,
    )
    results: dict[str, Any] = {}
    for name in arguments.names or BENCHMARKS:
        say(name)
        try:
            results[name] = BENCHMARKS[name](options)
        except (CommandFailedError, EditLostError, pytest.fail.Exception) as error:
            sys.exit(f"{name}: {error}")
        if arguments.json:  # after each, since the last ones take longest
            _write_figures(results, arguments.json)
    if arguments.pictures:
        draw_pictures(results, arguments.pictures)


def _write_figures(results: dict[str, Any], path: Path) -> None:
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg(),
    }
    path.write_text(json.dumps({**about, "results": results}, indent=2) + "\n")


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__.partition("\n\n")[2]
    )
    add = parser.add_argument
    names = ", ".join(BENCHMARKS)
    add("names", nargs="*", metavar="NAME", help=f"which of: {names}; default: all")
    add("--runs", type=int, default=5, help="how often each is run (default: %(default)s)")
    add("--edits", type=int, default=200, help="edits of `latency` (default: %(default)s)")
    add("--sizes", type=_sizes, default=Options().sizes, metavar="N,N", help="pages of `sizes`")
    add("--pages", type=int, default=100_000, help="pages of the others (default: %(default)s)")
    add("--seconds", type=int, default=60, help="how long `idle` looks (default: %(default)s)")
    add("--no-floors", action="store_true", help="leave out the floors")
    add("--peers", action="store_true", help="install the peers, and run them too")
    add("--json", type=Path, metavar="FILE", help="write the figures to this file")
    add(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        nargs="?",
        const=PICTURES,
        help=f"draw what `latency` and `sizes` found (default: {PICTURES.name}, beside this)",
    )
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in BENCHMARKS:
            parser.error(f"{name!r} is none of {names}")
    return arguments


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


if __name__ == "__main__":
    main()
