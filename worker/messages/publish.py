"""Publishes the events of the store on the stream, and notices there that a backup was restored.

The stream is a copy of the table `events`. Its last entry is the cursor, and has to be an event that the
store has: the hash covers all before it. If it is not, the store is older than what it published, and a new
epoch begins, with a stream of its own. Called by `worker.library.services`.
"""

from __future__ import annotations

import logging
from datetime import datetime

from worker.domain.folder.cloud_event import SOURCE, Event, cloud_event
from worker.errors import ConfigurationError
from worker.messages.channels.stream import EventStream, Published
from worker.store import chain, epochs
from worker.store.engine import Connection, Store

logger = logging.getLogger("content_sync.deliver")

#: A lost stream is filled again from the first event of its epoch; this bounds the memory that takes.
EVENTS_AT_ONCE = 100


def publish_events(store: Store, stream: EventStream, *, now: datetime) -> int:
    """Publish the events that the stream lacks and return their number; begin an epoch if it has others.

    When another worker publishes at the same time, this one stops; the other worker, or the next tick,
    publishes the rest. Commits a new epoch. Raises `ConfigurationError` if the stream is another library's.
    """
    published = 0
    while True:
        with store.read() as connection:
            epoch = epochs.current(connection)
        key = stream.key_of(epoch.number, epoch.epoch)
        last = stream.last(key)
        _require_ours(last, key, epoch.library)
        with store.read() as connection:
            if last is not None and not _has(connection, last):
                rows = None
            else:
                after = last.id if last is not None else max(epoch.event - 1, 0)
                rows = epochs.feed(connection, after, EVENTS_AT_ONCE)
        if rows is None:
            logger.warning(
                "a backup was restored: the stream %s ends with an event that the store does not have;"
                " a new epoch begins",
                key,
            )
            epochs.begin(store, instead_of=epoch.epoch, reason=epochs.FOUND, after_event=0, now=now)
            continue
        if not rows:
            return published
        if last is None and epoch.event:
            first = stream.key_of(1, epoch.epoch)
            _require_ours(stream.last(first), first, epoch.library)
            stream.forward(rows[0], key)
        new = stream.publish(rows, key)
        published += new
        if new < len(rows):
            return published


def _require_ours(last: Published | None, key: str, library: str) -> None:
    """Raise `ConfigurationError` if a stream ends with the event of another library: none was restored."""
    source = (
        str(last.event.get("source")) if last is not None and last.event is not None else SOURCE
    )
    if source != SOURCE and not source.startswith(f"{SOURCE}/{library}/"):
        raise ConfigurationError(
            f"the stream {key} has events of another library ({source}): give each library its own stream.key"
        )


def _has(connection: Connection, last: Published) -> bool:
    """Return whether the last entry of a stream is an event of the store."""
    if last.closed:
        return False
    if last.event is None:  # it was trimmed
        return last.id <= chain.newest_event(connection)
    found = epochs.feed(connection, last.id - 1, 1)
    return bool(found) and _is_same(last.event, found[0])


def _is_same(entry: dict[str, object], event: Event) -> bool:
    """Compare by hash; an entry from before there were hashes by what it has."""
    mine = cloud_event(event)
    names = ("id", "hash") if "hash" in entry else ("id", "time", "type", "subject")
    return all(entry.get(name) == mine.get(name) for name in names)
