"""The known files that are judged again, because the rules or settings have changed, or their day has come.

They are read after everything else, and progress is logged. Called by the watcher's loop.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from worker.watch.feed import Feed

logger = logging.getLogger("content_sync.watch")

_PROGRESS_SECONDS = 5.0


class Judging:
    """The paths of known files whose verdict does not hold any more. Times are monotonic seconds.

    `reasons` returns in words why.
    """

    def __init__(
        self, feed: Feed, reasons: Callable[[], Sequence[str]], monotonic: Callable[[], float]
    ) -> None:
        self._feed = feed
        self._reasons = reasons
        self._monotonic = monotonic
        self._waiting: deque[str] = deque()  # strings of the feed's, which take no memory
        self._read = 0
        self._said_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def find(self, has_seen: Callable[[str], bool]) -> None:
        """Find the files anew, after a scan, among those that it has seen: others are missing or ignored."""
        was_idle = not self._waiting
        self._waiting = deque(filter(has_seen, self._feed.known.unjudged()))
        if was_idle and self._waiting:
            self._read, self._said_at = 0, self._monotonic()
            changed = "; ".join(self._reasons())
            because = f" (changed: {changed})" if changed else ""
            logger.info("judging   %s again%s", _files(len(self._waiting)), because)

    def clear(self) -> None:
        """Forget everything: a scan follows."""
        self._waiting.clear()

    def next(self) -> str | None:
        """Return the next file to read again, or None."""
        while self._waiting:
            path = self._waiting.popleft()
            self._read += 1
            self._say()
            held = self._feed.known.get(path)
            if held is not None and not held.judged:
                return path
        return None

    def _say(self) -> None:
        if not self._waiting:
            logger.info("judged    %s again", _files(self._read))
        elif self._monotonic() >= self._said_at + _PROGRESS_SECONDS:
            self._said_at = self._monotonic()
            total = self._read + len(self._waiting)
            logger.info("judged    %s of %s again", f"{self._read:,}", _files(total))


def _files(number: int) -> str:
    return f"{number:,} file{'s' if number != 1 else ''}"
