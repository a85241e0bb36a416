"""The hash chain over events: each event's hash covers its content and every event before it.

`content_sha256` is the hash of a random salt and the event's content in canonical JSON, so that the salt and
the content can be emptied later without breaking the chain, and nobody can guess what was there.
`chain_sha256` is the hash of the previous `chain_sha256` and this `content_sha256`. The canonical form is the
same for both databases: sorted keys, ASCII, no floats, instants as whole microseconds since 1970 in UTC, and
no ID. A chain proves nothing by itself, because whoever can write the store can compute it again: the hash of
the newest event has to be kept elsewhere, as a `Checkpoint`. Called by `worker.store.chain`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any

#: What the first event has in place of the hash of the event before it.
START = ""
#: The key in the data of an event that names the IDs of the events that were emptied with it.
EMPTIED = "emptied"

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_MICROSECOND = timedelta(microseconds=1)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_CHECKPOINT = re.compile(r"([0-9a-f]+):([0-9]+):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """An event and its hash, to keep outside the store: proof of every event up to it."""

    epoch: str
    event: int
    hash: str

    def __str__(self) -> str:
        return f"{self.epoch}:{self.event}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A time in which the IDs of events name the same events for ever; a row of `epochs`.

    Events up to `after_event` are certainly those of the epochs before, too. `event` is the ID of the event
    that says that it began, 0 for the first epoch. `began_at` is aware. `library` is the name of the store.
    """

    number: int
    epoch: str
    library: str
    began_at: datetime
    reason: str
    after_event: int
    event: int


def is_replaced(epochs: Sequence[Epoch], epoch: str, event: int) -> bool | None:
    """Return whether an event of an epoch may be another one by now; None if the store never had the epoch.

    `epochs` are the store's, oldest first.
    """
    places = {one.epoch: place for place, one in enumerate(epochs)}
    if (place := places.get(epoch)) is None:
        return None
    return any(event > later.after_event for later in epochs[place + 1 :])


def read_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that a text `EPOCH:ID:HASH` names; raise ValueError for another text."""
    found = _CHECKPOINT.fullmatch(text.strip())
    if found is None:
        raise ValueError("a checkpoint has the form EPOCH:ID:HASH, as in a digest")
    return Checkpoint(epoch=found[1], event=int(found[2]), hash=found[3])


def content_hash(salt: str, event: Mapping[str, Any]) -> str:
    """Return the hash of an event's content; raise ValueError if `at` has no time zone."""
    at: datetime = event["at"]
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    content = _CANONICAL.encode(
        {
            "at": (at - _UNIX_EPOCH) // _ONE_MICROSECOND,
            "data": _without_floats(event["data"]),
            "document_id": event["document_id"],
            "kind": event["kind"],
            "number": event["number"],
            "path": event["path"],
        }
    )
    return sha256(f"{salt}\n{content}".encode("ascii")).hexdigest()


def chain_hash(previous: str, content_sha256: str) -> str:
    """Return the hash of an event from the hash of the event before it and that of its own content."""
    return sha256(f"{previous}{content_sha256}".encode("ascii")).hexdigest()


def _without_floats(value: Any) -> Any:
    """Return JSON without floats: a database may spell 1.0 and 1e23 in another way, and has no infinity."""
    if isinstance(value, float):
        if not isfinite(value):
            return None
        return int(Decimal(repr(value))) if value.is_integer() else repr(value)
    if isinstance(value, dict):
        return {key: _without_floats(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_floats(one) for one in value]
    return value
