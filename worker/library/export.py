"""The live library for programs that hold a copy of it: a manifest, or every document with its text.

Both name the newest event that they hold, so that whoever takes a copy goes on with
`content-sync events --after` that event and misses nothing. Reads one view of the store; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.store import library
from worker.store.engine import Connection


def export_manifest(connection: Connection, *, active_only: bool) -> dict[str, Any]:
    """Return the live library without its texts; `event` is the newest event that it holds."""
    return {
        "event": library.newest_event(connection),
        "documents": [
            _entry(row)
            for row in library.live_versions(connection, bodies_too=False)
            if not active_only or row.status == "active"
        ],
    }


def export_documents(connection: Connection, *, active_only: bool) -> Iterator[dict[str, Any]]:
    """Yield the live library, a document with its text at a time, in path order."""
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
