"""What the library answers when it is asked: the JSON of the reading commands, from one view of the store.

Every function takes a connection and changes nothing. Dates are ISO dates; instants are ISO in UTC.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from worker.domain.change import compare, hunks
from worker.domain.notice import Notice
from worker.domain.review import ReviewState, review_state
from worker.store import library, liveness
from worker.store.documents import LIVE, RETIRED
from worker.store.engine import Connection

REJECTED = "rejected"


def status(connection: Connection, *, today: date, upcoming_days: int) -> dict[str, Any]:
    """Return the library at a glance."""
    counts = library.count_all(connection)
    states = Counter(
        review_state(row.due_on, exempt=row.exempt, today=today, upcoming_days=upcoming_days)
        for row in library.review_rows(connection)
    )
    heartbeats = liveness.find_heartbeats(connection)
    watcher = heartbeats.get("watcher")
    hold = liveness.open_hold(connection)
    return {
        "documents": {state: counts["documents"].get(state, 0) for state in (LIVE, RETIRED)},
        "versions": counts["versions"],
        "rejected": counts["rejected"],
        "review": {str(state): states.get(state, 0) for state in ReviewState},
        "notices": {
            state: counts["notices"].get(state, 0)
            for state in ("pending", "sent", "failed", "cancelled")
        },
        "watcher": {
            "state": watcher.data.get("state", "unknown") if watcher else "never started",
            "last_scan": watcher.data.get("last_scan") if watcher else None,
            "mode": watcher.data.get("mode") if watcher else None,
            "seen_at": _iso(watcher.at) if watcher else None,
        },
        "last_sweep": _iso(heartbeats["sweep"].at) if "sweep" in heartbeats else None,
        "held": len(hold.removals) if hold is not None and hold.state == "held" else 0,
    }


def list_documents(
    connection: Connection, *, state: str | None, today: date, upcoming_days: int
) -> list[dict[str, Any]]:
    """Return the documents, or those of one state: live, retired, rejected, or a review state."""
    rejected = {row.path for row in library.list_rejections(connection)}
    listed = []
    for row in library.list_documents(connection):
        live = row.state == LIVE
        stage = (
            str(
                review_state(
                    row.due_on, exempt=row.exempt, today=today, upcoming_days=upcoming_days
                )
            )
            if live
            else None
        )
        if state not in {None, row.state, stage} and not (
            state == REJECTED and row.path in rejected
        ):
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
                "owner": row.owner,
                "updated_at": _iso(row.updated_at),
                "rejected": row.path in rejected,
            }
        )
    return listed


def list_rejections(connection: Connection) -> list[dict[str, Any]]:
    """Return the files whose newest content is refused, with their problems."""
    return [
        {"path": row.path, "refused_at": _iso(row.refused_at), "problems": row.problems}
        for row in library.list_rejections(connection)
    ]


def history(connection: Connection, path: str) -> dict[str, Any] | None:
    """Return a document's versions, newest last, or None where there is no such document."""
    document = library.find_document(connection, path)
    if document is None:
        return None
    return {
        "path": path,
        "versions": [
            {
                "number": row.number,
                "label": row.label,
                "sha256": row.sha256,
                "body_sha256": row.body_sha256,
                "change": row.change,
                "fields": row.fields,
                "lines_added": row.lines_added,
                "lines_removed": row.lines_removed,
                "observed_at": _iso(row.observed_at),
                "stored_at": _iso(row.stored_at),
            }
            for row in library.list_versions(connection, document.id)
        ],
    }


def show(
    connection: Connection, path: str, *, number: int | None, at: datetime | None
) -> dict[str, Any] | None:
    """Return one version as it was, or None where there is none."""
    document = library.find_document(connection, path)
    if document is None:
        return None
    row = library.find_version(connection, document.id, number=number, at=at)
    if row is None:
        return None
    return {"path": path, "number": row.number, "metadata": row.metadata, "body": row.body}


def diff(
    connection: Connection,
    path: str,
    first: int | None,
    second: int | None,
    *,
    review_fields: frozenset[str],
) -> dict[str, Any] | None:
    """Return what changed between two versions, by default the last two; None where one is missing."""
    document = library.find_document(connection, path)
    if document is None:
        return None
    to = second if second is not None else document.number
    since = first if first is not None else to - 1
    new = library.find_version(connection, document.id, number=to)
    old = library.find_version(connection, document.id, number=since)
    if new is None or (old is None and since != 0):
        return None
    old_metadata, old_body = (old.metadata, old.body) if old is not None else ({}, "")
    change = compare(old_metadata, old_body, new.metadata, new.body, review_fields=review_fields)
    return {
        "path": path,
        "from": since,
        "to": to,
        "change": change.kind if change else None,
        "fields": change.fields_json() if change else [],
        "lines_added": change.lines_added if change else 0,
        "lines_removed": change.lines_removed if change else 0,
        "hunks": [
            {
                "old_start": hunk.old_start,
                "old_lines": hunk.old_lines,
                "new_start": hunk.new_start,
                "new_lines": hunk.new_lines,
                "lines": [list(line) for line in hunk.lines],
            }
            for hunk in hunks(old_body, new.body)
        ],
    }


def due(
    connection: Connection, *, today: date, within_days: int | None, upcoming_days: int
) -> list[dict[str, Any]]:
    """Return the review calendar, soonest first; with `within_days` only what is due by then."""
    until = today + timedelta(days=within_days) if within_days is not None else None
    return [
        {
            "path": row.path,
            "title": row.title,
            "due_on": _iso(row.due_on),
            "state": str(
                review_state(row.due_on, exempt=False, today=today, upcoming_days=upcoming_days)
            ),
            "days": (row.due_on - today).days,
            "owner": row.owner,
        }
        for row in library.review_rows(connection, due_until=until)
        if row.due_on is not None
    ]


def notices(connection: Connection, state: str | None) -> list[dict[str, Any]]:
    """Return what was sent, what waits and what failed, newest first."""
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "stage": row.stage,
            "path": row.path,
            "due_on": _iso(row.due_on),
            "route": row.route,
            "channel": row.channel,
            "state": row.state,
            "attempts": row.attempts,
            "sent_at": _iso(row.sent_at),
            "error": row.error,
        }
        for row in library.list_notices(connection, state)
    ]


def reminders(owed: list[Notice]) -> dict[str, Any]:
    """Return the notices of a sweep as `remind --json` prints them."""
    return {
        "notices": [
            {"path": n.path, "stage": n.stage, "due_on": _iso(n.due_on), "route": n.route}
            for n in owed
        ]
    }


def _iso(value: date | datetime | None) -> str | None:
    return value.isoformat() if value is not None else None
