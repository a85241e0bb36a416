"""Live edits: one page is replaced again and again, and each edit is timed to its committed version.

Called by the benchmarks alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import quantiles

from installation import Installation
from support.seeds import a_seed, write

GIVE_UP_SECONDS = 300.0
PAGE = "live/page.md"


class EditLostError(Exception):
    """An edit has not arrived."""


class LivePage:
    """One page that is edited; `milliseconds` are those of all edits so far."""

    def __init__(self, installation: Installation, *, look_seconds: float = 0.0005) -> None:
        """Write the page and wait for its first version; then look for versions so often.

        That is added to what is measured, half of it on the average. Who looks more often takes so
        much of two cores that what is measured takes longer by more than that.
        """
        self._ask = installation.ask
        self._look_seconds = look_seconds
        self._page = installation.seeds / PAGE
        self._beside = installation.folder / ".page.md.new"
        self.milliseconds: list[float] = []
        write(self._page, a_seed())
        self._number = self._wait_for(1)

    def edit(self) -> float:
        """Replace the page, wait for its version, and return how long that took, in milliseconds."""
        wanted = self._number + 1
        write(self._beside, a_seed(title=f"Edit {wanted}"))
        start = time.perf_counter()
        os.replace(self._beside, self._page)  # noqa: PTH105 - the call that is timed
        self._number = self._wait_for(wanted)
        taken = (time.perf_counter() - start) * 1000
        self.milliseconds.append(taken)
        return taken

    def edit_until(self, is_done: Callable[[], bool], *, every_seconds: float) -> None:
        """Edit the page so often, or as soon as the edit before has arrived, until all is done."""
        while not is_done():
            next_at = time.perf_counter() + every_seconds
            self.edit()
            time.sleep(max(0.0, next_at - time.perf_counter()))

    def _wait_for(self, number: int) -> int:
        until = time.monotonic() + GIVE_UP_SECONDS
        query = f"SELECT number FROM documents WHERE path = '{PAGE}'"
        while time.monotonic() < until:
            row = self._ask(query)
            if row is not None and row[0] >= number:
                return int(row[0])
            time.sleep(self._look_seconds)
        raise EditLostError(f"version {number} of {PAGE} was not stored in {GIVE_UP_SECONDS:.0f} s")


def spread(milliseconds: list[float]) -> dict[str, float]:
    """Return how many there were, p50, p99, and the least and the most."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return {
        "count": len(milliseconds),
        "p50": cuts[49],
        "p99": cuts[98],
        "min": min(milliseconds),
        "max": max(milliseconds),
    }
