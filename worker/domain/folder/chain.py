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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any, Protocol

from worker.domain.folder.laws import Breach, Law

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


class ChainedEvent(Protocol):
    """A row of `events`; `salt` is None if the content was emptied, the hashes if it is not chained yet."""

    id: int
    at: datetime
    kind: str
    path: str
    document_id: int | None
    number: int | None
    data: dict[str, Any]
    salt: str | None
    content_sha256: str | None
    chain_sha256: str | None


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


def check_chain(events: Iterable[ChainedEvent]) -> Iterator[Breach]:
    """Yield where events, oldest first, are not those that were chained.

    After a break the check goes on from the event behind it, so that each alteration is found once. Events
    at the end that are not chained yet are no breach: the next event that is added chains them.
    """
    previous = START
    unchained: list[ChainedEvent] = []
    emptied: dict[int, str] = {}
    for event in events:
        if event.chain_sha256 is None or event.content_sha256 is None:
            unchained.append(event)
            continue
        for inserted in unchained:
            yield _breach(inserted.path, f"event {inserted.id} was inserted: it has no hash")
        unchained = []
        if event.salt is None:
            emptied[event.id] = event.path
        elif content_hash(event.salt, _fields(event)) != event.content_sha256:
            yield _breach(event.path, f"event {event.id} was altered")
        if chain_hash(previous, event.content_sha256) != event.chain_sha256:
            detail = f"an event before event {event.id} was removed, inserted or moved"
            yield _breach(event.path, detail)
        previous = event.chain_sha256
        if event.salt is not None:
            for emptied_id in event.data.get(EMPTIED, ()):
                emptied.pop(emptied_id, None)
    for event_id, path in emptied.items():
        yield _breach(path, f"event {event_id} was emptied, and no event says so")


def check_checkpoint(
    given: Checkpoint, epochs: Sequence[Epoch], found: str | None
) -> Breach | None:
    """Return why a checkpoint is not one of this store, or None; `found` is the hash of its event now.

    If the chain is whole too, nothing up to that event was altered. `epochs` are the store's, oldest first.
    """
    if found == given.hash:
        return None
    places = {epoch.epoch: place for place, epoch in enumerate(epochs)}
    if (place := places.get(given.epoch)) is None:
        return _breach("", f"this store never had the epoch {given.epoch}")
    later = epochs[place + 1 :]
    if any(given.event > epoch.after_event for epoch in later):
        detail = f"event {given.event} of epoch {given.epoch} is not in this store: a backup was restored"
        return _breach("", detail)
    if found is None:
        return _breach("", f"event {given.event} was removed")
    return _breach("", f"event {given.event} or one before it was altered")


def _breach(path: str, detail: str) -> Breach:
    return Breach(law=Law.CHAIN, path=path, detail=detail)


def _fields(event: ChainedEvent) -> dict[str, Any]:
    return {
        "at": event.at,
        "kind": event.kind,
        "path": event.path,
        "document_id": event.document_id,
        "number": event.number,
        "data": event.data,
    }


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
