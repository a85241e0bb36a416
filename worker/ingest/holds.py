"""Holds: what waits for a person when too many documents vanish or are refused at once.

A mass disappearance retires nothing meanwhile; whether there is one is said by `worker.watch.brake`. One
refused file is its author's to fix. A fifth of the library is a schema, or a tool, gone wrong: nobody is
helped by a message for each, so that is told as one; the last good versions stay in either case. A hold
ends when the files are back, or fixed. Called by `worker.library.services`, `worker.library.queries` and
`worker.run.doctor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.domain.folder.reconcile import trips_brake
from worker.domain.reviews.notice import hold_notices
from worker.domain.reviews.route import Route
from worker.settings.model import BrakeSettings
from worker.store import holds as table
from worker.store import library
from worker.store.engine import Connection, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMany:
    """How many of the live documents have a newer content that is refused."""

    refused: int
    live: int


def hold_removals(
    store: Store, removals: Sequence[str], live: int, *, routes: Sequence[Route], now: datetime
) -> None:
    """Hold a mass disappearance and owe the routes a notice of it; once while one is held. Commits."""
    with store.write() as connection:
        hold = table.open_hold(connection, table.REMOVALS)
        if hold is None:
            number = len(removals)
            _begin(
                connection, table.REMOVALS, number, live, routes=routes, now=now, removals=removals
            )
        elif hold.state == table.OPEN:  # consent is for what was shown
            table.update_hold(connection, hold.id, removals=list(removals))


def agreed_removals(connection: Connection) -> frozenset[str]:
    """Return the paths whose removal a person has agreed to; none while that is open."""
    hold = table.open_hold(connection, table.REMOVALS)
    return frozenset(hold.removals if hold is not None and hold.state == table.APPROVED else ())


def end_removals(store: Store, *, now: datetime) -> None:
    """End the hold on removals: the files came back, or the retirement was carried out. Commits."""
    with store.write() as connection:
        _end(connection, table.open_hold(connection, table.REMOVALS), now)


def hold_refusals(
    store: Store, brake: BrakeSettings, routes: Sequence[Route], *, now: datetime
) -> None:
    """Begin the hold on a mass of refusals and owe the routes a notice of it, or end it. Commits.

    Consent covers what was refused until it was given: a mass that is refused later is held anew.
    """

    def work(connection: Connection) -> None:
        store.lock_events(connection)  # several workers look, and one of them acts
        over, mass = _next(connection, brake)
        _end(connection, over, now)
        if mass is not None:
            _begin(connection, table.REFUSALS, mass.refused, mass.live, routes=routes, now=now)

    with store.read() as connection:
        if _next(connection, brake) == (None, None):
            return
    store.transact(work)


def unanswered_refusals(connection: Connection, brake: BrakeSettings) -> RefusedMany | None:
    """Return the mass of refusals to which nobody has agreed, held already or about to be."""
    return _find_mass(connection, brake, after=_agreed_at(_refusals(connection)))


def approve(store: Store, *, now: datetime) -> dict[str, int]:
    """Let what is held go on; returns how many removals and how many refusals that is. Commits."""
    with store.write() as connection:
        held = count_held(connection)
        for hold in table.list_unanswered(connection):
            if held[hold.kind]:
                table.update_hold(connection, hold.id, state=table.APPROVED, decided_at=now)
    return held


def count_held(connection: Connection) -> dict[str, int]:
    """Return how many removals and how many refusals wait for a person."""
    counts = dict.fromkeys((table.REMOVALS, table.REFUSALS), 0)
    for hold in table.list_unanswered(connection):
        refused = hold.kind == table.REFUSALS
        counts[hold.kind] = (
            library.count_refused_live(connection) if refused else len(hold.removals)
        )
    return counts


def held(connection: Connection) -> dict[str, Any]:
    """Return what waits for a person: what `approve` would retire, and what it would have told."""
    waiting = table.list_unanswered(connection)
    gone = [path for hold in waiting for path in hold.removals]
    refused: Sequence[Any] = ()
    if any(hold.kind == table.REFUSALS for hold in waiting):
        refused = library.list_refused_live(connection)
    titles = library.titles_of(connection, gone)
    return {
        "since": min((hold.at for hold in waiting), default=None),
        "live": max((hold.live for hold in waiting), default=0),
        table.REMOVALS: [{"path": path, "title": titles.get(path)} for path in gone],
        table.REFUSALS: [
            {"path": row.path, "title": row.title, "problems": row.problems} for row in refused
        ],
    }


def _refusals(connection: Connection) -> Any | None:
    return table.open_hold(connection, table.REFUSALS)


def _agreed_at(hold: Any | None) -> datetime | None:
    return hold.decided_at if hold is not None else None


def _next(connection: Connection, brake: BrakeSettings) -> tuple[Any | None, RefusedMany | None]:
    """Return the hold on refusals that is over, and the mass that is to be held."""
    hold = _refusals(connection)
    mass = _find_mass(connection, brake, after=_agreed_at(hold))
    if hold is None or hold.state == table.OPEN:
        return (None, mass) if hold is None else (hold if mass is None else None, None)
    stays_agreed = mass is None and _find_mass(connection, brake) is not None
    return (None, None) if stays_agreed else (hold, mass)


def _find_mass(
    connection: Connection, brake: BrakeSettings, *, after: datetime | None = None
) -> RefusedMany | None:
    """Return the mass of live documents that are refused now, of those refused after an instant."""
    refused = library.count_refused_live(connection, after=after)
    if refused <= brake.count:
        return None  # counting the live documents takes longer
    live = library.count_live(connection)
    if not trips_brake(refused, live, share=brake.share, count=brake.count):
        return None
    return RefusedMany(refused=refused, live=live)


def _begin(
    connection: Connection,
    kind: str,
    number: int,
    live: int,
    *,
    routes: Sequence[Route],
    now: datetime,
    removals: Sequence[str] = (),
) -> None:
    from worker.store.notices import add_notices  # noqa: PLC0415 - commands that read need none

    hold_id = table.begin_hold(connection, kind, removals=removals, live=live, now=now)
    add_notices(connection, hold_notices(hold_id, kind, number, live=live, routes=routes), now=now)


def _end(connection: Connection, hold: Any | None, now: datetime) -> None:
    if hold is not None:
        table.update_hold(connection, hold.id, state=table.ENDED, decided_at=now)
