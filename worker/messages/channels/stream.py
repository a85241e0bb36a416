"""Publishes events as CloudEvents on a Redis stream, for programs that follow the library.

The stream is a copy of the `events` table. The id of an entry is the id of its event, so publishing is
idempotent, and the last id of the stream is the cursor of the publisher. The caller decides which events to
publish. Called by `worker.messages.deliver`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from worker.domain.folder.cloud_event import Event, cloud_event
from worker.settings.model import Settings
from worker.settings.redis_link import SCHEMES, RedisLink


class EventStream:
    """The stream at one key of one Redis server; it keeps about the newest `max_length` events.

    The methods raise `BrokerUnavailableError` when Redis returns an error or does not answer for seconds.
    """

    def __init__(self, url: str, *, key: str, max_length: int) -> None:
        self._link = RedisLink(url)
        self._key = key
        self._max_length = max_length

    def publish(self, events: Sequence[Event]) -> int:
        """Add the events, in increasing order of id, and return how many were new to the stream.

        Skips events whose id is not above the last id of the stream, because the stream already has them. If
        Redis fails half-way, the added events stay; publishing the same events again adds the rest.
        """
        if not events:
            return 0
        with self._link.failing_as_unavailable():
            # No transaction: the entries are independent, and MULTI would block other clients.
            with self._link.client.pipeline(transaction=False) as pipe:
                for event in events:
                    pipe.xadd(
                        self._key,
                        _fields(event),
                        id=f"{event.id}-0",
                        maxlen=self._max_length,
                        approximate=True,
                    )
                answers = pipe.execute(raise_on_error=False)
            refused = [a for a in answers if isinstance(a, Exception)]
            for error in refused:
                if not _is_already_published(error):
                    raise error
        return len(answers) - len(refused)

    def last_id(self) -> int:
        """Return the id of the last published event, even if it was trimmed, or 0 if there is none."""
        with self._link.failing_as_unavailable():
            if not self._link.client.exists(self._key):
                return 0
            about = self._link.client.xinfo_stream(self._key)
        return int(about["last-generated-id"].split(b"-")[0])

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._link.close()


def open_stream(settings: Settings) -> EventStream | None:
    """Return the stream at `stream.url`, or else on the broker's Redis, or None without Redis.

    Opens no connection yet. Raises `ConfigurationError` if `stream.url` is not a Redis URL.
    """
    named = settings.stream.url
    url = (named or settings.broker_url).value
    if named is None and not url.startswith(SCHEMES):
        return None
    return EventStream(url, key=settings.stream.key, max_length=settings.stream.max_length)


def _fields(event: Event) -> dict[Any, Any]:
    """Return the entry: the whole event, and the fields by which readers filter without parsing it."""
    whole = cloud_event(event)
    return {
        "event": _bytes(json.dumps(whole, ensure_ascii=False, separators=(",", ":"))),
        "type": whole["type"],
        "subject": _bytes(event.path),
    }


def _bytes(text: str) -> bytes:
    r"""Encode as UTF-8; a byte of a file name that is not UTF-8 becomes `\udcff`, as in JSON."""
    return text.encode("utf-8", "backslashreplace")


def _is_already_published(error: Exception) -> bool:
    return "equal or smaller than" in str(error)
