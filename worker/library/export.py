"""Exports the live library to programs that keep a copy: a manifest, or every document with its body.

Both include the ID of their newest event, and its hash. A program that continues with `events --after` that
ID misses nothing. Reads one view of the store; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.store import epochs, library
from worker.store.engine import Connection


def export_manifest(connection: Connection, *, active_only: bool) -> dict[str, Any]:
    """Return the live library without bodies; `event` is the ID of its newest event.

    `checkpoint` is that event with its epoch and hash, None before the first event.
    """
    newest = epochs.checkpoint(connection)
    return {
        "event": newest.event if newest is not None else 0,
        "documents": [
            _entry(row)
            for row in library.live_versions(connection, bodies_too=False)
            if not active_only or row.status == "active"
        ],
        "checkpoint": str(newest) if newest is not None else None,
    }


def export_documents(connection: Connection, *, active_only: bool) -> Iterator[dict[str, Any]]:
    """Yield the live documents with their bodies, in path order."""
    newest = epochs.checkpoint(connection)
    event = newest.event if newest is not None else 0
    checkpoint = str(newest) if newest is not None else None
    for row in library.live_versions(connection, bodies_too=True):
        if not active_only or row.status == "active":
            yield {**_entry(row), "event": event, "body": row.body, "checkpoint": checkpoint}


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
