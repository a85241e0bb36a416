"""The JSON of `diff`: what changed between two versions, or between a version and a file.

Every function takes a connection and changes nothing. Instants are ISO in UTC. Called by
`worker.library.reader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.library.as_of import locate
from worker.store import library
from worker.store.engine import Connection

if TYPE_CHECKING:
    from worker.domain.reviews.policy import Policy
    from worker.domain.seeds.seed import Seed

#: The side of a diff that is a file, not a version.
FILE = "file"
#: The details of a change if nothing changed.
_NO_DETAILS: dict[str, Any] = {"sections": [], "figures": [], "links": [], "risk": None}


def diff(
    connection: Connection,
    path: str,
    first: int | None,
    second: int | None,
    *,
    policy: Policy,
) -> dict[str, Any] | None:
    """Return what changed between two versions, by default the last two; None if one is missing."""
    document = locate(connection, path)
    if document is None:
        return None
    to = second if second is not None else document.number
    since = first if first is not None else to - 1
    new = library.find_version(connection, document.id, number=to)
    old = library.find_version(connection, document.id, number=since)
    if new is None or (old is None and since != 0):
        return None
    return {
        "path": document.path,
        "title": document.title,
        "from": since,
        "to": to,
        "old": _side(old),
        "new": _side(new),
        **_changes(_content_of(old), _content_of(new), policy),
    }


def diff_file(
    connection: Connection,
    path: str,
    number: int | None,
    seed: Seed,
    *,
    label: str,
    sha256: str,
    policy: Policy,
) -> dict[str, Any] | None:
    """Return what changed between a version, by default the newest, and a file that was read."""
    document = locate(connection, path)
    if document is None:
        return None
    old = library.find_version(connection, document.id, number=number)
    if old is None:
        return None
    return {
        "path": document.path,
        "title": document.title,
        "from": old.number,
        "to": FILE,
        "old": _side(old),
        "new": {"number": None, "label": label, "sha256": sha256, "stored_at": None},
        **_changes(_content_of(old), (seed.metadata, seed.body), policy),
    }


def _side(row: Any | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "number": row.number,
        "label": row.label,
        "sha256": row.sha256,
        "stored_at": row.stored_at.isoformat(),
    }


def _content_of(row: Any | None) -> tuple[dict[str, Any], str]:
    return (row.metadata, row.body) if row is not None else ({}, "")


def _changes(
    old: tuple[dict[str, Any], str], new: tuple[dict[str, Any], str], policy: Policy
) -> dict[str, Any]:
    """Return the differences between two contents, and the changed lines."""
    from worker.domain.changes.change import compare, hunks  # noqa: PLC0415 - 60 ms, only for a diff

    change = compare(
        *old, *new, review_fields=policy.review_fields, grave_fields=policy.grave_fields
    )
    return {
        "change": change.kind if change else None,
        "fields": change.fields_json() if change else [],
        **(change.details_json() if change else _NO_DETAILS),
        "reasons": list(change.reasons) if change else [],
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
            for hunk in hunks(old[1], new[1])
        ],
    }
