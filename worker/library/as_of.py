"""The library at an instant, and the documents that have moved away from a path.

Events show where a document was and whether it was live; versions show its content. Due dates are
computed from those versions with the defaults of today's settings. Called by `worker.library.reader`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from worker.domain.reviews.review import review_state
from worker.domain.seeds.facts import read_facts, withhold
from worker.store import events, library
from worker.store.documents import LIVE, RETIRED
from worker.store.engine import Connection

if TYPE_CHECKING:
    from worker.domain.reviews.policy import Policy

REFUSED = "refused"
_LIFE = (events.STORED, events.MOVED, events.RETIRED, events.REVIVED)


def list_documents_at(
    connection: Connection, at: datetime, *, state: str | None, policy: Policy, day: date
) -> list[dict[str, Any]]:
    """Return the documents that `list` would have shown at an instant, including retired ones.

    `day` is that instant's date in the team's zone; review states are as of that day.
    """
    lives: dict[int, Any] = {}
    refused: set[str] = set()
    withheld: dict[int, str] = {}
    for event in events.lives_at(connection, at):
        if event.kind == events.REFUSED:
            refused.add(event.path)
            continue
        if event.kind == events.WITHHELD:
            withheld[event.document_id] = event.status
            continue
        if event.kind in {events.STORED, events.REVIVED}:
            withheld.pop(event.document_id, None)
        refused.discard(event.path)
        if event.document_id is not None and event.kind in _LIFE:
            lives[event.document_id] = event
    listed = [
        _row(
            lives[document_id],
            version,
            refused=refused,
            withheld=withheld.get(document_id),
            policy=policy,
            day=day,
        )
        for document_id, version in events.heads_at(connection, at).items()
        if document_id in lives
    ]
    return sorted(
        (
            row
            for row in listed
            if state in {None, row["state"], row["review_state"]}
            or (state == REFUSED and row["refused"])
        ),
        key=lambda row: row["path"].encode("utf-8", "surrogateescape"),
    )


def locate(connection: Connection, path: str, *, at: datetime | None = None) -> Any | None:
    """Return the document of a path: the present one, or else the last one that moved away.

    With `at`, prefer the document that had the path at that instant.
    """
    if at is not None:
        before = [
            event
            for event in events.events_at(connection, [path])
            if event.at <= at and event.document_id is not None and event.kind in _LIFE
        ]
        was = events.document_by_id(connection, before[-1].document_id) if before else None
        if was is not None and state_at(connection, was, at)["path"] == path:
            return was
    found = library.find_document(connection, path)
    if found is not None:
        return found
    # No document has the path now. One that had it has moved; a refused file has no document.
    for event in reversed(events.events_at(connection, [path])):
        if event.document_id is not None:
            return events.document_by_id(connection, event.document_id)
    return None


def lived_before(connection: Connection, path: str, document: Any) -> list[datetime]:
    """Return when other documents lived at a path before this one, an instant each, the last first.

    `locate` finds them by the path and the instant, also if another document has displaced them.
    """
    stays = [
        event
        for event in reversed(events.events_at(connection, [path]))
        if event.kind in _LIFE and event.kind != events.RETIRED
    ]
    own = next((event.id for event in stays if event.document_id == document.id), None)
    found: dict[int, datetime] = {}
    for event in stays:
        if event.document_id in {document.id, *found} or (own is not None and event.id > own):
            continue
        located = locate(connection, path, at=event.at)
        if located is not None and located.id == event.document_id:
            found[event.document_id] = event.at
    return list(found.values())


def state_at(connection: Connection, document: Any, at: datetime) -> dict[str, Any]:
    """Return a document's path and state at an instant."""
    _, history = trace(connection, document.path)
    life = [
        event
        for event in history
        if event.document_id == document.id and event.kind in _LIFE and event.at <= at
    ]
    if not life:
        return {"path": document.path, "state": None}
    state = RETIRED if life[-1].kind == events.RETIRED else LIVE
    return {"path": life[-1].path, "state": state}


def trace(connection: Connection, path: str) -> tuple[set[str], list[Any]]:
    """Return all paths that a path's documents ever had, and all events of these paths, oldest first.

    Follows moves in both directions: to a document's present path, and back to its earlier ones.
    """
    paths: set[str] = set()
    found: dict[int, Any] = {}
    ahead = {path}
    while ahead:
        paths |= ahead
        new = events.events_at(connection, ahead)
        found |= {event.id: event for event in new}
        here = {event.document_id for event in new if event.document_id is not None}
        ahead = set(events.paths_of(connection, here).values()) if here else set()
        ahead |= {
            event.data["moved_from"]
            for event in new
            if event.kind == events.MOVED and event.data.get("moved_from")
        }
        ahead -= paths
    return paths, [found[number] for number in sorted(found)]


def _row(
    event: Any, version: Any, *, refused: set[str], withheld: str | None, policy: Policy, day: date
) -> dict[str, Any]:
    live = event.kind != events.RETIRED
    facts = withhold(read_facts(version.metadata, policy.fields), withheld)
    clock = policy.clock_of(event.path, facts)
    ladder = policy.ladder_of(event.path, facts.source_type, facts.review_frequency)
    stage = review_state(clock, today=day, ladder=ladder)
    return {
        "path": event.path,
        "title": facts.title,
        "state": LIVE if live else RETIRED,
        "status": facts.status,
        "version": version.label,
        "number": version.number,
        "sha256": version.sha256,
        "last_reviewed": facts.last_reviewed.isoformat() if facts.last_reviewed else None,
        "review_frequency": facts.review_frequency,
        "due_on": clock.due_on.isoformat() if clock.due_on else None,
        "review_state": str(stage) if live else None,
        "planned_on": None,  # events have people's answers; there is no record by day
        "owner": policy.owner_of(event.path, facts.owner),
        "updated_at": event.at.isoformat(),
        "refused": event.path in refused,
    }
