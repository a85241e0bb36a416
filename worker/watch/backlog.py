"""The queue of files to read, most urgent first: changed documents, then racy ones, then new files.

Holds paths only. Called by the watcher's loop.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque


class Backlog:
    """Paths to read: changed, racy and new. A path is queued once."""

    def __init__(self) -> None:
        self.changed: OrderedDict[str, bool] = OrderedDict()  # whether it travels with live edits
        self.racy: deque[str] = deque()
        self._new: OrderedDict[str, tuple[int, bool]] = OrderedDict()
        self._sizes: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.changed) + len(self.racy) + len(self._new)

    @property
    def new(self) -> int:
        """Return the number of new files that wait."""
        return len(self._new)

    def add_changed(self, path: str, *, live: bool) -> None:
        """Add a file that differs from what was last sent for it."""
        self.discard(path)
        self.changed[path] = live

    def add_new(self, path: str, size: int, *, again: bool = False) -> None:
        """Add a file that the store does not know, with its size in bytes.

        `again`: it was read before, and waited for the other new files.
        """
        self.discard(path)
        self._new[path] = size, again
        self._sizes[size] += 1

    def discard(self, path: str) -> None:
        """Remove a path that was read elsewhere or is to be read later."""
        self.changed.pop(path, None)
        waiting = self._new.pop(path, None)
        if waiting is not None:
            self._release(waiting[0])

    def next_new(self) -> tuple[str, int, bool]:
        """Remove the oldest new file; return its path, its size, and whether it was read before."""
        path, (size, again) = self._new.popitem(last=False)
        self._release(size)
        return path, size, again

    def awaits(self, path: str, size: int) -> bool:
        """Return whether a new file with this path and size waits."""
        waiting = self._new.get(path)
        return waiting is not None and waiting[0] == size

    def may_hold(self, size: int) -> bool:
        """Return whether a new file of this size waits: a missing file may have moved to it."""
        return size in self._sizes

    def _release(self, size: int) -> None:
        self._sizes[size] -= 1
        if not self._sizes[size]:
            del self._sizes[size]
