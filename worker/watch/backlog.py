"""The files that are known to need reading and have not been read yet, in the order of their urgency.

Changed documents come before racy ones, and those before new files. Holds paths only. Called by the
watcher's loop.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque


class Backlog:
    """Paths to be read: changed, racy and new; each is held once."""

    def __init__(self) -> None:
        self.changed: OrderedDict[str, bool] = OrderedDict()  # to go with live edits, or as a load
        self.racy: deque[str] = deque()
        self._new: OrderedDict[str, tuple[int, bool]] = OrderedDict()
        self._sizes: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.changed) + len(self.racy) + len(self._new)

    @property
    def new(self) -> int:
        """Return how many new files wait."""
        return len(self._new)

    def add_changed(self, path: str, *, live: bool) -> None:
        """Add a file that differs from what was sent of it."""
        self.discard(path)
        self.changed[path] = live

    def add_new(self, path: str, size: int, *, again: bool = False) -> None:
        """Add a file that the store does not know, and its size in bytes.

        With `again` it was looked at already, and waited for the other new ones.
        """
        self.discard(path)
        self._new[path] = size, again
        self._sizes[size] += 1

    def discard(self, path: str) -> None:
        """Forget a path: it was read by another way, or is to be looked at later."""
        self.changed.pop(path, None)
        waiting = self._new.pop(path, None)
        if waiting is not None:
            self._release(waiting[0])

    def next_new(self) -> tuple[str, int, bool]:
        """Take out the oldest new file, its size, and whether it was looked at already."""
        path, (size, again) = self._new.popitem(last=False)
        self._release(size)
        return path, size, again

    def awaits(self, path: str, size: int) -> bool:
        """Return whether a new file waits, as large as that."""
        waiting = self._new.get(path)
        return waiting is not None and waiting[0] == size

    def may_hold(self, size: int) -> bool:
        """Return whether a new file of this size waits: it may be what a missing one became."""
        return size in self._sizes

    def _release(self, size: int) -> None:
        self._sizes[size] -= 1
        if not self._sizes[size]:
            del self._sizes[size]
