"""Ingests two batches at once on PostgreSQL, one of them paused after each of its statements.

From every state that up to two operations reach, every pair of further operations: the first batch stops
after a statement until the second has ended or waits for one of its locks, and the other way round. The end
must be that of one batch after the other. SQLite has one writer at a time, so it has no interleavings.

`python tests/ingest/interleavings.py [--one-in 100]` prints what differs.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

# ruff: noqa: E402, T201 - a program of the tests
from histories import History, Message, Watching, histories
from orders import compare, ends, new_database, take_in
from sqlalchemy import Connection, event, text
from support.stored import Library, a_library
from support.waiting import wait_until

#: No ingest of one file has more statements.
MOST_STATEMENTS = 30


@dataclass
class Gate:
    """Stops a thread after a number of statements until it is opened."""

    after: int
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    statements: int = 0

    def pass_through(self) -> None:
        """Count a statement that is about to run; wait if it is the one."""
        if self.statements == self.after:
            self.reached.set()
            self.opened.wait()
        self.statements += 1


class Interleaving:
    """Runs batches in threads, with the gates and the server processes of each."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.gates: dict[int, Gate] = {}
        self.pids: dict[int, int] = {}
        engine = library.store._engine

        @event.listens_for(engine, "before_cursor_execute")
        def _statement(connection: Connection, *_rest: object) -> None:
            self._about_to_run(connection)

        @event.listens_for(engine, "commit")
        def _commit(connection: Connection) -> None:
            self._about_to_run(connection)

    def _about_to_run(self, connection: Connection) -> None:
        me = threading.get_ident()
        driver = connection.connection.dbapi_connection
        self.pids[me] = driver.info.backend_pid  # type: ignore[union-attr]
        if (gate := self.gates.get(me)) is not None:
            gate.pass_through()

    def run(self, first: Message, second: Message, *, after: int) -> tuple[bool, list[Message]]:
        """Ingest both at once, the first paused after so many statements.

        Returns whether the pause came before its end, and the messages that wait.
        """
        waiting: list[Message] = []
        gate = Gate(after)

        def ingest(message: Message, gate: Gate | None) -> None:
            if gate is not None:
                self.gates[threading.get_ident()] = gate
            try:
                if take_in(self.library, [message])[0] == "waiting":
                    waiting.append(message)
            finally:
                self.gates.pop(threading.get_ident(), None)

        paused = threading.Thread(target=ingest, args=(first, gate))
        other = threading.Thread(target=ingest, args=(second, None))
        paused.start()
        wait_until(lambda: gate.reached.is_set() or not paused.is_alive())
        other.start()
        wait_until(lambda: not other.is_alive() or self._is_blocked(other, by=paused))
        stopped = gate.reached.is_set()
        gate.opened.set()
        paused.join()
        other.join()
        return stopped, waiting

    def _is_blocked(self, thread: threading.Thread, *, by: threading.Thread) -> bool:
        pid, holder = (self.pids.get(one.ident or 0) for one in (thread, by))
        if pid is None or holder is None:
            return False
        with self.library.store._engine.connect() as connection:
            return bool(
                connection.scalar(
                    text("SELECT :holder = ANY(pg_blocking_pids(:pid))"),
                    {"holder": holder, "pid": pid},
                )
            )


def differences(library: Library, some: Iterable[History]) -> Iterator[str]:
    """Yield the interleavings whose end is not that of one batch after the other."""
    interleaving = Interleaving(library)
    prefixes = (f"at-once-{number:x}/" for number in count())
    for history in some:
        expected = next(prefixes)
        for message in _messages(history, expected):
            assert take_in(library, [message])[0] != "waiting"
        for turned in (False, True):
            for after in range(MOST_STATEMENTS):
                prefix = next(prefixes)
                stopped = _run(interleaving, history, prefix, turned=turned, after=after)
                found = ends(library, [expected, prefix])
                if problem := compare(found[expected], found[prefix]):
                    yield f"{history.name} (turned={turned}, after={after}): {problem}"
                if not stopped:
                    break


def pairs(one_in: int) -> Iterator[History]:
    """Yield the histories of two to four operations; the last two of each are done at once."""
    for steps in (2, 3, 4):
        for history in histories(steps):
            if zlib.crc32(history.name.encode()) % one_in == 0:
                yield history


def _messages(history: History, prefix: str) -> list[Message]:
    watching = Watching(prefix)
    start = watching.start(history)
    return start + [m for operation in history.operations for m in watching.see(operation)]


def _run(
    interleaving: Interleaving, history: History, prefix: str, *, turned: bool, after: int
) -> bool:
    *before, first, second = _messages(history, prefix)
    for message in before:
        take_in(interleaving.library, [message])
    pair = (second, first) if turned else (first, second)
    stopped, waiting = interleaving.run(*pair, after=after)
    for message in waiting:
        assert take_in(interleaving.library, [message])[0] != "waiting"
    return stopped


def main() -> None:
    """Run the interleavings and print what differs; 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one-in", type=int, default=1, help="run one in so many pairs")
    some = list(pairs(parser.parse_args().one_in))
    started = time.monotonic()
    with new_database("postgresql") as url, a_library(url) as library:
        found = 0
        for problem in differences(library, some):
            found += 1
            print(problem, flush=True)
    print(f"{len(some)} pairs: {time.monotonic() - started:.0f} s", flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
