"""Numbers observations, so that it is known which of two was later. Called by the feed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ObservationNumbers:
    """Increasing numbers of observations: microseconds since the epoch, each used once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last = 0

    def next(self) -> int:
        """Return a number greater than all before, even if the clock was set back."""
        self._last = max(self._last + 1, self.clock())
        return self._last

    def ceiling(self) -> int:
        """Return a number that is at least every number so far and the clock's present one."""
        return max(self._last, self.clock())

    def clock(self) -> int:
        """Return the wall clock in microseconds since the epoch."""
        return (self._now() - _EPOCH) // _MICROSECOND

    def raise_to(self, number: int) -> None:
        """Make all further numbers greater than this one."""
        self._last = max(self._last, number)
