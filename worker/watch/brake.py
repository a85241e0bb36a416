"""The brake: documents that are gone from the folder, and whether they may be retired.

A few are retired at once. A mass disappearance (an unmounted or emptied folder, a wrong mount, a slip
of the hand) is held until a person agrees or the files come back. What was retired within the last
while counts too, so that no trickle of deletions passes that would be held at once. Where the folder
has a marker and it is gone too, each disappearance is held. Knows the store only through `Record`;
looks at no other file. Called by the watcher's loop.
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

#: How long a mass disappearance may wait for moves to be found before it is held and told.
_LONGEST_DEFERRAL_SECONDS = 20.0


class Record(Protocol):
    """What the watcher asks of the store and tells it. Each may raise `StoreUnavailableError`."""

    def known_files(self) -> KnownFiles:
        """Return every path that is live or has a refusal."""

    def stamps(self) -> set[Seen]:
        """Return the same paths as a walk sees them, with UNPROVEN_SIZE where the stamp proves nothing."""

    def fingerprint(self) -> tuple[int, ...]:
        """Return numbers of which some differ once the known files do."""

    def newest_observation(self) -> int:
        """Return the largest `observed` that was taken in."""

    def heartbeat(self, name: str, data: dict[str, Any]) -> None:
        """Note that a part lives."""

    def hold(self, removals: list[str], live: int) -> None:
        """Record a mass disappearance and tell people; while one is held, only its list changes."""

    def approved(self) -> frozenset[str]:
        """Return the paths whose removal a person has approved, none while they have not."""

    def end_hold(self) -> None:
        """End the hold: the files came back, or their retirement was carried out."""


class Brake:
    """The gone paths of one watcher, and the hold on them. Times are monotonic seconds."""

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
        self._left_over = True  # another process may have held something
        self._deferred_since: float | None = None
        self.has_news = False  # something is gone since the last decision
        self.root_doubtful = True  # not yet seen with a seed in it since it came (back)

    def __contains__(self, path: str) -> bool:
        return path in self._gone

    def __iter__(self) -> Iterator[str]:
        return iter(self._gone)

    @property
    def deferring(self) -> bool:
        """Return whether a mass disappearance is being looked into, and not yet held."""
        return self._deferred_since is not None

    @property
    def held(self) -> bool:
        """Return whether a mass disappearance waits for a person."""
        return self._held is not None

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to decide."""
        return not self._gone and self._held is None and not self._left_over

    def add(self, path: str) -> None:
        """Note that a path is gone."""
        self._gone[path] = None
        self.has_news = True

    def came_back(self, paths: Iterable[str]) -> None:
        """Note that paths are there (after all)."""
        self.root_doubtful = False
        if self._gone:
            for path in paths:
                self._gone.pop(path, None)

    def decide(
        self, known: Mapping[str, Known], leaving: Iterable[str], *, at: float, unread: bool
    ) -> list[str]:
        """Return the gone paths that may be retired now; they are the caller's to retire.

        `leaving` are paths that seem to be gone and are not yet sure. While `unread` files may turn
        out to be moves, a mass disappearance is not yet held, and nothing of it retired.
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
        # Counting 100,000 documents takes a while, and a few removals are never a mass.
        if removals + recent <= settings.count and not self.root_doubtful:
            return False
        live = sum(held.live for held in known.values())
        if self.root_doubtful and removals >= live:
            return True  # the folder is empty, and was not seen to become so
        return trips_brake(
            removals + recent, live + recent, share=settings.share, count=settings.count
        )

    def _is_over(self, at: float) -> bool:
        if self._deferred_since is None:
            self._deferred_since = at
        return at - self._deferred_since >= _LONGEST_DEFERRAL_SECONDS

    def _hold(self, gone: list[str], vanished: list[str], known: Mapping[str, Known]) -> list[str]:
        """Hold what vanished, or release it where a person has agreed to that."""
        if (self._held is not None or self._left_over) and (consent := self._record.approved()):
            agreed = [path for path in gone if path in consent]  # only what the person was shown
            self._end()
            logger.info("a person agreed: %d documents that are gone are retired", len(agreed))
            return self._release(agreed, 0, 0.0)
        if self._held is None or self._held != frozenset(vanished):
            live = sum(held.live for held in known.values())
            self._record.hold(sorted(vanished), live)
            if self._held is None:
                logger.warning(
                    "%d of %d documents are gone from the folder: nothing is retired until they are"
                    " back, or a person agrees (content-sync approve)",
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
        if self._held is not None or self._left_over:
            self._record.end_hold()
            if self._held is not None:
                logger.info("the hold is over")
            self._held, self._left_over = None, False
            self._recent.clear()
