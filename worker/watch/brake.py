"""The brake: decides whether documents whose files are missing may be retired.

A few missing files are retired at once. A mass disappearance (an unmounted or emptied folder, a wrong
mount, a mistake) is held until a person approves it or the files come back. Recent retirements count
too, so a slow trickle of deletions is held as well. If the folder's marker file is missing, every
disappearance is held. Accesses the store only through `Record`. Called by the watcher's loop.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import Seen, trips_brake
from worker.domain.folder.snapshot import Known
from worker.settings.model import BrakeSettings

logger = logging.getLogger("content_sync.watch")

#: How long a mass disappearance may wait for moves to be found before it is held and reported.
_LONGEST_DEFERRAL_SECONDS = 20.0


class Record(Protocol):
    """What the watcher reads from the store and writes to it. Each may raise `StoreUnavailableError`."""

    def known_files(self) -> KnownFiles:
        """Return every path that is live or has a refusal."""

    def stamps(self) -> set[Seen]:
        """Return the same paths in a walk's form, with UNPROVEN_SIZE if the stamp proves nothing."""

    def fingerprint(self) -> tuple[int, ...]:
        """Return a token that changes whenever known_files() would."""

    def newest_observation(self) -> int:
        """Return the largest `observed` that was ingested."""

    def heartbeat(self, name: str, data: dict[str, Any]) -> None:
        """Record that a part of the service is running."""

    def hold(self, removals: list[str], live: int) -> None:
        """Record a mass disappearance and notify people; if one is held already, update its list."""

    def approved(self) -> frozenset[str]:
        """Return the paths whose removal a person has approved; empty without an approval."""

    def end_hold(self) -> None:
        """End the hold: the files came back, or were retired."""


class Brake:
    """The missing paths of one watcher, and the hold on them. Times are monotonic seconds."""

    def __init__(
        self,
        settings: BrakeSettings,
        record: Record,
        *,
        window_seconds: float,
        is_marked: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._is_marked = is_marked
        self._record = record
        self._window = window_seconds
        self._gone: dict[str, None] = {}
        self._recent: deque[tuple[float, int]] = deque()
        self._held: frozenset[str] | None = None
        self._may_hold_before = True  # an earlier process may have left a hold in the store
        self._deferred_since: float | None = None
        self.has_news = False  # a path was added since the last decision
        self.root_doubtful = True  # no seed seen in the root since it (re)appeared

    def __contains__(self, path: str) -> bool:
        return path in self._gone

    def __iter__(self) -> Iterator[str]:
        return iter(self._gone)

    @property
    def deferring(self) -> bool:
        """Return whether a mass disappearance waits for possible moves and is not held yet."""
        return self._deferred_since is not None

    @property
    def held(self) -> bool:
        """Return whether a mass disappearance waits for a person."""
        return self._held is not None

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to decide."""
        return not self._gone and self._held is None and not self._may_hold_before

    def add(self, path: str) -> None:
        """Record that a path is missing."""
        self._gone[path] = None
        self.has_news = True

    def came_back(self, paths: Iterable[str]) -> None:
        """Record that paths exist again, or still do."""
        self.root_doubtful = False
        if self._gone:
            for path in paths:
                self._gone.pop(path, None)

    def decide(
        self, known: Mapping[str, Known], leaving: Iterable[str], *, at: float, unread: bool
    ) -> list[str]:
        """Return the missing paths that the caller may retire now.

        `leaving` are paths that seem to be missing but are not certain yet. While `unread` files may
        turn out to be moves, a mass disappearance is neither held nor retired.
        """
        self.has_news = False
        while self._recent and self._recent[0][0] <= at - self._window:
            self._recent.popleft()
        gone = [path for path in self._gone if path in known]
        self._gone = dict.fromkeys(gone)
        vanished = [path for path in gone if known[path].live]
        coming = {path for path in leaving if path in known and known[path].live}.difference(gone)
        if not self._trips_brake(len(vanished) + len(coming), known):
            self._deferred_since = None
            if not coming and not unread:
                self._end()
            return self._release(gone, len(vanished), at)
        if (coming or unread) and not self._is_over(at):
            return []
        self._deferred_since = None
        return self._hold(gone, vanished, known)

    def _trips_brake(self, removals: int, known: Mapping[str, Known]) -> bool:
        if not removals:
            return False
        if not self._is_marked():
            return True
        settings, recent = self._settings, sum(number for _, number in self._recent)
        # Counting 100,000 documents takes time, and a few removals are never a mass disappearance.
        if removals + recent <= settings.count and not self.root_doubtful:
            return False
        live = sum(held.live for held in known.values())
        if self.root_doubtful and removals >= live:
            return True  # the folder is empty, and nobody saw it become empty
        return trips_brake(
            removals + recent, live + recent, share=settings.share, count=settings.count
        )

    def _is_over(self, at: float) -> bool:
        if self._deferred_since is None:
            self._deferred_since = at
        return at - self._deferred_since >= _LONGEST_DEFERRAL_SECONDS

    def _hold(self, gone: list[str], vanished: list[str], known: Mapping[str, Known]) -> list[str]:
        """Hold what vanished, or release what a person has approved."""
        if (self._held is not None or self._may_hold_before) and (
            consent := self._record.approved()
        ):
            agreed = [path for path in gone if path in consent]  # only what the person was shown
            self._end()
            logger.info("removal approved: retiring %d documents", len(agreed))
            return self._release(agreed, 0, 0.0)
        if self._held is None or self._held != frozenset(vanished):
            live = sum(held.live for held in known.values())
            self._record.hold(sorted(vanished), live)
            if self._held is None:
                logger.warning(
                    "the files of %d of %d documents are missing: nothing is retired until they"
                    " are back or a person approves (content-sync approve)",
                    len(vanished),
                    live,
                )
            self._held = frozenset(vanished)
        return []

    def _release(self, gone: list[str], counted: int, at: float) -> list[str]:
        for path in gone:
            del self._gone[path]
        if counted:
            self._recent.append((at, counted))
        return gone

    def _end(self) -> None:
        if self._held is not None or self._may_hold_before:
            self._record.end_hold()
            if self._held is not None:
                logger.info("the hold is over")
            self._held, self._may_hold_before = None, False
            self._recent.clear()
