"""The JSON of the reading commands, from one view of the store.

Every function takes a connection and changes nothing. Dates are ISO dates; instants are ISO in UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from worker.domain.reviews.ladder import state_of_rung
from worker.domain.reviews.notice import Notice
from worker.domain.reviews.review import ReviewState
from worker.ingest import holds
from worker.library.as_of import lived_before, locate, state_at
from worker.store import channel_states, leases, library, liveness
from worker.store.documents import LIVE, RETIRED
from worker.store.engine import Connection

if TYPE_CHECKING:
    from worker.domain.reviews.policy import Policy

REFUSED = "refused"


def status(connection: Connection, *, policy: Policy, today: date, now: datetime) -> dict[str, Any]:
    """Return the library at a glance; `now` is aware."""
    counts = library.count_all(connection)
    states: Counter[ReviewState] = Counter()
    for group in library.review_groups(connection, by_path=policy.defaults_by_path):
        states[policy.state_of(group, today=today)] += group.count
    heartbeats = liveness.find_heartbeats(connection)
    watcher, lead = heartbeats.get("watcher"), leases.leader(heartbeats)
    return {
        "documents": {LIVE: states.total(), RETIRED: counts["documents"] - states.total()},
        "versions": counts["versions"],
        "refused": counts["refused"],
        "review": {str(state): states.get(state, 0) for state in ReviewState},
        "notices": {
            state: counts["notices"].get(state, 0)
            for state in ("pending", "sent", "failed", "cancelled")
        },
        "watcher": {
            "state": watcher.data.get("state", "unknown") if watcher else "never started",
            "last_scan": watcher.data.get("last_scan") if watcher else None,
            "mode": watcher.data.get("mode") if watcher else None,
            "unjudged": watcher.data.get("unjudged", 0) if watcher else 0,
            "seen_at": _iso(watcher.at) if watcher else None,
            "leader": {"host": lead.host, "pid": lead.pid, "since": lead.since} if lead else None,
            "stand_by": [
                {"host": row.data["host"], "pid": row.data["pid"]}
                for row in leases.standing_by(heartbeats, now=now)
            ],
        },
        "last_sweep": _iso(heartbeats["sweep"].at) if "sweep" in heartbeats else None,
        "last_delivery": _iso(heartbeats["delivery"].at) if "delivery" in heartbeats else None,
        "failing": [
            {"channel": row.name, "since": _iso(row.failing_since), "error": row.error}
            for row in channel_states.list_failing(connection)
        ],
        "held": holds.count_held(connection),
        "unseen": _unseen(heartbeats),
    }


def unseen_above(connection: Connection, path: str) -> dict[str, Any] | None:
    """Return the folder above a path that the watcher cannot read, and since when; None if it can."""
    folders = _unseen(liveness.find_heartbeats(connection))
    return next(
        (one for one in folders if one["path"] == "." or path.startswith(one["path"])), None
    )


def _unseen(heartbeats: Mapping[str, Any]) -> list[dict[str, Any]]:
    unseen = liveness.unseen_folders(heartbeats)
    return [
        {"path": f"{folder}/" if folder else ".", "since": since}
        for folder, since in sorted(unseen.items())
    ]


def held(connection: Connection) -> dict[str, Any]:
    """Return what waits for a person: the documents that `approve` retires, and the refusals it reports."""
    found = holds.held(connection)
    return {**found, "since": _iso(found["since"])}


def list_documents(
    connection: Connection, *, state: str | None, policy: Policy, today: date
) -> list[dict[str, Any]]:
    """Return the documents, or those of one state: live, retired, refused, or a review state."""
    refused = {(row.path, row.id) for row in library.list_refusals(connection)}
    listed = []
    for row, review in library.list_documents(connection):
        stage = None if review is None else str(policy.state_of(review, today=today))
        is_refused = (row.path, row.id) in refused
        if state not in {None, row.state, stage} and not (state == REFUSED and is_refused):
            continue
        listed.append(
            {
                "path": row.path,
                "title": row.title,
                "state": row.state,
                "status": row.status,
                "version": row.label,
                "number": row.number,
                "sha256": row.sha256,
                "last_reviewed": _iso(row.last_reviewed),
                "review_frequency": row.review_frequency,
                "due_on": _iso(row.due_on),
                "review_state": stage,
                "planned_on": _iso(review.given.planned_on) if review is not None else None,
                "owner": policy.owner_of(row.path, row.owner),
                "updated_at": _iso(row.updated_at),
                "refused": is_refused,
            }
        )
    return listed


def list_refusals(connection: Connection) -> list[dict[str, Any]]:
    """Return the files whose newest edit is refused, with their problems."""
    return [
        {"path": row.path, "refused_at": _iso(row.refused_at), "problems": row.problems}
        for row in library.list_refusals(connection)
    ]


def refusal(connection: Connection, path: str, zone: tzinfo) -> dict[str, Any] | None:
    """Return the problems of a path's newest edit and their effect, or None if it has no refusal."""
    refusal = library.find_refusal(connection, path)
    if refusal is None:
        return None
    stays = what_stays(connection, {path: refusal.sha256}, zone)
    return {"problems": refusal.problems, "effect": stays.get(path, "not published")}


def what_stays(connection: Connection, files: Mapping[str, str], zone: tzinfo) -> dict[str, str]:
    """Return the effect of an error, for those of these files whose published version stays.

    `files` maps paths to the hashes of their files.
    """
    return {
        row.path: f"not published; version {row.number} of "
        f"{row.stored_at.astimezone(zone).date()} stays"
        if row.sha256 != files[row.path]
        else f"version {row.number} stays, accepted on "
        f"{row.stored_at.astimezone(zone).date()} under earlier rules"
        for row in library.heads_of(connection, files)
    }


def history(
    connection: Connection, path: str, *, at: datetime | None = None
) -> dict[str, Any] | None:
    """Return a document's versions, newest last, or None if the document does not exist.

    With `at`, of the document that had the path at that instant. `before` says when others had it.
    """
    document = locate(connection, path, at=at)
    if document is None:
        return None
    return {
        "path": document.path,
        "versions": [
            {
                "number": row.number,
                "label": row.label,
                "sha256": row.sha256,
                "body_sha256": row.body_sha256,
                "change": row.change,
                "risk": row.risk,
                "fields": row.fields,
                "sections": row.sections,
                "figures": row.figures,
                "links": row.links,
                "lines_added": row.lines_added,
                "lines_removed": row.lines_removed,
                "observed_at": _iso(row.observed_at),
                "stored_at": _iso(row.stored_at),
            }
            for row in library.list_versions(connection, document.id)
        ],
        "before": [
            {"path": path, "at": _iso(was)} for was in lived_before(connection, path, document)
        ],
    }


def show(
    connection: Connection, path: str, *, number: int | None, at: datetime | None
) -> dict[str, Any] | None:
    """Return one version, or None if it does not exist.

    `state` is the document's state now, or at the instant `at`.
    """
    document = locate(connection, path, at=at)
    if document is None:
        return None
    row = library.find_version(connection, document.id, number=number, at=at)
    if row is None:
        return None
    then = {"path": document.path, "state": document.state}
    if at is not None:
        then = state_at(connection, document, at)
    return {
        **then,
        "number": row.number,
        "stored_at": _iso(row.stored_at),
        "metadata": row.metadata,
        "body": row.body,
    }


def version_to_restore(connection: Connection, path: str, number: int) -> dict[str, Any] | None:
    """Return the stored parts of a version's file; `stored` has the hashes of all the document's files."""
    document = locate(connection, path)
    if document is None:
        return None
    row = library.find_version(connection, document.id, number=number)
    if row is None:
        return None
    versions = library.list_versions(connection, document.id)
    return {
        "path": document.path,
        "front_matter": row.front_matter,
        "body": row.body,
        "sha256": row.sha256,
        "newest": document.number,
        "retired": document.state == RETIRED,
        "stored": frozenset({document.sha256, *(version.sha256 for version in versions)}),
    }


def due(
    connection: Connection, *, policy: Policy, today: date, within_days: int | None
) -> list[dict[str, Any]]:
    """Return the review calendar, soonest first; with `within_days` only reviews that are due by then.

    Documents with an unknown due date come last; exempt documents are left out.
    """
    until = today + timedelta(days=within_days) if within_days is not None else None
    rows = list(library.review_rows(connection, due_until=until))
    rows.sort(key=lambda row: (row.due_on or date.max, row.path))
    return [
        {
            "path": row.path,
            "title": row.title,
            "due_on": _iso(row.due_on),
            "state": str(policy.state_of(row, today=today)),
            "days": (row.due_on - today).days if row.due_on is not None else None,
            "planned_on": _iso(row.given.planned_on),
            "snoozed_until": _iso(row.given.snoozed_until),
            "owner": policy.owner_of(row.path, row.owner),
        }
        for row in rows
        if not row.exempt
    ]


def notices(
    connection: Connection, state: str | None, *, limit: int | None, before: int | None
) -> list[dict[str, Any]]:
    """Return notices, newest first, as `worker.store.library.list_notices`."""
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "stage": state_of_rung(row.stage) if row.stage else None,
            "rung": row.stage,
            "path": row.path,
            "due_on": _iso(row.due_on),
            "route": row.route,
            "channel": row.channel,
            "state": row.state,
            "attempts": row.attempts,
            "sent_at": _iso(row.sent_at),
            "error": row.error,
        }
        for row in library.list_notices(connection, state, limit=limit, before=before)
    ]


def reminders(owed: list[Notice]) -> dict[str, Any]:
    """Return the notices of a sweep as `remind --json` prints them."""
    return {
        "notices": [
            {
                "path": n.path,
                "stage": state_of_rung(n.stage) if n.stage else None,
                "rung": n.stage,
                "due_on": _iso(n.due_on),
                "route": n.route,
            }
            for n in owed
        ]
    }


def _iso(value: date | datetime | None) -> str | None:
    return value.isoformat() if value is not None else None
