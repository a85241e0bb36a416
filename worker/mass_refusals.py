"""A mass of live documents whose newer contents are refused: held, told as one, until a person agrees.

One refused file is its author's to mend. A fifth of the library is a schema, or a tool, gone wrong:
nobody is helped by a message for each. The last good versions stay in either case. The hold ends when
the files are mended. Called by `worker.services` before each delivery, and by `worker.health`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.domain.notice import hold_notices
from worker.domain.reconcile import is_mass
from worker.domain.route import Route
from worker.settings import BrakeSettings
from worker.store import holds, library
from worker.store.engine import Connection, Store
from worker.store.notices import add_notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Mass:
    """How many of the live documents have a newer content that is refused."""

    refused: int
    live: int


def hold_refusals(
    store: Store, brake: BrakeSettings, routes: Sequence[Route], *, now: datetime
) -> None:
    """Begin the hold on a mass of refusals and owe the routes a notice of it, or end it. Commits.

    Consent covers what was refused until it was given: a mass that is refused later is held anew.
    """

    def work(connection: Connection) -> None:
        store.lock_events(connection)  # several workers look, and one of them acts
        over, mass = _next(connection, brake)
        if over is not None:
            holds.update_hold(connection, over.id, state=holds.ENDED, decided_at=now)
        if mass is not None:
            hold_id = holds.begin_hold(connection, holds.REFUSALS, live=mass.live, now=now)
            owed = hold_notices(
                hold_id, holds.REFUSALS, mass.refused, live=mass.live, routes=routes
            )
            add_notices(connection, owed, now=now)

    with store.read() as connection:
        if _next(connection, brake) == (None, None):
            return
    store.transact(work)


def find_mass(
    connection: Connection, brake: BrakeSettings, *, after: datetime | None = None
) -> Mass | None:
    """Return the mass of live documents that are refused now, of those refused after an instant."""
    refused = library.count_refused_live(connection, after=after)
    if refused <= brake.count:
        return None  # counting the live documents takes longer
    live = library.count_live(connection)
    if not is_mass(refused, live, share=brake.share, count=brake.count):
        return None
    return Mass(refused=refused, live=live)


def _next(connection: Connection, brake: BrakeSettings) -> tuple[Any | None, Mass | None]:
    """Return the hold that is over, and the mass that is to be held."""
    hold = holds.open_hold(connection, holds.REFUSALS)
    agreed_at = hold.decided_at if hold is not None else None
    mass = find_mass(connection, brake, after=agreed_at)
    if mass is not None:
        return (None, None) if hold is not None and agreed_at is None else (hold, mass)
    if agreed_at is not None and find_mass(connection, brake) is not None:
        return None, None
    return hold, None
