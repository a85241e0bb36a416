"""The files that were on their way when their worker ended: each is sent again alone, and counted.

In memory only: a new watcher begins to count anew, but for what it is told. Called by `worker.watch.feed`.
"""

from __future__ import annotations

from collections.abc import Iterable

from worker.domain.folder.reconcile import was_unread
from worker.domain.folder.snapshot import Batch, Known


class Suspects:
    """Contents that a worker has begun and not taken in, by path, and how often."""

    def __init__(self, begun_before: Iterable[Batch] = ()) -> None:
        self._files: dict[str, tuple[str, int]] = {
            snapshot.path: (snapshot.sha256, batch.attempts + 1)
            for batch in begun_before
            for snapshot in batch.snapshots
        }

    def add(self, files: Iterable[tuple[str, Known | None]]) -> None:
        """Count an attempt for each file of a batch; those that are gone or unread have no bytes."""
        for path, known in files:
            if known is not None and not was_unread(known):
                self._files[path] = known.sha256, self.attempts(path, known.sha256) + 1

    def attempts(self, path: str, sha256: str) -> int:
        """Return how often this content of a path was begun; another content is no suspect."""
        before, attempts = self._files.get(path, ("", 0))
        return attempts if before == sha256 else 0

    def discard(self, path: str) -> None:
        """Forget a path: it was taken in."""
        self._files.pop(path, None)
