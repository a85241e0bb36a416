"""Ingests every history in every order of arrival, and compares the ends: the order must not matter.

`python tests/ingest/orders.py [--database sqlite|postgresql] [--one-in 100]` runs it over a new database
and prints what differs. Cases share batches, since their paths have nothing in common.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

# ruff: noqa: E402, T201 - a program of the tests
from histories import History, Message, Watching, histories, orders
from sqlalchemy import select
from support.servers import PostgresServer
from support.stored import Library, a_library

from worker.domain.folder.snapshot import Batch
from worker.store.documents import LIVE, batched
from worker.store.paths import IS_REFUSED, RESIDENT
from worker.store.schema import documents, paths, versions

#: Cases whose messages share a batch.
TOGETHER = 100


@dataclass
class Case:
    """A history in one order of arrival.

    `prompt`: what waits arrives again after each message, else after all of them.
    """

    name: str
    prefix: str
    start: list[Message]
    arriving: deque[Message]
    prompt: bool = True
    waiting: list[Message] = field(default_factory=list)


@dataclass(frozen=True)
class End:
    """What the store says of a case: by path, the versions of the document that lives there, and refusals."""

    lives: dict[str, tuple[str, ...]]
    refused: dict[str, str]
    documents: frozenset[tuple[str, ...]]


def differences(library: Library, chosen: Iterable[History], *, split: bool) -> Iterator[str]:
    """Yield the cases whose end is not that of their history in its own order."""
    prefixes = (f"{'split' if split else 'whole'}-{number:x}/" for number in count())
    for histories_together in batched(list(chosen), TOGETHER // 24):
        some = [(one, list(_cases(one, prefixes, split=split))) for one in histories_together]
        run(library, [case for _, of_one in some for case in of_one])
        found = ends(library, [case.prefix for _, of_one in some for case in of_one])
        for history, (in_order, *others) in some:
            for case in others:
                problem = compare(found[in_order.prefix], found[case.prefix])
                if case.waiting:
                    problem = "it waits for ever"
                if problem:
                    yield f"{history.name} ({case.name}): {problem}"


def _cases(history: History, prefixes: Iterator[str], *, split: bool) -> Iterator[Case]:
    """Yield a history in its own order, and then in every order."""
    ways = [None, *range(len(list(orders(_watched(history, "", split=split)[1]))))]
    for way in ways:
        prefix = next(prefixes)
        start, steps = _watched(history, prefix, split=split)
        if way is None:
            in_order = [message for step in steps for message in step]
            yield Case("in order", prefix, start, deque(in_order))
        else:
            order = list(orders(steps))[way]
            name = " ".join(str(_observed(message)) for message in order)
            yield Case(name, prefix, start, deque(order), prompt=way % 2 == 0)


def _watched(
    history: History, prefix: str, *, split: bool
) -> tuple[list[Message], list[list[Message]]]:
    watching = Watching(prefix, split=split)
    start = watching.start(history)
    return start, [watching.see(operation) for operation in history.operations]


def _observed(message: Message) -> int:
    (item,) = (*message.batch.snapshots, *message.batch.removals)
    return item.observed


def run(library: Library, cases: Sequence[Case]) -> None:
    """Deliver the messages of all cases, one of each at a time, and what waits again and again."""
    for number in range(max(len(case.start) for case in cases)):
        _deliver(library, [(c, c.start[number]) for c in cases if number < len(c.start)])
    while arriving := [(case, case.arriving.popleft()) for case in cases if case.arriving]:
        _deliver(library, arriving)
        _deliver_waiting(library, [case for case in cases if case.prompt])
    while _deliver_waiting(library, cases):
        pass


def _deliver_waiting(library: Library, cases: Sequence[Case]) -> bool:
    """Deliver each message that waits once more; return whether any of them went on."""
    before = {case.prefix: case.waiting for case in cases if case.waiting}
    for case in cases:
        case.waiting = []
    for number in range(max(map(len, before.values()), default=0)):
        again = [
            (c, before[c.prefix][number]) for c in cases if number < len(before.get(c.prefix, ()))
        ]
        _deliver(library, again)
    return any(len(case.waiting) < len(before.get(case.prefix, ())) for case in cases)


def _deliver(library: Library, messages: Sequence[tuple[Case, Message]]) -> None:
    kinds = take_in(library, [message for _, message in messages])
    for (case, message), kind in zip(messages, kinds, strict=True):
        if kind == "waiting":
            case.waiting.append(message)


def take_in(library: Library, messages: Sequence[Message]) -> list[str]:
    """Ingest messages as one batch; return what became of each."""
    batch = Batch(
        id="orders",
        snapshots=tuple(s for message in messages for s in message.batch.snapshots),
        removals=tuple(r for message in messages for r in message.batch.removals),
    )
    data = b"".join(message.data for message in messages)
    outcomes = library.services.take_in_bytes(batch, data)
    kinds: dict[str, str] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.path, outcome.kind)
    return [kinds[message.batch.observed_paths[0]] for message in messages]


def ends(library: Library, prefixes: Sequence[str]) -> dict[str, End]:
    """Return what the store says of each prefix."""
    ours = [prefix + path for prefix in prefixes for path in "abc"]
    p, d, v = paths.c, documents.c, versions.c
    stored: dict[int, list[str]] = {}
    of_prefix: dict[str, set[int]] = {prefix: set() for prefix in prefixes}
    lives: dict[str, dict[str, int]] = {prefix: {} for prefix in prefixes}
    refused: dict[str, dict[str, str]] = {prefix: {} for prefix in prefixes}
    with library.store.read() as connection:
        rows = select(v.path, v.document_id, v.sha256).where(v.path.in_(ours)).order_by(v.number)
        for path, document_id, sha256 in connection.execute(rows):
            stored.setdefault(document_id, []).append(sha256)
            of_prefix[path[:-1]].add(document_id)
        living = select(p.path, d.id).join(documents, RESIDENT).where(d.state == LIVE)
        for path, document_id in connection.execute(living.where(p.path.in_(ours))):
            lives[path[:-1]][path[-1]] = document_id
        for path, sha256 in connection.execute(
            select(p.path, p.sha256).where(IS_REFUSED, p.path.in_(ours))
        ):
            refused[path[:-1]][path[-1]] = sha256
    return {
        prefix: End(
            lives={path: tuple(stored[one]) for path, one in lives[prefix].items()},
            refused=refused[prefix],
            documents=frozenset(tuple(stored[one]) for one in of_prefix[prefix]),
        )
        for prefix in prefixes
    }


def compare(expected: End, found: End) -> str | None:
    """Return how an end differs from the one of the same history in its own order, or None.

    An intermediate version may be missing. None is stored twice, out of order, or with another document.
    """
    if found.refused != expected.refused:
        return "other refusals"
    if found.lives.keys() != expected.lives.keys():
        return f"{sorted(found.lives)} live, not {sorted(expected.lives)}"
    for path, stored in found.lives.items():
        if stored[-1] != expected.lives[path][-1] or not _is_within(stored, expected.lives[path]):
            return f"{path} has another head, or continues another document"
    if not _count(found) <= _count(expected):
        return "a version is stored twice"
    if not all(any(_is_within(o, whole) for whole in expected.documents) for o in found.documents):
        return "a retired document has versions of others"
    return None


def _count(end: End) -> Counter[str]:
    return Counter(sha256 for one in end.documents for sha256 in one)


def _is_within(some: Sequence[str], whole: Sequence[str]) -> bool:
    """Return whether these are versions of a document in their order, with gaps."""
    left = iter(whole)
    return all(sha256 in left for sha256 in some)


def chosen(one_in: int) -> list[History]:
    """Return one in so many histories, chosen by the hash of their names."""
    return [one for one in histories() if zlib.crc32(one.name.encode()) % one_in == 0]


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/store.db"
        return
    with PostgresServer() as server, server.database() as url:
        yield url


def main() -> None:
    """Run the histories and print what differs; 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--one-in", type=int, default=1, help="run one in so many histories")
    given = parser.parse_args()
    found = 0
    with new_database(given.database) as url, a_library(url) as library:
        for split in (False, True):
            started, some = time.monotonic(), chosen(given.one_in)
            if split:
                some = [one for one in some if "rename" in one.name]
            for problem in differences(library, some, split=split):
                found += 1
                print(problem, flush=True)
            seconds = time.monotonic() - started
            print(f"{len(some)} histories, split={split}: {seconds:.0f} s", flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
