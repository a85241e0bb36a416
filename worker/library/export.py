"""Exports the live library to programs that keep a copy: a manifest, or every document with its body.

Both include the ID of their newest event. A program that continues with `content-sync events --after`
that ID misses nothing. Reads one view of the store; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.store import library
from worker.store.engine import Connection


def export_manifest(connection: Connection, *, active_only: bool) -> dict[str, Any]:
    """Return the live library without bodies; `event` is the ID of its newest event."""
    return {
        "event": library.newest_event(connection),
        "documents": [
            _entry(row)
            for row in library.live_versions(connection, bodies_too=False)
            if not active_only or row.status == "active"
        ],
    }


def export_documents(connection: Connection, *, active_only: bool) -> Iterator[dict[str, Any]]:
    """Yield the live documents with their bodies, in path order."""
    event = library.newest_event(connection)
    for row in library.live_versions(connection, bodies_too=True):
        if not active_only or row.status == "active":
            yield {**_entry(row), "event": event, "body": row.body}


def _entry(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "path": row.path,
        "number": row.number,
        "title": row.title,
        "status": row.status,
        "metadata": row.metadata,
        "sha256": row.sha256,
        "body_sha256": row.body_sha256,
        "last_reviewed": row.last_reviewed.isoformat() if row.last_reviewed else None,
        "due_on": row.due_on.isoformat() if row.due_on else None,
    }
