"""Holds: changes that wait for a person, because too many documents vanish or are refused at once.

While a mass disappearance is held, nothing is retired; `worker.watch.brake` decides when it is one. The
author fixes one refused file, but if a fifth of the library is refused, a schema or a tool is wrong: one
message reports all of them. The last good versions stay in both cases. A hold ends when the files are
back or fixed. Called by `worker.library.services`, `worker.library.queries` and `worker.run.doctor`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.domain.folder.brake import WINDOW, Removals, trips_brake
from worker.domain.reviews.notice import hold_notices
from worker.domain.reviews.route import Route
from worker.settings.model import BrakeSettings
from worker.store import holds as table
from worker.store import library
from worker.store.engine import Connection, Store
from worker.store.removals import find_live
from worker.store.removals import find_removals as count_removals


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMany:
    """How many of the live documents have a newer edit that was refused."""

    refused: int
    live: int


def find_removals(connection: Connection, released: Collection[str], *, now: datetime) -> Removals:
    """Return what retired lately, what is held, and which of the `released` paths are still live."""
    unstored = find_live(
        connection, released
    )  # first: what is stored meanwhile counts twice, not never
    retired, asked = count_removals(connection, now - WINDOW)
    held: dict[str, set[str]] = {table.OPEN: set(), table.APPROVED: set(asked)}
    standing = table.list_standing(connection, table.REMOVALS)
    for hold in standing:
        held[hold.state].update(hold.removals)
    return Removals(
        retired=retired,
        agreed=frozenset(held[table.APPROVED]),
        held=frozenset(held[table.OPEN]),
        is_held=bool(standing),
        unstored=unstored,
    )


def hold_removals(
    store: Store, removals: Collection[str], live: int, *, routes: Sequence[Route], now: datetime
) -> None:
    """Hold exactly these removals, and add notices of a new hold; without removals, end it. Commits.

    An approved hold keeps its list: what is not on it becomes a new hold. It ends when none of its files
    is waiting to be retired any more.
    """
    if not removals:
        with store.read() as connection:
            if not table.list_standing(connection, table.REMOVALS):
                return

    def work(connection: Connection) -> None:
        store.lock_events(connection)  # several processes may look, and a person may approve
        waiting, opened = set(removals), None
        for hold in table.list_standing(connection, table.REMOVALS):
            if hold.state == table.OPEN:
                opened = hold
            elif waiting.isdisjoint(hold.removals):
                _end(connection, hold, now)
            else:
                waiting.difference_update(hold.removals)
        if not waiting:
            _end(connection, opened, now)
        elif opened is None:
            paths = sorted(waiting)
            number = len(paths)
            _start(connection, table.REMOVALS, number, live, routes=routes, now=now, removals=paths)
        elif waiting != set(opened.removals):
            table.update_hold(connection, opened.id, removals=sorted(waiting))

    store.transact(work)


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
    return next(iter(table.list_standing(connection, table.REFUSALS)), None)


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
