"""Counts the attempts at files whose worker ended before it had ingested them; each is sent again alone.

The counts are in memory. A new watcher starts with the batches that it finds unfinished. Called by
`worker.watch.feed`.
"""

from __future__ import annotations

from collections.abc import Iterable

from worker.domain.folder.reconcile import was_unread
from worker.domain.folder.snapshot import Batch, Known


class Suspects:
    """Contents that a worker started and did not finish, by path, with the number of attempts."""

    def __init__(self, unfinished: Iterable[Batch] = ()) -> None:
        self._files: dict[str, tuple[str, int]] = {
            snapshot.path: (snapshot.sha256, batch.attempts + 1)
            for batch in unfinished
            for snapshot in batch.snapshots
        }

    def add(self, files: Iterable[tuple[str, Known | None]]) -> None:
        """Count an attempt for each file of a batch, except for missing and unread files (no bytes)."""
        for path, known in files:
            if known is not None and not was_unread(known):
                self._files[path] = known.sha256, self.attempts(path, known.sha256) + 1

    def attempts(self, path: str, sha256: str) -> int:
        """Return the number of attempts at this content of a path, 0 for any other content."""
        suspect, attempts = self._files.get(path, ("", 0))
        return attempts if suspect == sha256 else 0

    def discard(self, path: str) -> None:
        """Forget a path that was ingested."""
        self._files.pop(path, None)
