"""Finds where new content may come from: paths that had the same bytes, and missing files.

Both are guesses. The feed checks whether a path really no longer exists; the worker, which has both
bodies, decides whether a new file is an edited copy of a missing one. Called by `worker.watch.feed`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from worker.domain.folder.decide import RETIRED_WITH_MICROSECONDS
from worker.domain.folder.known import KnownFiles, content_key
from worker.domain.folder.snapshot import Known, Source, Stamp

#: How many paths the worker gets; it compares each, and a diff takes up to milliseconds.
MOST_CANDIDATES = 16
# No real library has more equal files, and each guess costs a system call.
MOST_ORIGINS = 8
# An edit of a few lines changes a file's size by a smaller factor.
_MOST_TIMES = 2
_MEMORY_SECONDS = RETIRED_WITH_MICROSECONDS / 1e6
# Up to this many entries are inserted one by one; more are appended and sorted together.
_FEW = 200


class Origins:
    """An index of paths by content. It may be out of date, so its results are guesses.

    A hash table with chaining, in arrays of numbers: a dictionary would take three times the memory.
    """

    def __init__(self, known: KnownFiles) -> None:
        self._paths: list[str] = []
        self._keys = array("Q")
        self._others = array("i")  # the previous entry in the same slot of the table, or -1
        self._newest = _table(len(known))
        for path, key in known.live_contents():
            self._add(path, key)

    def add(self, path: str, sha256: str) -> None:
        """Record that a path has these bytes, unless `MOST_ORIGINS` paths have them already."""
        paths = self.find(sha256)
        if path not in paths and len(paths) < MOST_ORIGINS:
            self._add(path, content_key(sha256))

    def find(self, sha256: str) -> list[str]:
        """Return at most `MOST_ORIGINS` paths that have, or had, these bytes."""
        found: list[str] = []
        key = content_key(sha256)
        at = self._newest[key & (len(self._newest) - 1)]
        while at >= 0 and len(found) < MOST_ORIGINS:
            if self._keys[at] == key:
                found.append(self._paths[at])
            at = self._others[at]
        return found

    def _add(self, path: str, key: int) -> None:
        number = len(self._paths)
        if number == len(self._newest):
            self._widen()
        place = key & (len(self._newest) - 1)
        self._paths.append(path)
        self._keys.append(key)
        self._others.append(self._newest[place])
        self._newest[place] = number

    def _widen(self) -> None:
        self._newest = _table(2 * len(self._newest))
        for number, key in enumerate(self._keys):
            place = key & (len(self._newest) - 1)
            self._others[number] = self._newest[place]
            self._newest[place] = number


def _table(entries: int) -> array[int]:
    """Return an empty table for a number of entries; its length is a power of two."""
    return array("i", [-1]) * (1 << max(10, entries.bit_length()))


class _Entry(NamedTuple):
    stamp: Stamp
    observed: int
    since: float
    retired: bool


class Missing:
    """Live documents whose files are missing, and documents that were retired a short time ago."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._sorted: dict[object, list[tuple[int, str]]] = {}  # by a key of `_keys`, then by size
        self._listed: dict[str, Stamp] = {}
        self._unlisted: dict[str, None] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, path: str, held: Known, at: float, *, removed: int | None = None) -> None:
        """Record that a file is missing, or that its removal was sent, at a time in monotonic seconds.

        `removed` is the observation number of the removal.
        """
        if not held.live:
            return  # it has no document
        retired = removed is not None
        self._entries[path] = _Entry(held.stamp, removed or held.observed, at, retired)
        if self._listed.get(path) != held.stamp:
            self._unlisted[path] = None

    def discard(self, path: str) -> None:
        """Forget a path that exists, or whose document continues elsewhere."""
        self._entries.pop(path, None)  # `_sort` cleans the lists later

    def keep(self, known: Container[str], at: float) -> None:
        """Forget paths that the store no longer knows or that were retired too long ago."""
        for path, entry in list(self._entries.items()):
            forgotten = at - entry.since >= _MEMORY_SECONDS if entry.retired else path not in known
            if forgotten:
                del self._entries[path]

    def candidates(
        self, path: str, stamp: Stamp, is_gone: Callable[[str], bool]
    ) -> tuple[Source, ...]:
        """Return the missing paths that a new file may be an edited copy of, the likeliest first.

        The order: the same inode, the same name in a folder of the same name, the same name, the same
        folder, any other; within each, the nearest size first. `is_gone` looks at the folder.
        """
        found: dict[str, Source] = {}
        if not self._entries:
            return ()
        self._sort()
        for key in _keys(path, stamp):
            near = (
                other
                for other in _nearest(self._sorted.get(key, ()), stamp.size)
                if other not in found and other in self._entries and other != path
            )
            for other in islice(near, MOST_CANDIDATES):
                if is_gone(other):
                    found[other] = Source(other, self._entries[other].observed)
                else:
                    self.discard(other)
                if len(found) == MOST_CANDIDATES:
                    return tuple(found.values())
        return tuple(found.values())

    def _sort(self) -> None:
        if len(self._listed) > 2 * len(self._entries) + _FEW:
            self._sorted, self._listed = {}, {}
            self._unlisted = dict.fromkeys(self._entries)
        many = len(self._unlisted) > _FEW
        for path in self._unlisted:
            if path not in self._entries:
                continue
            stamp = self._listed[path] = self._entries[path].stamp
            for key in _keys(path, stamp):
                entries = self._sorted.setdefault(key, [])
                if many:
                    entries.append((stamp.size, path))
                else:
                    insort(entries, (stamp.size, path))
        if many:
            for entries in self._sorted.values():
                entries.sort()
        self._unlisted = {}


def _keys(path: str, stamp: Stamp) -> tuple[object, ...]:
    folder, _, name = path.rpartition("/")
    tail = f"{folder.rpartition('/')[2]}/{name}"
    return (stamp.inode, ("tail", tail), ("name", name), ("folder", folder), "any")


def _nearest(entries: Sequence[tuple[int, str]], size: int) -> Iterator[str]:
    """Yield the paths with the nearest size first; skip sizes that differ by more than `_MOST_TIMES`."""
    above = bisect_left(entries, (size, ""))
    below = above - 1
    while True:
        up = entries[above] if above < len(entries) else None
        down = entries[below] if below >= 0 else None
        if up is not None and up[0] > size * _MOST_TIMES:
            up = None
        if down is not None and down[0] * _MOST_TIMES < size:
            down = None
        if up is not None and (down is None or up[0] - size <= size - down[0]):
            yield up[1]
            above += 1
        elif down is not None:
            yield down[1]
            below -= 1
        else:
            return
