"""Who answers for which documents, and which documents nobody answers for: counts by owner.

Works on the rows of the review calendar; reads and sends nothing. Called by `worker.library.reader` for the
command `owners`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from worker.domain.reviews.owners import OwnerSource, answering_routes
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import ReviewRow, ReviewState
from worker.domain.reviews.route import Route, Subject, plain_name

#: The count to which each state belongs. A snooze does not change the state that is counted.
_COUNTED_AS = {
    ReviewState.UPCOMING: "upcoming",
    ReviewState.DUE: "due",
    ReviewState.OVERDUE: "overdue",
    ReviewState.ESCALATED: "overdue",
}


@dataclass(slots=True)
class _Load:
    """The sums for one owner."""

    owner: str | None
    source: OwnerSource
    routes: set[str] = field(default_factory=set)
    documents: int = 0
    states: Counter[str] = field(default_factory=Counter)
    next_due_on: date | None = None


def owners(rows: Iterable[ReviewRow], *, policy: Policy, today: date) -> dict[str, Any]:
    """Return each owner of live documents with the load of reviews, and the orphaned documents.

    A document with several owners counts for each of them. It is orphaned if it has none, or if no route
    notifies any of them of its review. `next_due_on` is the nearest due date that has not passed. Owners
    are sorted by name, nobody last; paths are sorted.
    """
    loads: dict[tuple[str | None, OwnerSource], _Load] = {}
    orphaned: list[str] = []
    for row in rows:
        ownership = policy.owners.of(row.path, row.owner)
        subject = Subject(
            path=row.path, source_type=row.source_type, owners=ownership.owners, tags=row.tags
        )
        answering = answering_routes(subject, policy.routes)
        if not answering:
            orphaned.append(row.path)
        counted = _counted_as(row, policy, today)
        for name in ownership.owners or (None,):
            key = (plain_name(name) if name is not None else None, ownership.source)
            load = loads.setdefault(key, _Load(owner=name, source=ownership.source))
            load.routes |= {route.name for route in answering if _is_of(route, name)}
            _add(load, row, counted=counted, today=today)
    named = sorted(loads.items(), key=lambda item: (item[0][0] is None, item[0]))
    return {
        "owners": [_as_json(load, policy) for _, load in named],
        "orphaned": {"documents": len(orphaned), "paths": sorted(orphaned)},
    }


def _counted_as(row: ReviewRow, policy: Policy, today: date) -> str | None:
    state = policy.state_of(row, today=today)
    if state is ReviewState.SNOOZED:
        awake = replace(row, given=replace(row.given, snoozed_until=None))
        state = policy.state_of(awake, today=today)
    return _COUNTED_AS.get(state)


def _is_of(route: Route, name: str | None) -> bool:
    return name is not None and plain_name(name) in {plain_name(own) for own in route.owners}


def _add(load: _Load, row: ReviewRow, *, counted: str | None, today: date) -> None:
    load.documents += 1
    if counted is not None:
        load.states[counted] += 1
    if row.due_on is not None and row.due_on >= today:
        load.next_due_on = min(row.due_on, load.next_due_on or row.due_on)


def _as_json(load: _Load, policy: Policy) -> dict[str, Any]:
    return {
        "owner": load.owner,
        "routes": [route.name for route in policy.routes if route.name in load.routes],
        "documents": load.documents,
        "overdue": load.states["overdue"],
        "due": load.states["due"],
        "upcoming": load.states["upcoming"],
        "next_due_on": load.next_due_on.isoformat() if load.next_due_on else None,
        "source": str(load.source),
    }
