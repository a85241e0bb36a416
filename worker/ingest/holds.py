"""Holds: changes that wait for a person, because too many documents vanish or are refused at once.

While a mass disappearance is held, nothing is retired; `worker.watch.brake` decides when it is one. The
author fixes one refused file, but if a fifth of the library is refused, a schema or a tool is wrong: one
message reports all of them. The last good versions stay in both cases. A hold ends when the files are
back or fixed. Called by `worker.library.services`, `worker.library.queries` and `worker.run.doctor`.
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
    """How many of the live documents have a newer edit that was refused."""

    refused: int
    live: int


def hold_removals(
    store: Store, removals: Sequence[str], live: int, *, routes: Sequence[Route], now: datetime
) -> None:
    """Hold a mass disappearance and add notices of it; if one is held already, update its list. Commits."""
    with store.write() as connection:
        hold = table.open_hold(connection, table.REMOVALS)
        if hold is None:
            number = len(removals)
            _start(
                connection, table.REMOVALS, number, live, routes=routes, now=now, removals=removals
            )
        elif hold.state == table.OPEN:  # an approval covers only what was shown
            table.update_hold(connection, hold.id, removals=list(removals))


def approved_removals(connection: Connection) -> frozenset[str]:
    """Return the paths whose removal a person has approved; empty while the hold is open."""
    hold = table.open_hold(connection, table.REMOVALS)
    return frozenset(hold.removals if hold is not None and hold.state == table.APPROVED else ())


def end_removals(store: Store, *, now: datetime) -> None:
    """End the hold on removals: the files came back, or were retired. Commits."""
    with store.write() as connection:
        _end(connection, table.open_hold(connection, table.REMOVALS), now)


def hold_refusals(
    store: Store, brake: BrakeSettings, routes: Sequence[Route], *, now: datetime
) -> None:
    """Start or end the hold on mass refusals, as the library requires; a new hold adds notices. Commits.

    An approval covers what was refused before it. A later mass of refusals gets a new hold.
    """

    def work(connection: Connection) -> None:
        store.lock_events(connection)  # several workers may look; one of them acts
        over, mass = _next(connection, brake)
        _end(connection, over, now)
        if mass is not None:
            _start(connection, table.REFUSALS, mass.refused, mass.live, routes=routes, now=now)

    with store.read() as connection:
        if _next(connection, brake) == (None, None):
            return
    store.transact(work)


def unanswered_refusals(connection: Connection, brake: BrakeSettings) -> RefusedMany | None:
    """Return the mass of refusals that nobody has approved, whether it is held already or not."""
    return _find_mass(connection, brake, after=_approved_at(_refusals(connection)))


def approve(store: Store, *, now: datetime) -> dict[str, int]:
    """Approve what is held; return the numbers of removals and of refusals. Commits."""
    with store.write() as connection:
        held = count_held(connection)
        for hold in table.list_unanswered(connection):
            if held[hold.kind]:
                table.update_hold(connection, hold.id, state=table.APPROVED, decided_at=now)
    return held


def count_held(connection: Connection) -> dict[str, int]:
    """Return the numbers of removals and of refusals that wait for a person."""
    counts = dict.fromkeys((table.REMOVALS, table.REFUSALS), 0)
    for hold in table.list_unanswered(connection):
        refused = hold.kind == table.REFUSALS
        counts[hold.kind] = (
            library.count_refused_live(connection) if refused else len(hold.removals)
        )
    return counts


def held(connection: Connection) -> dict[str, Any]:
    """Return what waits for a person: the documents that `approve` retires, and the refusals it reports."""
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


def _approved_at(hold: Any | None) -> datetime | None:
    return hold.decided_at if hold is not None else None


def _next(connection: Connection, brake: BrakeSettings) -> tuple[Any | None, RefusedMany | None]:
    """Return the hold on refusals to end, and the mass to hold; None for neither."""
    hold = _refusals(connection)
    mass = _find_mass(connection, brake, after=_approved_at(hold))
    if hold is None or hold.state == table.OPEN:
        return (None, mass) if hold is None else (hold if mass is None else None, None)
    stays_approved = mass is None and _find_mass(connection, brake) is not None
    return (None, None) if stays_approved else (hold, mass)


def _find_mass(
    connection: Connection, brake: BrakeSettings, *, after: datetime | None = None
) -> RefusedMany | None:
    """Return the mass of live documents whose refusals, made after an instant, still stand; or None."""
    refused = library.count_refused_live(connection, after=after)
    if refused <= brake.count:
        return None  # without counting the live documents, which takes longer
    live = library.count_live(connection)
    if not trips_brake(refused, live, share=brake.share, count=brake.count):
        return None
    return RefusedMany(refused=refused, live=live)


def _start(
    connection: Connection,
    kind: str,
    number: int,
    live: int,
    *,
    routes: Sequence[Route],
    now: datetime,
    removals: Sequence[str] = (),
) -> None:
    from worker.store.notices import add_notices  # noqa: PLC0415 - commands that only read do not need it

    hold_id = table.begin_hold(connection, kind, removals=removals, live=live, now=now)
    add_notices(connection, hold_notices(hold_id, kind, number, live=live, routes=routes), now=now)


def _end(connection: Connection, hold: Any | None, now: datetime) -> None:
    if hold is not None:
        table.update_hold(connection, hold.id, state=table.ENDED, decided_at=now)
