"""The law of the chain: the events are those that were chained, and a checkpoint is one of them.

Not in `worker.domain.folder.chain`, which every command loads that reads the store. Called by
`worker.run.verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from worker.domain.folder.chain import (
    EMPTIED,
    START,
    Checkpoint,
    Epoch,
    chain_hash,
    content_hash,
    is_replaced,
)
from worker.domain.folder.laws import Breach, Law


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
    replaced = is_replaced(epochs, given.epoch, given.event)
    if replaced is None:
        return _breach("", f"this store never had the epoch {given.epoch}")
    if replaced:
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
