"""Decides when a hinted path is ready to be read: a state machine without clock or I/O.

A close or a rename settles after a short window, which absorbs a burst. Without a close, the file's stamp
must have stopped changing. A deletion must last for a while, because an atomic replace starts with one.
In whatever order hints arrive, the last content is read and no path waits forever. Times are monotonic
seconds. Called by the watcher's loop.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import Enum, auto

from worker.domain.folder.snapshot import Stamp

_LONGEST_BACKOFF_SECONDS = 2.0


class HintKind(Enum):
    """What an event says about a path. It may be wrong or late; it is only a reason to look."""

    ARRIVED = auto()  # created, or moved in from outside: events do not distinguish them
    WRITTEN = auto()
    CLOSED = auto()  # by a writer, or renamed to this path
    DELETED = auto()  # or renamed away


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One event on one path; a rename is two, `DELETED` and `CLOSED`."""

    kind: HintKind
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The path is ready to be read.

    `closed`: its writer closed it. `forced`: it has waited for the maximum time, so read it even if a
    process has it open. `first` and `attempts` are for `Settle.busy`.
    """

    path: str
    closed: bool
    forced: bool
    first: float
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The path has been absent for long enough."""

    path: str


@dataclass(slots=True, kw_only=True)
class _Waiting:
    first: float
    due: float
    closed: bool = False
    stamp: Stamp | None = None
    stamp_at: float = 0.0
    gone_at: float | None = None
    attempts: int = 0


class Settle:
    """The waiting paths, each with the time of its next look. All times are in seconds."""

    def __init__(
        self,
        *,
        coalesce_seconds: float,
        still_seconds: float,
        removal_seconds: float,
        max_wait_seconds: float,
    ) -> None:
        self._coalesce = coalesce_seconds
        self._still = still_seconds
        self._removal = removal_seconds
        self._max_wait = max_wait_seconds
        self._waiting: dict[str, _Waiting] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: str) -> bool:
        return path in self._waiting

    def hint(self, hint: Hint, at: float) -> None:
        """Accept a hint that arrived at a time."""
        waiting = self._waiting.get(hint.path)
        if waiting is None:
            waiting = self._waiting[hint.path] = _Waiting(first=at, due=at)
        match hint.kind:
            case HintKind.DELETED:
                if waiting.gone_at is None:
                    waiting.gone_at = at
                self._arm(hint.path, waiting, waiting.gone_at + self._removal)
            case HintKind.CLOSED:
                waiting.gone_at = None
                waiting.attempts = 0
                # A fixed window: a file that is saved without a pause is read between two saves.
                if not (waiting.closed and waiting.due > at):
                    self._arm(hint.path, waiting, at + self._coalesce)
                waiting.closed = True
            case HintKind.ARRIVED:
                waiting.gone_at = None
                waiting.closed = False
                self._arm(hint.path, waiting, at + self._coalesce)
            case HintKind.WRITTEN:
                waiting.gone_at = None
                waiting.closed = False
                self._arm(hint.path, waiting, at + self._still)

    def next_at(self) -> float | None:
        """Return when the next path is due, or None if none waits."""
        while self._heap:
            due, path = self._heap[0]
            waiting = self._waiting.get(path)
            if waiting is not None and waiting.due == due:
                return due
            heapq.heappop(self._heap)
        return None

    def due(self, at: float) -> list[str]:
        """Return the paths that are due now; call `look` for each."""
        paths = []
        while (due := self.next_at()) is not None and due <= at:
            paths.append(heapq.heappop(self._heap)[1])
        return list(dict.fromkeys(paths))

    def look(
        self, path: str, stamp: Stamp | None, at: float, *, age_seconds: float = 0.0
    ) -> Read | Gone | None:
        """Decide on a due path by its stamp (None if the file does not exist); None: it still waits.

        `age_seconds` is the time since its modification, by the wall clock.
        """
        waiting = self._waiting.get(path)
        if waiting is None:
            return None
        if stamp is None:
            if waiting.gone_at is None:
                waiting.gone_at = at
            if at >= waiting.gone_at + self._removal:
                del self._waiting[path]
                return Gone(path=path)
            self._arm(path, waiting, waiting.gone_at + self._removal)
            return None
        waiting.gone_at = None
        late = at >= waiting.first + self._max_wait
        if waiting.closed or late or self._stood_still(waiting, stamp, at, age_seconds):
            del self._waiting[path]
            return Read(
                path=path,
                closed=waiting.closed,
                forced=late,
                first=waiting.first,
                attempts=waiting.attempts,
            )
        if waiting.stamp != stamp:
            waiting.stamp, waiting.stamp_at = stamp, at
        self._arm(path, waiting, waiting.stamp_at + self._still)
        return None

    def busy(self, read: Read, at: float) -> None:
        """Put back a path that a process is still writing. Each time it waits longer."""
        due = at + min(self._still * 2.0 ** min(read.attempts, 16), _LONGEST_BACKOFF_SECONDS)
        if not read.forced:
            due = min(due, max(at, read.first + self._max_wait))
        self._waiting[read.path] = _Waiting(
            first=read.first, due=due, closed=read.closed, attempts=read.attempts + 1
        )
        heapq.heappush(self._heap, (due, read.path))

    def leaving(self) -> list[str]:
        """Return the paths that seem to be missing and are not reported as `Gone` yet."""
        return [path for path, waiting in self._waiting.items() if waiting.gone_at is not None]

    def forget(self, path: str) -> None:
        """Stop waiting for a path."""
        self._waiting.pop(path, None)

    def clear(self) -> None:
        """Forget every path: a scan follows."""
        self._waiting.clear()
        self._heap.clear()

    def _stood_still(self, waiting: _Waiting, stamp: Stamp, at: float, age_seconds: float) -> bool:
        seen_still = waiting.stamp == stamp and at >= waiting.stamp_at + self._still
        return seen_still or age_seconds >= self._still

    def _arm(self, path: str, waiting: _Waiting, due: float) -> None:
        if waiting.gone_at is None:
            due = min(due, waiting.first + self._max_wait)
        waiting.due = due
        heapq.heappush(self._heap, (due, path))
