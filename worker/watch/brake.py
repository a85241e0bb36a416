"""The brake: decides whether documents whose files are missing may be retired.

A few missing files are retired at once. A mass disappearance (an unmounted or emptied folder, a wrong
mount, a mistake) is held until a person approves it or the files come back. What retired in the last 24
hours counts too, whichever process retired it, so a slow trickle of deletions is held as well; what a
person asked to remove does not count. If the folder's marker file is missing, every disappearance is held.
A file that is held stays held until it is back or a person has approved. The rule is in
`worker.domain.folder.brake`. Accesses the store only through `Record`. Called by the watcher's loop and by
`worker.watch.sync`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from worker.domain.folder.brake import Removals, must_ask
from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import Seen
from worker.domain.folder.snapshot import Known
from worker.domain.rules.judge import Judge
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

    @property
    def judge(self) -> Judge:
        """Return by what this process judges files."""

    def why_judged_again(self) -> list[str]:
        """Return what differs, in words, from the rules and settings that most files were judged by."""

    def newest_observation(self) -> int:
        """Return the largest `observed` that was ingested."""

    def batch_format(self) -> int:
        """Return the newest format of batches that every worker reads."""

    def heartbeat(self, name: str, data: dict[str, Any]) -> None:
        """Record that a part of the service is running."""

    def removals(self, released: Collection[str]) -> Removals:
        """Return what retired lately, what is held, and which of the `released` paths are still live."""

    def hold(self, removals: list[str], live: int) -> None:
        """Hold exactly these, and notify people of a new hold."""

    def end_hold(self) -> None:
        """End the hold: the files came back, or were retired."""


class Brake:
    """The missing paths of one watcher, and the hold on them. Times are monotonic seconds."""

    def __init__(
        self,
        settings: BrakeSettings,
        record: Record,
        *,
        is_marked: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._is_marked = is_marked
        self._record = record
        self._gone: dict[str, None] = {}
        self._released: set[str] = set()  # and their retirement may not be stored yet
        self._is_holding = False
        self._for_marker = False  # the hold is only for the missing marker
        self._has_looked = False  # whether the store has a hold that another process made
        self._deferred_since: float | None = None
        self.has_news = False  # a path was added since the last decision

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
        return self._is_holding

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to decide."""
        return not self._gone and not self._is_holding and self._has_looked

    def look_again(self) -> None:
        """Let the next decision look for a hold in the store, which ends if no file is missing."""
        self._has_looked = False

    def add(self, path: str) -> None:
        """Record that a path is missing."""
        self._gone[path] = None
        self.has_news = True

    def came_back(self, paths: Iterable[str]) -> None:
        """Record that paths exist again, or still do."""
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
        gone = [path for path in self._gone if path in known]
        self._gone = dict.fromkeys(gone)
        found = self._record.removals([path for path in self._released if path not in known])
        self._released = set(found.unstored)
        coming = {path for path in leaving if path in known and known[path].live}.difference(gone)
        vanished = [path for path in gone if known[path].live and path not in found.agreed]
        number = len(vanished) + len(coming - found.agreed)
        asks = self._must_ask(number, found.retired + len(self._released), known)
        if asks or (number and not self._is_marked()):
            if (coming or unread) and not self._is_over(at):
                return self._release((path for path in gone if path in found.agreed), ())
            self._for_marker = not asks
            kept, held = set(gone) - found.agreed, vanished
        else:
            held = [] if self._for_marker else [path for path in vanished if path in found.held]
            kept = set(held)
        self._deferred_since = None
        if held:
            self._hold(held, found, known)
        elif not coming and not unread:
            self._end(found)
        return self._release((path for path in gone if path not in kept), vanished)

    def _must_ask(self, number: int, recent: int, known: Mapping[str, Known]) -> bool:
        if not number:
            return False
        settings = self._settings
        # Counting 100,000 documents takes time, and a few are a mass only if they are all.
        enough = number + 1 if number + recent <= settings.count else None
        live = sum(1 for _ in islice((held for held in known.values() if held.live), enough))
        return must_ask(number, live, recent=recent, share=settings.share, count=settings.count)

    def _is_over(self, at: float) -> bool:
        if self._deferred_since is None:
            self._deferred_since = at
        return at - self._deferred_since >= _LONGEST_DEFERRAL_SECONDS

    def _hold(self, held: list[str], found: Removals, known: Mapping[str, Known]) -> None:
        if found.held != frozenset(held):
            live = sum(one.live for one in known.values())
            self._record.hold(sorted(held), live)
            if not self._is_holding:
                logger.warning(
                    "the files of %d of %d documents are missing: nothing is retired until they"
                    " are back or a person approves (content-sync approve)",
                    len(held),
                    live,
                )
        self._is_holding = self._has_looked = True

    def _release(self, paths: Iterable[str], counted: Iterable[str]) -> list[str]:
        released = list(paths)
        for path in released:
            del self._gone[path]
        self._released.update(set(released).intersection(counted))
        return released

    def _end(self, found: Removals) -> None:
        if found.is_held:
            self._record.end_hold()
        if self._is_holding:
            logger.info("the hold is over")
        self._is_holding = self._for_marker = False
        self._has_looked = True
