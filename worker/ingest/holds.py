"""Holds: changes that wait for a person, because too many documents vanish or are refused at once.

While a mass disappearance is held, nothing is retired; `worker.watch.brake` decides when it is one. The
author fixes one refused file, but if a fifth of the library is refused, a schema or a tool is wrong: one
message reports all of them. The last good versions stay in both cases. A hold ends when the files are
back or fixed. Called by `worker.library.services`, `worker.library.queries` and `worker.run.doctor`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from worker.domain.folder.brake import WINDOW, Removals, trips_brake
from worker.domain.reviews.notice import hold_notices
from worker.domain.reviews.route import Route
from worker.errors import ContentSyncError
from worker.settings.model import BrakeSettings
from worker.store import holds as table
from worker.store import library, unfinished_answers
from worker.store.acknowledgements import RETIRE_APPROVED
from worker.store.documents import add_events, event_row
from worker.store.engine import Connection, Store
from worker.store.removals import find_live
from worker.store.removals import find_removals as count_removals


class NotApprovedError(ContentSyncError):
    """What a person agrees to is not what waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMany:
    """How many of the live documents have a newer edit that was refused within 24 hours."""

    refused: int
    live: int


def find_removals(connection: Connection, released: Collection[str], *, now: datetime) -> Removals:
    """Return what retired lately, what is held, and which of the `released` paths are still live."""
    unstored = find_live(
        connection, released
    )  # first: what is stored meanwhile counts twice, not never
    retired, asked = count_removals(connection, now - WINDOW)
    asked |= unfinished_answers.asked_to_retire(unfinished_answers.find(connection))
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
        over, mass = _next(connection, brake, now)
        _end(connection, over, now)
        if mass is not None:
            _start(connection, table.REFUSALS, mass.refused, mass.live, routes=routes, now=now)

    with store.read() as connection:
        if _next(connection, brake, now) == (None, None):
            return
    store.transact(work)


def unanswered_refusals(
    connection: Connection, brake: BrakeSettings, *, now: datetime
) -> RefusedMany | None:
    """Return the mass of refusals that nobody has approved, whether it is held already or not."""
    return _find_mass(connection, brake, after=_counts_from(_refusals(connection), now))


def approve(store: Store, ids: Collection[str], *, by: str, now: datetime) -> dict[str, int]:
    """Approve the lists with these IDs, all or none; return the numbers of removals and refusals. Commits.

    An event of each removal records the person, so that it does not count for the brake. Raises
    `NotApprovedError` if a list has changed since it was shown, or waits no more.
    """

    def work(connection: Connection) -> dict[str, int]:
        store.lock_events(connection)  # a list must not change while it is approved
        waiting = {held.id: held for held in _list_held(connection)}
        numbers = dict.fromkeys((table.REMOVALS, table.REFUSALS), 0)
        for given in sorted(set(ids)):
            held = waiting.get(given)
            if held is None:
                raise NotApprovedError(_why_not(given, waiting.values()))
            table.update_hold(connection, held.hold_id, state=table.APPROVED, decided_at=now)
            numbers[held.kind] = len(held.paths)
            if held.kind == table.REMOVALS:
                _note_consent(connection, held, by=by, now=now)
        return numbers

    return store.transact(work)


def count_held(connection: Connection) -> dict[str, int]:
    """Return the numbers of removals and of refusals that wait for a person."""
    counts = dict.fromkeys((table.REMOVALS, table.REFUSALS), 0)
    return counts | {held.kind: len(held.paths) for held in _list_held(connection)}


def held(connection: Connection) -> dict[str, Any]:
    """Return what waits for a person: the documents that `approve` retires, and the refusals it reports.

    `ids` has the ID of each list, None for an empty one.
    """
    waiting = {held.kind: held for held in _list_held(connection)}
    gone = waiting[table.REMOVALS].paths if table.REMOVALS in waiting else ()
    refused = waiting[table.REFUSALS].refused if table.REFUSALS in waiting else ()
    titles = library.titles_of(connection, gone)
    ids: dict[str, str | None] = dict.fromkeys((table.REMOVALS, table.REFUSALS))
    return {
        "since": min((held.at for held in waiting.values()), default=None),
        "live": max((held.live for held in waiting.values()), default=0),
        "ids": ids | {held.kind: held.id for held in waiting.values()},
        table.REMOVALS: [{"path": path, "title": titles.get(path)} for path in gone],
        table.REFUSALS: [
            {"path": row.path, "title": row.title, "problems": row.problems} for row in refused
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A list that waits for a person; `refused` has the rows of refusals."""

    hold_id: int
    kind: str
    at: datetime
    live: int
    paths: Sequence[str]
    refused: Sequence[Any] = ()

    @property
    def id(self) -> str:
        """Return an ID of this very list: the hold's, and a hash of the paths."""
        listed = "\0".join(sorted(self.paths)).encode(errors="surrogatepass")
        return f"{self.hold_id}-{sha256(listed).hexdigest()[:12]}"


def _list_held(connection: Connection) -> list[_Held]:
    """Return the lists that wait for a person: at most one of a kind, and none that is empty."""
    found = []
    for hold in table.list_unanswered(connection):
        refused: Sequence[Any] = ()
        if hold.kind == table.REFUSALS:
            refused = library.list_refused_live(connection, after=_counts_from(hold, hold.at))
        paths = [row.path for row in refused] or hold.removals
        if paths:
            found.append(
                _Held(
                    hold_id=hold.id,
                    kind=hold.kind,
                    at=hold.at,
                    live=hold.live,
                    paths=paths,
                    refused=refused,
                )
            )
    return found


def _why_not(given: str, waiting: Iterable[_Held]) -> str:
    number, _, _ = given.partition("-")
    for held in waiting:
        if str(held.hold_id) == number:
            return (
                f"the list {given} has changed since it was shown: it has {len(held.paths):,} {held.kind}"
                " now; look at it again with content-sync approve --show"
            )
    return (
        f"no list {given} waits: it was approved, or its files are back;"
        " content-sync approve --show lists what is held"
    )


def _note_consent(connection: Connection, held: _Held, *, by: str, now: datetime) -> None:
    """Add an event of each document that a person agreed to retire."""
    heads = list(library.heads_of(connection, held.paths))
    add_events(
        connection,
        [
            event_row(
                now,
                RETIRE_APPROVED,
                head.path,
                document_id=head.id,
                number=head.number,
                by=by,
                hold=held.hold_id,
            )
            for head in heads
        ],
    )


def _refusals(connection: Connection) -> Any | None:
    return next(iter(table.list_standing(connection, table.REFUSALS)), None)


def _counts_from(hold: Any | None, now: datetime) -> datetime:
    """Return the instant after which a refusal counts.

    A mass that is held does not shrink with time. An approval covers what was refused before it.
    """
    if hold is None:
        return now - WINDOW
    since: datetime = hold.at - WINDOW
    return since if hold.state == table.OPEN else max(now - WINDOW, hold.decided_at)


def _next(
    connection: Connection, brake: BrakeSettings, now: datetime
) -> tuple[Any | None, RefusedMany | None]:
    """Return the hold on refusals to end, and the mass to hold; None for neither."""
    hold = _refusals(connection)
    mass = _find_mass(connection, brake, after=_counts_from(hold, now))
    if hold is None or hold.state == table.OPEN:
        return (None, mass) if hold is None else (hold if mass is None else None, None)
    # While it would be a mass without the approval, the approval is needed.
    stays_approved = mass is None and _find_mass(connection, brake, after=now - WINDOW) is not None
    return (None, None) if stays_approved else (hold, mass)


def _find_mass(
    connection: Connection, brake: BrakeSettings, *, after: datetime
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
