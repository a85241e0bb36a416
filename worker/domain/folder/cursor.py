"""How far a program has followed the library: `ID`, `EPOCH:ID` or `EPOCH:ID:HASH`.

An ID alone names another event after a backup was restored. With its epoch, or better with its hash too (a
checkpoint), a store can tell whether it still has what the program processed. Called by `worker.library`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.domain.folder.chain import Epoch, is_replaced

_CURSOR = re.compile(r"(?:([0-9a-f]+):)?([0-9]{1,18})(?::([0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last event that a program processed; 0 before the first."""

    event: int
    epoch: str | None = None
    hash: str | None = None


def read_cursor(text: str) -> Cursor:
    """Return the cursor that a text names; raise ValueError for another text."""
    found = _CURSOR.fullmatch(text.strip())
    if found is None or (found[3] and not found[1]):
        raise ValueError(
            "use the ID of the last event that you processed, as ID, EPOCH:ID or EPOCH:ID:HASH"
        )
    return Cursor(epoch=found[1], event=int(found[2]), hash=found[3])


def cursor_at(cloud_event: Mapping[str, Any]) -> Cursor:
    """Return the cursor of a program that has processed a CloudEvent of the library."""
    epoch = str(cloud_event["source"]).rpartition("/")[2]
    return Cursor(epoch=epoch, event=int(cloud_event["id"]), hash=cloud_event.get("hash"))


def is_lost(cursor: Cursor, epochs: Sequence[Epoch], *, newest: int, found: str | None) -> bool:
    """Return whether a store no longer has what a program processed.

    `epochs` are the store's, oldest first, `newest` is its newest event, and `found` is the hash that the
    cursor's event has now, or None.
    """
    if cursor.event == 0:
        return False
    if cursor.event > newest:
        return True
    if cursor.hash is not None:
        return found != cursor.hash
    if cursor.epoch is None:
        return False
    return is_replaced(epochs, cursor.epoch, cursor.event) is not False
