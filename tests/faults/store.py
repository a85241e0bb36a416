"""Bar 9, many writers at once: `uv run python -m tests.faults.store --minutes 10`.

Eight processes take in pages and answer reviews of the same forty documents, on SQLite and then on
PostgreSQL, while one reads the events as a follower does. Each writer counts what the service
reported; at the end the database must hold exactly that: each version once and in order, each answer,
each event seen.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url, text
from support.seeds import BODY, a_seed
from support.servers import PostgresServer
from support.stored import NOON, Library, a_library

from worker.errors import StoreUnavailableError
from worker.reviews.snooze_and_ack import NotAnsweredError, acknowledge, snooze
from worker.store.library import events_after

WRITERS = 8
DOCUMENTS = 40
TODAY = NOON.date()
EVENTS_AT_ONCE = 500
#: The limit of snoozes must stop no writer: snoozes are counted here.
REVIEW = {"max_snoozes": 10**9}


@dataclass
class Reported:
    """What the service reported to a writer, and what went wrong."""

    versions: list[tuple[str, int]] = field(default_factory=list)
    snoozes: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    retired: int = 0
    transactions: int = 0
    longest_seconds: float = 0.0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What all writers did in a run, and what of it is not in the database, or more than once."""

    transactions: int
    versions: int
    answers: int
    longest_seconds: float
    wrong: list[str]


def write_for(url: str, number: int, seconds: float, transactions: float) -> Reported:
    """Write as fast as it goes, for that long or so often; runs in a process of its own."""
    reported = Reported()
    chance = random.Random(number)
    with a_library(url, review=REVIEW) as library:
        library.observed = _observations()
        until = time.monotonic() + seconds
        while (began := time.monotonic()) < until and reported.transactions < transactions:
            try:
                _write_once(library, chance, reported)
            except StoreUnavailableError as error:
                reported.errors.append(str(error))
            except NotAnsweredError:
                pass  # it was retired just now
            reported.transactions += 1
            reported.longest_seconds = max(reported.longest_seconds, time.monotonic() - began)
    return reported


def _observations() -> Iterator[int]:
    """Yield numbers that increase over all processes of this machine, nearly always."""
    while True:
        yield time.time_ns() // 1000


def _write_once(library: Library, chance: random.Random, reported: Reported) -> None:
    paths = [f"{chance.randrange(DOCUMENTS)}.md" for _ in range(chance.randint(1, 4))]
    what = chance.random()
    if what < 0.6:
        pages = {
            path: a_seed(
                title=f"Page {chance.random()}", body=f"{BODY}\n{chance.randrange(9)} mg.\n"
            )
            for path in paths
        }
        for outcome in library.take_in(pages):
            if outcome.kind in {"new", "changed"}:
                reported.versions.append((outcome.path, outcome.number))
    elif what < 0.65:
        reported.retired += sum(one.kind == "retired" for one in library.remove(paths[0]))
    elif what < 0.85:
        until = TODAY + timedelta(days=chance.randint(1, 20))
        answer = snooze(
            library.store,
            paths[0],
            until=until,
            reason="busy",
            by="Asha",
            settings=library.services.settings,
            now=NOON,
            today=TODAY,
        )
        reported.snoozes[paths[0]] += answer is not None
    else:
        until = TODAY + timedelta(days=chance.randint(1, 20))
        answer = acknowledge(library.store, paths[0], until=until, by="Asha", now=NOON, today=TODAY)
        reported.acknowledged += answer is not None


def write_at_once(
    url: str, *, seconds: float = math.inf, transactions: float = math.inf
) -> Verdict:
    """Let all writers write to a store for that long, or each so often, and return what became of it."""
    with a_library(url, review=REVIEW) as library:  # makes the tables
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["support.stored", "worker.library.services", "worker.reviews.snooze_and_ack"]
        )
        with ProcessPoolExecutor(WRITERS, mp_context=context) as pool:
            running = [
                pool.submit(write_for, url, number, seconds, transactions)
                for number in range(WRITERS)
            ]
            seen: list[int] = []
            while not all(one.done() for one in running):
                _follow(library, seen)
                time.sleep(0.05)
            reported = [one.result() for one in running]
        _follow(library, seen)
        wrong = [error for one in reported for error in one.errors]
        wrong += _differences(library, reported, seen)
    if make_url(url).get_backend_name() == "sqlite":
        wrong += _integrity(make_url(url).database)
    return Verdict(
        transactions=sum(one.transactions for one in reported),
        versions=sum(len(one.versions) for one in reported),
        answers=sum(one.snoozes.total() + one.acknowledged for one in reported),
        longest_seconds=max(one.longest_seconds for one in reported),
        wrong=wrong,
    )


def _follow(library: Library, seen: list[int]) -> None:
    """Read the events that are new, as a program that follows the library does."""
    with library.store.read() as connection:
        while rows := events_after(connection, seen[-1] if seen else 0, EVENTS_AT_ONCE):
            seen.extend(row.id for row in rows)


def _differences(library: Library, reported: list[Reported], seen: list[int]) -> Iterator[str]:
    """Yield each difference between the database and what the service reported to the writers."""

    def query(statement: str) -> list[Any]:
        with library.store.read() as connection:
            return list(connection.execute(text(statement)))

    versions = Counter(version for one in reported for version in one.versions)
    twice = [version for version, times in versions.items() if times > 1]
    if twice:
        yield f"the service reported {twice[:3]} as stored to two writers"
    rows = query("SELECT path, number FROM versions")
    if Counter(map(tuple, rows)) != versions:
        yield f"{len(rows)} versions are stored, and {versions.total()} were reported"
    heads = query(
        "SELECT d.path FROM documents d WHERE d.number <> "
        "(SELECT count(*) FROM versions v WHERE v.document_id = d.id)"
    )
    if heads:
        yield f"{len(heads)} documents do not have the versions 1 to that of their head"
    events = dict(map(tuple, query("SELECT kind, count(*) FROM events GROUP BY kind")))
    snoozes = sum((one.snoozes for one in reported), Counter())
    for kind, times in {
        "version.stored": versions.total(),
        "document.retired": sum(one.retired for one in reported),
        "review.snoozed": snoozes.total(),
        "review.acknowledged": sum(one.acknowledged for one in reported),
    }.items():
        if events.get(kind, 0) != times:
            yield f"{events.get(kind, 0)} events are {kind}, and {times} were reported"
    answered = query(
        "SELECT d.path, a.snoozes FROM acknowledgements a JOIN documents d ON d.id = a.document_id"
    )
    if {path: times for path, times in answered if times} != {
        p: t for p, t in snoozes.items() if t
    }:
        yield "the snoozes of a document differ from those reported to its writers"
    if seen != [number for (number,) in query("SELECT id FROM events ORDER BY id")]:
        yield "the follower has missed an event, or saw it out of order"


def _integrity(database: str | None) -> Iterator[str]:
    with closing(sqlite3.connect(database or "")) as connection:
        said = connection.execute("PRAGMA integrity_check").fetchall()
        said += connection.execute("PRAGMA foreign_key_check").fetchall()
    if said != [("ok",)]:
        yield f"SQLite's check says {said[:3]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="for each of the two databases")
    seconds = parser.parse_args().minutes * 60
    table = Table("store", "transactions", "versions", "answers", "longest s", "wrong")
    table.title = f"{WRITERS} writers at once, {seconds:.0f} s each"
    broken = []
    with (
        tempfile.TemporaryDirectory() as folder,
        PostgresServer() as server,
        server.database() as postgresql,
    ):
        for url in (f"sqlite:///{folder}/content-sync.db", postgresql):
            verdict = write_at_once(url, seconds=seconds)
            broken += verdict.wrong
            table.add_row(
                make_url(url).get_backend_name(),
                f"{verdict.transactions:,}",
                f"{verdict.versions:,}",
                f"{verdict.answers:,}",
                f"{verdict.longest_seconds:.2f}",
                "\n".join(verdict.wrong[:5]) or "nothing",
            )
    Console(width=120).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
