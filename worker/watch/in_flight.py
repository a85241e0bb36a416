"""Files that were sent and are not in the store yet: overlaid on the store's data, and given up in time.

Sends nothing itself: a scan finds again what is given up here. In memory only. Called by
`worker.watch.feed`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.snapshot import Batch, Known, Snapshot, Unreadable

logger = logging.getLogger("content_sync.watch")

#: How long a batch may be in flight before a scan treats it as lost. The time doubles after each loss
#: until something arrives: while no worker runs, the queue must not fill with repeats.
IN_FLIGHT_SECONDS = 20.0
LONGEST_IN_FLIGHT_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """A batch that was sent, the time, and the paths in it that may be moves."""

    batch_id: str
    at: float
    possible_moves: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Overlaid:
    """What became of the files sent: paths that arrived, and files of lost batches that a worker started."""

    arrived: list[str] = field(default_factory=list)
    started: list[tuple[str, Known | None]] = field(default_factory=list)


class InFlight:
    """The newest content that was sent for each path. Times are monotonic seconds.

    `withdraw` deletes a lost batch and returns whether a worker had started it. `kept` returns the IDs of
    the batches that wait for a worker or whose worker has ended. A large load may stay here until the
    next scan reads the store, so `note` shares the feed's entries and allocates nothing per file.
    """

    def __init__(
        self, *, withdraw: Callable[[str], bool], kept: Callable[[], Collection[str]]
    ) -> None:
        self._withdraw = withdraw
        self._kept = kept
        self._sent: dict[str, _Sending] = {}
        self._known = KnownFiles()  # what was sent for files that exist
        self._gone: dict[str, int] = {}  # the observation numbers of the removals that were sent
        self._kept_since: dict[str, float] = {}  # by ID, the batches that may still be in the spool
        self._patience_seconds = IN_FLIGHT_SECONDS

    @property
    def is_undecided(self) -> bool:
        """Return whether a file that was sent may be a move and the worker has not decided yet."""
        return any(path in sending.possible_moves for path, sending in self._sent.items())

    def __contains__(self, path: str) -> bool:
        return path in self._sent

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is in flight, and no batch waits for a worker or is being ingested."""
        return not (self._sent or self._kept())

    def note(self, batch: Batch, known: KnownFiles, at: float) -> None:
        """Record that a batch was sent; `known` has the feed's entries for its paths."""
        self._kept_since[batch.id] = at
        moves = frozenset(snapshot.path for snapshot in batch.snapshots if snapshot.candidates)
        sending = _Sending(batch_id=batch.id, at=at, possible_moves=moves)
        items: list[Snapshot | Unreadable] = [*batch.snapshots, *batch.unreadable]
        for item in items:
            held = known.get(item.path)
            if held is not None and held.observed >= item.observed:
                self._forget(item.path)
                self._sent[item.path] = sending
                self._known.share(item.path, known)
        for path, observed in _removals(batch):
            if path not in known:
                self._forget(path)
                self._sent[path] = sending
                self._gone[path] = observed

    def overlay(self, fresh: KnownFiles, at: float) -> Overlaid:
        """Overlay what is in flight on `fresh`, the store's data; forget what arrived or was lost."""
        found = Overlaid()
        kept = self._kept()
        patience = soon = self._patience_seconds
        if not kept:  # no batch waits: workers took them, or the broker lost them
            soon = min(soon, IN_FLIGHT_SECONDS)
        lost: dict[str, list[tuple[str, Known | None]]] = {}
        for path in list(self._sent):
            sending = self._sent[path]
            if self._arrived(path, fresh):
                self._forget(path)
                found.arrived.append(path)
            elif at - sending.at >= (patience if path in self._gone else soon):
                lost.setdefault(sending.batch_id, []).append((path, self._known.get(path)))
                self._forget(path)
        self._lay_over(fresh)
        for batch_id, files in lost.items():
            if self._withdraw(batch_id):
                found.started += files
        self._withdraw_outdated(kept, at, soon)
        if lost:
            logger.info("%d batches were lost; the scan sends their files again", len(lost))
        if found.arrived or found.started:  # workers take batches, even if one of them ended
            self._patience_seconds = IN_FLIGHT_SECONDS
        elif lost:
            self._patience_seconds = min(2 * patience, LONGEST_IN_FLIGHT_SECONDS)
        return found

    def _lay_over(self, fresh: KnownFiles) -> None:
        for path in self._known:
            fresh.share(path, self._known)
        for path in self._gone:
            fresh.discard(path)

    def _arrived(self, path: str, fresh: KnownFiles) -> bool:
        """Return whether the store has what was sent, or something newer."""
        if path not in self._gone and fresh.is_same(path, self._known):
            return True  # the usual case, and edits wait for this check
        have = fresh.get(path)
        if path in self._gone:
            return have is None or have.observed > self._gone[path]
        return have is not None and have.observed >= self._known[path].observed

    def _forget(self, path: str) -> None:
        self._sent.pop(path, None)
        self._known.discard(path)
        self._gone.pop(path, None)

    def _withdraw_outdated(self, kept: Collection[str], at: float, patience: float) -> None:
        """Withdraw kept batches with nothing in flight: all their files arrived or were sent again.

        Their worker ended, or the watcher that sent them did. While the spool keeps such a batch, it
        takes the place of one that waits.
        """
        in_flight = {sending.batch_id for sending in self._sent.values()}
        self._kept_since = {one: self._kept_since.get(one, at) for one in kept}
        for batch_id, since in self._kept_since.items():
            if batch_id not in in_flight and at - since >= patience:
                self._withdraw(batch_id)


def _removals(batch: Batch) -> list[tuple[str, int]]:
    moved = [(s.moved_from.path, s.observed) for s in batch.snapshots if s.moved_from is not None]
    return moved + [(removal.path, removal.observed) for removal in batch.removals]
