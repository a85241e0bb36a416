"""Benchmarks: `uv run python -m tests.benchmarks [NAME…] [--json FILE]`.

The names are `library`, `latency`, `sizes`, `commands`, `sweep`, `change` and `validation`. All but the
last two time whole processes in turn, or the sweep alone, medians of five, ratios of the same run:
compare ratios, never the times of two machines. `sizes`, `commands` and `sweep` make libraries of up to
100,000 pages, which takes some minutes. `change` and `validation` time a function on texts made to be
slow, the least processor time of five. `library` needs the real library (CONTENT_SYNC_CORPUS); without
it a made one of 1,432 pages is used, and the table says so; `change` takes its largest page, or else a
made one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import hostile
import psycopg
from rich.console import Console
from rich.table import Table
from scale import measure_commands, measure_sizes, measure_sweep
from servers import PostgresServer, RedisServer
from support import a_seed, started, write
from timing import clock, git_commit, ours, run, temporary

from worker.domain.change import compare
from worker.domain.rules import compile_rules, examine
from worker.domain.seed import Fields

#: The real library; taken out of the environment, where it would be an unknown setting.
CORPUS = os.environ.pop("CONTENT_SYNC_CORPUS", None)
RUNS = 5
EDITS = 200
#: Targets in milliseconds: a long page with twenty edits, and any text that intake takes.
PAGE, ANY = 10, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], default=[])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    results = {name: BENCHMARKS[name]() for name in arguments.names or BENCHMARKS}
    if arguments.json:
        about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
        }
        arguments.json.write_text(json.dumps({**about, "results": results}, indent=2) + "\n")


def compare_with_git() -> dict[str, Any]:
    """Time the first and the second sync of the library against `git add` and `git commit`."""
    with temporary() as folder:
        seeds, source = folder / "seeds", _library(folder / "source")
        shutil.copytree(source, seeds)
        _let_stamps_age(seeds)
        times: dict[str, list[float]] = {}
        for _ in range(RUNS):
            shutil.rmtree(seeds / ".git", ignore_errors=True)
            run("git", "init", "-q", cwd=seeds)
            clock(times, "git add + commit", lambda: git_commit(seeds))
            clock(times, "git status", lambda: run("git", "status", "--short", cwd=seeds))
            shutil.rmtree(folder / "var", ignore_errors=True)
            clock(times, "first sync", lambda: ours("sync", "--json", cwd=folder))
            clock(times, "second sync", lambda: ours("sync", "--json", cwd=folder))
        pages = sum(1 for path in source.rglob("*.md"))
    medians = {name: median(taken) for name, taken in times.items()}
    table = Table(title=f"{pages} pages, whole processes, median of {RUNS}", title_justify="left")
    for column in ("", "seconds", "to git add + commit"):
        table.add_column(column, justify="left" if not column else "right")
    for name, seconds in medians.items():
        table.add_row(name, f"{seconds:.3f}", f"{seconds / medians['git add + commit']:.2f}")
    Console().print(table)
    return {"pages": pages, "real": _corpus() is not None, "seconds": medians, "runs": times}


def measure_latency() -> dict[str, Any]:
    """Time an edit from `os.replace` to its committed version, embedded and over Redis."""
    results = {"embedded, SQLite": _latency_embedded()}
    with RedisServer() as redis, PostgresServer() as postgres, postgres.database() as url:
        results["Redis, prefork, PostgreSQL"] = _latency_distributed(redis.url, url)
    table = Table(title=f"os.replace to commit, {EDITS} edits, ms", title_justify="left")
    for column in ("", "p50", "p99", "max"):
        table.add_column(column, justify="left" if not column else "right")
    for name, taken in results.items():
        cuts = quantiles(taken, n=100)
        table.add_row(name, f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{max(taken):.1f}")
    Console().print(table)
    Console().print("of which the watcher's coalescing window is 10 ms")
    return results


def compare_bodies() -> dict[str, Any]:
    """Time the change record of a long page with twenty edits, and of texts made to be slow."""
    corpus = _corpus()
    real = corpus is not None and corpus.is_dir()
    page = hostile.sample(corpus) if real and corpus else hostile.page()
    name = f"{'largest' if real else 'made'} page of {len(page) / 1e6:.1f} MB, 20 digits changed"
    results = {}
    for case, make in ((name, lambda: hostile.edited(page)), *hostile.pairs()):
        old, new = make()
        results[case] = _least(lambda: compare({}, old, {}, new, review_fields=frozenset()))  # noqa: B023
    _show("change record, least of five, ms of the processor", results, {name: PAGE})
    return results


def validate_bodies() -> dict[str, Any]:
    """Time parsing and all rules for files of 5 MiB made to be slow."""
    schema = Path(__file__).parents[2] / "config" / "seed.schema.json"
    rules = compile_rules(json.loads(schema.read_text(encoding="utf-8")), Fields())
    head, today = a_seed(body="").encode(), datetime.now(UTC).date()
    results = {}
    for name, make in hostile.bodies():
        data = head + make().encode()
        results[name] = _least(
            lambda: examine(data, rules=rules, today=today, max_bytes=5 * 1024 * 1024)  # noqa: B023
        )
    _show("validation, least of five, ms of the processor", results, {})
    return results


def _least(work: Callable[[], object]) -> float:
    """Return the least processor time of some runs in milliseconds."""
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1000)
    return min(taken)


def _show(title: str, results: dict[str, float], targets: dict[str, int]) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("", "ms", "target"):
        table.add_column(column, justify="left" if not column else "right")
    for name, taken in results.items():
        target = targets.get(name, ANY)
        over = "" if taken <= target else " over"
        table.add_row(name, f"{taken:.1f}", f"{target}{over}")
    Console().print(table)


BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "library": compare_with_git,
    "latency": measure_latency,
    "sizes": measure_sizes,
    "commands": measure_commands,
    "sweep": measure_sweep,
    "change": compare_bodies,
    "validation": validate_bodies,
}


def _latency_embedded() -> list[float]:
    import sqlite3

    with temporary() as folder:
        (folder / "seeds").mkdir()
        with started("up", cwd=folder) as process:
            process.wait_for("Ctrl-C stops")
            connection = sqlite3.connect(folder / "var" / "content-sync.db")
            query = "SELECT number FROM documents WHERE path = 'a.md'"
            taken = _edit(folder, lambda: connection.execute(query).fetchone())
            connection.close()
    return taken


def _latency_distributed(redis_url: str, store_url: str) -> list[float]:
    env = {"CONTENT_SYNC_BROKER_URL": redis_url, "CONTENT_SYNC_STORE_URL": store_url}
    with temporary() as folder:
        (folder / "seeds").mkdir()
        run(sys.executable, "-m", "worker", "migrate", cwd=folder, env=env)
        with (
            started("worker", cwd=folder, env=env),
            started("watch", cwd=folder, env=env) as watcher,
            psycopg.connect(
                store_url.replace("postgresql+psycopg", "postgresql"), autocommit=True
            ) as connection,
        ):
            watcher.wait_for("watching")
            query = "SELECT number FROM documents WHERE path = 'a.md'"
            return _edit(folder, lambda: connection.execute(query).fetchone())


def _edit(folder: Path, stored: Callable[[], tuple[int] | None]) -> list[float]:
    """Replace one page again and again; returns milliseconds to each committed version."""
    page = write(folder / "seeds" / "a.md", a_seed())
    while (row := stored()) is None:
        time.sleep(0.01)
    taken = []
    for number in range(row[0] + 1, row[0] + 1 + EDITS):
        beside = write(folder / ".a.md.new", a_seed(title=f"Edit {number}"))
        start = time.perf_counter()
        os.replace(beside, page)  # noqa: PTH105 - the call that is timed
        while True:
            row = stored()
            if row is not None and row[0] >= number:
                break
            time.sleep(0.0002)
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def _library(folder: Path) -> Path:
    """Return a folder with the real library, or with a made one of its size."""
    corpus = _corpus()
    if corpus is not None and corpus.is_dir():
        return corpus
    if corpus is not None:
        with tarfile.open(corpus) as archive:
            archive.extractall(folder, filter="data")
        return folder
    for number in range(1432):
        body = f"# Page {number}\n\n" + f"Line {number} of a page that is made.\n\n" * 150
        write(folder / f"{number % 12}" / f"{number}.md", a_seed(title=f"Page {number}", body=body))
    return folder


def _corpus() -> Path | None:
    return Path(CORPUS) if CORPUS else None


def _let_stamps_age(seeds: Path) -> None:
    """Date the files back: what was written within two seconds is hashed again, as git does."""
    then = time.time() - 3600
    for path in seeds.rglob("*.md"):
        os.utime(path, (then, then))


if __name__ == "__main__":
    main()
