"""A load and live edits at once: how long an edit waits, and what the processes and Redis hold.

A library is copied into the watched folder while one page of it is edited ten times a second. Called
by the command alone.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import redis
from installation import (
    INSTALLATIONS,
    MEBIBYTE,
    Installation,
    distributed,
    peak_mebibytes,
)
from live import LivePage, spread
from made import make_library
from options import Options
from timing import say, show, temporary

EDIT_SECONDS = 0.1
SAMPLE_SECONDS = 0.05
#: Targets: milliseconds of a live edit; most resident memory of one process, in MiB.
EDIT_MS, MOST_MIB = 250, {"watch": 120, "worker": 150}
#: What the settings allow for a load: 16 batches of 4 MiB beside their messages.
QUEUE_MIB = 16 * 4.2
WORKERS = (1, 2, 4)


def measure_backlog(options: Options) -> dict[str, Any]:
    """Copy a library into the folder while a page of it is edited, embedded and distributed."""
    results: dict[str, Any] = {}
    with temporary() as folder:
        say(f"making {options.pages:,} pages")
        source = make_library(folder / "source", options.pages)
        for name, install in INSTALLATIONS.items():
            say(f"backlog, {name}: {options.pages:,} pages while a page is edited")
            with install() as installation:
                results[installation.name] = load_while_editing(installation, source, options.pages)
    rows = [[name, *_row(found)] for name, found in results.items()]
    show(
        f"{options.pages:,} pages copied in, one page edited {1 / EDIT_SECONDS:.0f} times a second",
        [
            "",
            "edits",
            "p50, ms",
            "p99, ms",
            "max",
            "load, s",
            "up",
            "watch",
            "worker",
            "in Redis, MiB",
        ],
        rows,
    )
    return results


def measure_workers(options: Options) -> dict[str, Any]:
    """Time the same load with one, two and four worker processes."""
    pages = min(options.pages, 20_000)
    results: dict[str, Any] = {}
    with temporary() as folder:
        source = make_library(folder / "source", pages)
        for processes in WORKERS:
            say(f"workers: {pages:,} pages with {processes}")
            with distributed(processes=processes) as installation:
                shutil.copytree(source, installation.folder / "beside")
                start = time.perf_counter()
                (installation.folder / "beside").rename(installation.seeds / "load")
                installation.wait_for_documents(pages, seconds=600)
                seconds = time.perf_counter() - start
            results[str(processes)] = {"seconds": seconds, "pages_a_second": pages / seconds}
    one = results["1"]["seconds"]
    show(
        f"{pages:,} pages moved in, over Redis into PostgreSQL",
        ["worker processes", "seconds", "pages a second", "to one"],
        [
            [
                name,
                f"{it['seconds']:.1f}",
                f"{it['pages_a_second']:,.0f}",
                f"{one / it['seconds']:.2f}",
            ]
            for name, it in results.items()
        ],
    )
    return results


def load_while_editing(installation: Installation, source: Path, pages: int) -> dict[str, Any]:
    """Edit a page in peace, then while a library is copied in; returns what both took and held."""
    page = LivePage(installation, look_seconds=0.001)
    page.edit_until(lambda: len(page.milliseconds) >= 20, every_seconds=EDIT_SECONDS)
    calm = spread(page.milliseconds)
    page.milliseconds.clear()
    looked_at, stored = 0.0, 0

    def is_loaded() -> bool:
        nonlocal looked_at, stored
        if time.monotonic() >= looked_at + 1.0:
            looked_at, stored = time.monotonic(), installation.documents()
        return stored > pages

    with _most_in_redis(installation) as most:
        start = time.perf_counter()
        with subprocess.Popen(["cp", "-r", source, installation.seeds / "load"]):
            page.edit_until(is_loaded, every_seconds=EDIT_SECONDS)
        seconds = time.perf_counter() - start
    return {
        "edits": spread(list(_at_a_steady_pace(page.milliseconds))),
        "edits_made": spread(page.milliseconds),
        "calm": calm,
        "seconds": seconds,
        "redis_mebibytes": most,
        "peak_mebibytes": {
            name: peak_mebibytes(process) for name, process in installation.parts.items()
        },
    }


def _at_a_steady_pace(milliseconds: list[float]) -> Iterator[float]:
    """Yield what was measured, and what an edit would have waited that was due meanwhile.

    The next edit is made when the one before has arrived, so that a long wait would count once, though
    whoever had saved at any moment of it would have waited too.
    """
    for taken in milliseconds:
        yield taken
        left = taken - 1000 * EDIT_SECONDS
        while left >= 1000 * EDIT_SECONDS:
            yield left
            left -= 1000 * EDIT_SECONDS


@contextmanager
def _most_in_redis(installation: Installation) -> Iterator[dict[str, float]]:
    """Note the most that Redis holds beyond what it held before: all of it, and without the stream."""
    most: dict[str, float] = {}
    if installation.redis is None:
        yield most
        return
    stop = Event()
    with redis.Redis.from_url(installation.redis.url) as client:
        before = _held(client)
        watching = Thread(target=_note_most, args=(client, before, most, stop))
        watching.start()
        try:
            yield most
        finally:
            stop.set()
            watching.join()


def _note_most(
    client: redis.Redis, before: dict[str, float], most: dict[str, float], stop: Event
) -> None:
    while not stop.wait(SAMPLE_SECONDS):
        for name, held in _held(client).items():
            most[name] = max(most.get(name, 0.0), held - before[name])


def _held(client: redis.Redis) -> dict[str, float]:
    memory: Any = client.info("memory")
    stream: Any = client.memory_usage("content-sync:events") or 0
    dataset = memory["used_memory_dataset"]
    return {
        "all": dataset / MEBIBYTE,
        "queues_and_spool": (dataset - stream) / MEBIBYTE,
        "stream": stream / MEBIBYTE,
    }


def _row(found: dict[str, Any]) -> list[str]:
    edits, peaks = found["edits"], found["peak_mebibytes"]
    over = " over" if edits["p99"] > EDIT_MS else ""
    held = found["redis_mebibytes"].get("queues_and_spool")
    return [
        f"{edits['count']:,}",
        f"{edits['p50']:.0f}",
        f"{edits['p99']:.0f}{over}",
        f"{edits['max']:.0f}",
        f"{found['seconds']:.0f}",
        *(_largest(part, peaks[part]) if part in peaks else "" for part in ("up", *MOST_MIB)),
        "" if held is None else f"{held:.0f}{' over' if held > QUEUE_MIB else ''}",
    ]


def _largest(part: str, processes: dict[str, float]) -> str:
    most = max(processes.values())
    return f"{most:.0f}{' over' if most > MOST_MIB.get(part, most) else ''}"
