"""What was sent and is not yet seen in the store: laid over what that knows, and missed after a while.

Sends nothing itself: a scan finds again what is missed here. In memory only. Called by
`worker.watch.feed`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.snapshot import Batch, Known, Snapshot, Unreadable

logger = logging.getLogger("content_sync.watch")

#: How long something sent may be on its way before a scan takes it for lost. Twice as long after
#: each loss, until something arrives: while no worker runs, the queue must not fill with repeats.
IN_FLIGHT_SECONDS = 20.0
LONGEST_IN_FLIGHT_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """A batch that was sent, when, and the paths in it that may be moves."""

    batch_id: str
    at: float
    asked: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Overlaid:
    """What became of what was sent: paths that arrived, and files of lost batches that a worker began."""

    arrived: list[str] = field(default_factory=list)
    begun: list[tuple[str, Known | None]] = field(default_factory=list)


class InFlight:
    """What is on its way, by path: the newest that was sent. Times are monotonic seconds.

    `withdraw` forgets a batch that was lost, and tells whether a worker had begun it. `kept` returns the
    ids of the batches that wait for a worker, or whose worker has ended. A whole load may be held until
    a scan asks the store again, so nothing is made anew for each of its files.
    """

    def __init__(
        self, *, withdraw: Callable[[str], bool], kept: Callable[[], Collection[str]]
    ) -> None:
        self._withdraw = withdraw
        self._kept = kept
        self._sent: dict[str, _Sending] = {}
        self._known = KnownFiles()  # what was sent of those that are there
        self._gone: dict[str, int] = {}  # when the others were seen to be gone, as an observation
        self._kept_since: dict[str, float] = {}  # by id, the batches that may still be kept
        self._patience_seconds = IN_FLIGHT_SECONDS

    @property
    def is_undecided(self) -> bool:
        """Return whether something may be a move, and the store has not said yet."""
        return any(path in sending.asked for path, sending in self._sent.items())

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is on its way, and no batch waits or is at a worker."""
        return not (self._sent or self._kept())

    def note(self, batch: Batch, known: KnownFiles, at: float) -> None:
        """Note that a batch was sent; `known` is what the feed now holds of its paths."""
        self._kept_since[batch.id] = at
        asked = frozenset(snapshot.path for snapshot in batch.snapshots if snapshot.candidates)
        sending = _Sending(batch_id=batch.id, at=at, asked=asked)
        items: list[Snapshot | Unreadable] = [*batch.snapshots, *batch.unreadable]
        for item in items:
            held = known.get(item.path)
            if held is not None and held.observed >= item.observed:
                self._forget(item.path)
                self._sent[item.path] = sending
                self._known.share(item.path, known)
        for path, observed in _departed(batch):
            if path not in known:
                self._forget(path)
                self._sent[path] = sending
                self._gone[path] = observed

    def overlay(self, fresh: KnownFiles, at: float) -> Overlaid:
        """Lay what is still on its way over what the store knows, and forget what arrived or was lost."""
        found = Overlaid()
        kept = self._kept()
        patience = soon = self._patience_seconds
        if not kept:  # none waits: a worker took them, or the broker forgot them
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
                found.begun += files
        self._withdraw_outdated(kept, at, soon)
        if lost:
            logger.info("%d batches were not taken in; the scan sends their files again", len(lost))
        if found.arrived or found.begun:  # at a worker, though it ended
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
        """Return whether the store has taken in what was sent, or something newer."""
        if path not in self._gone and fresh.is_same(path, self._known):
            return True  # nearly always, and an edit waits for this
        have = fresh.get(path)
        if path in self._gone:
            return have is None or have.observed > self._gone[path]
        return have is not None and have.observed >= self._known[path].observed

    def _forget(self, path: str) -> None:
        self._sent.pop(path, None)
        self._known.discard(path)
        self._gone.pop(path, None)

    def _withdraw_outdated(self, kept: Collection[str], at: float, patience: float) -> None:
        """Forget batches of which nothing is on its way: all that they held arrived, or was sent anew.

        Their worker ended, or the watcher that sent them did. Each would take the room of one that
        waits for as long as the spool keeps it.
        """
        on_their_way = {sending.batch_id for sending in self._sent.values()}
        self._kept_since = {one: self._kept_since.get(one, at) for one in kept}
        for batch_id, since in self._kept_since.items():
            if batch_id not in on_their_way and at - since >= patience:
                self._withdraw(batch_id)


def _departed(batch: Batch) -> list[tuple[str, int]]:
    moved = [(s.moved_from, s.observed) for s in batch.snapshots if s.moved_from is not None]
    return moved + [(removal.path, removal.observed) for removal in batch.removals]
