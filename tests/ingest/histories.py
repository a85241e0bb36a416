"""Every history of four operations over three paths, and what a watcher says of it.

Up to renaming the paths there are 11,142.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations

from support.seeds import a_seed

from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Source, Stamp, Turn

PATHS = "abc"
STEPS = 4
#: An operation: its name, its path, and the new path of a rename.
Operation = tuple[str, ...]


@dataclass(frozen=True)
class History:
    """The paths that have a page at first, and what people do then."""

    start: frozenset[str]
    operations: tuple[Operation, ...]

    @cached_property
    def name(self) -> str:
        """Return it in a short form, such as `ab: edit a, rename a c`."""
        steps = ", ".join(" ".join(operation) for operation in self.operations)
        return f"{''.join(sorted(self.start)) or '-'}: {steps}"

    def renamed(self, names: dict[str, str]) -> History:
        """Return the history with other names of the paths."""
        return History(
            frozenset(names[path] for path in self.start),
            tuple((kind, *(names[path] for path in rest)) for kind, *rest in self.operations),
        )


def histories(steps: int = STEPS) -> Iterator[History]:
    """Yield every history, one of those that differ in the names of the paths alone."""
    renamings = [dict(zip(PATHS, names, strict=True)) for names in permutations(PATHS)]
    for size in range(len(PATHS) + 1):
        start = frozenset(PATHS[:size])
        for operations in _operations(start, steps):
            history = History(start, operations)
            same = [history.renamed(names) for names in renamings]
            if history.name == min(other.name for other in same if other.start == start):
                yield history


def _operations(there: frozenset[str], steps: int) -> Iterator[tuple[Operation, ...]]:
    if not steps:
        yield ()
        return
    for operation in _possible(there):
        for rest in _operations(_after(there, operation), steps - 1):
            yield (operation, *rest)


def _possible(there: frozenset[str]) -> Iterator[Operation]:
    for path in PATHS:
        if path not in there:
            yield "create", path
            continue
        yield from (("edit", path), ("break", path), ("remove", path))
        yield from (("rename", path, other) for other in PATHS if other != path)


def _after(there: frozenset[str], operation: Operation) -> frozenset[str]:
    kind, path, *other = operation
    match kind:
        case "create":
            return there | {path}
        case "remove":
            return there - {path}
        case "rename":
            return (there - {path}) | set(other)
        case _:
            return there


@dataclass(frozen=True)
class Message:
    """A batch of one path as the watcher sends it, with its bytes."""

    batch: Batch
    data: bytes


@dataclass
class Watching:
    """A watcher that sees each operation by itself, over paths below a prefix.

    `split`: it sees a rename as a removal and a new file. Its messages name what `worker.watch.feed`
    would name while nothing it sent has arrived yet.
    """

    prefix: str
    split: bool = False
    observed: int = 0
    known: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    asked: dict[str, Turn] = field(default_factory=dict)
    pages: int = 0

    def start(self, history: History) -> list[Message]:
        """Return the messages about the pages that exist at first."""
        return [self._see(path, self._page(path)) for path in sorted(history.start)]

    def see(self, operation: Operation) -> list[Message]:
        """Return the messages about an operation, in the order of their observation."""
        kind, path, *other = operation
        match kind:
            case "create":
                return [self._see(path, self._page(path))]
            case "edit":
                return [self._see(path, self._edited(path))]
            case "break":
                broken = self._edited(path).replace(b"status: active", b"status: none such")
                return [self._see(path, broken)]
            case "remove":
                return [self._remove(path)]
            case _:
                return self._rename(path, other[0])

    def _page(self, path: str) -> bytes:
        self.pages += 1
        lines = "".join(f"Page {self.pages} of {path} says {n}.\n\n" for n in range(20))
        return a_seed(title=f"Page {self.pages}", body=f"\n{lines}").encode()

    def _edited(self, path: str) -> bytes:
        self.pages += 1
        good = self.known[path][1].replace(b"status: none such", b"status: active")
        head, _, _rest = good.rpartition(b"\n\n")[0].rpartition(b"\n\n")
        return head + b"\n\nEdited: " + str(self.pages).encode() + b"\n\n"

    def _see(
        self,
        path: str,
        data: bytes,
        *,
        moved_from: Source | None = None,
        candidates: tuple[Source, ...] = (),
    ) -> Message:
        self.observed += 1
        turns = [turn for turns in (self.turns, self.asked) if (turn := turns.get(path))]
        snapshot = Snapshot(
            path=self.prefix + path,
            stamp=Stamp(size=len(data), mtime_ns=self.observed, inode=1),
            sha256=hashlib.sha256(data).hexdigest(),
            observed=self.observed,
            follows=tuple(turns),
            after=self.known[path][0] if path in self.known else 0,
            moved_from=moved_from,
            candidates=candidates,
        )
        self.known[path] = (self.observed, data)
        if candidates:
            self._turn(path, path)
            self.asked |= {
                source.path.rpartition("/")[2]: self.turns[path] for source in candidates
            }
        return Message(Batch(id="", snapshots=(snapshot,)), data)

    def _remove(self, path: str) -> Message:
        self.observed += 1
        follows = (self.turns[path],) if path in self.turns else ()
        after, _ = self.known[path]
        removal = Removal(
            path=self.prefix + path, observed=self.observed, follows=follows, after=after
        )
        self._turn(path, path)
        del self.known[path]
        return Message(Batch(id="", removals=(removal,)), b"")

    def _turn(self, path: str, seen: str) -> None:
        self.turns[path] = Turn(self.prefix + seen, self.observed)

    def _rename(self, old: str, new: str) -> list[Message]:
        observed, data = self.known[old]
        if self.split:
            removal = self._remove(old)
            source = (Source(self.prefix + old, self.observed),)
            # A page that exists is edited; only a new file asks what it continues.
            return [removal, self._see(new, data, candidates=() if new in self.known else source)]
        move = self._see(new, data, moved_from=Source(self.prefix + old, observed))
        self._turn(old, new)
        self._turn(new, new)
        del self.known[old]
        return [move]


def orders(
    steps: Sequence[Sequence[Message]],
) -> Iterator[list[Message]]:
    """Yield the messages of the steps in every order, a split rename's halves in both orders."""
    for order in permutations(steps):
        yield [message for step in order for message in step]
    if any(len(step) > 1 for step in steps):
        for order in permutations(steps):
            yield [message for step in order for message in reversed(step)]
