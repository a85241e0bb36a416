"""The rule of the brake: when a person has to agree before documents retire or refusals are reported.

What is counted is what happened within 24 hours, however slowly, and whichever process did it. The caller
counts; these functions decide. Called by `worker.watch.brake` and `worker.ingest.holds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: How long a removal or a refusal counts.
WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """What the store says of removals.

    `retired` documents left the library in the last 24 hours, are not back, and nobody asked for it. A
    person has agreed to the removal of the `agreed` paths. `held` paths wait for a person, and with
    `is_held` there is a hold, be it approved. `unstored` paths were released, and are still live.
    """

    retired: int = 0
    agreed: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    is_held: bool = False
    unstored: frozenset[str] = frozenset()


def must_ask(missing: int, live: int, *, recent: int, share: float, count: int) -> bool:
    """Return whether a person has to agree before the documents of `missing` files retire.

    `live` documents include the missing ones; `recent` ones retired in the last 24 hours and count, too.
    If no document would be left, a person always has to agree.
    """
    if not missing:
        return False
    return missing >= live or trips_brake(missing + recent, live + recent, share=share, count=count)


def trips_brake(number: int, live: int, *, share: float, count: int) -> bool:
    """Return whether `number` removals or refusals, of `live` documents, are a mass."""
    return number > count and number > share * live
