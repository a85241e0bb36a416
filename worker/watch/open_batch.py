"""A batch that the feed is filling, with the bytes that travel beside it. Called by `worker.watch.feed`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from worker.domain.folder.snapshot import Batch, Known, Removal, Snapshot, Unreadable
from worker.watch.lane import Lane


@dataclass(slots=True)
class OpenBatch:
    """What is observed until the batch is sent. `before` has what was known of the pages that changed."""

    snapshots: list[Snapshot] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    before: dict[str, Known] = field(default_factory=dict)
    size: int = 0
    attempts: int = 0

    @property
    def files(self) -> int:
        """Return the number of observations."""
        return len(self.snapshots) + len(self.unreadable) + len(self.removals)

    def close(self, lane: Lane, *, judge: str, batch_format: int) -> Batch:
        """Return the batch, under a new ID."""
        return Batch(
            id=uuid.uuid4().hex,
            snapshots=tuple(self.snapshots),
            unreadable=tuple(self.unreadable),
            removals=tuple(self.removals),
            bulk=lane is Lane.BULK,
            attempts=self.attempts,
            judge=judge,
            format=batch_format,
        )
