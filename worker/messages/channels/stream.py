"""The Redis stream of CloudEvents, for programs that follow the library.

The stream is a projection of the store's `events` table. An entry's stream id is its event's id, so
publishing twice is publishing once, and the stream's last id is the cursor of whoever publishes. It
does not decide which events are due. Called by the delivery.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from worker.domain.folder.cloud_event import Event, cloud_event
from worker.settings.model import Settings
from worker.settings.redis_link import SCHEMES, RedisLink


class EventStream:
    """The stream at one key of one Redis; it keeps about the newest `max_length` events.

    Its methods raise `BrokerUnavailableError` when Redis refuses, or is silent for seconds.
    """

    def __init__(self, url: str, *, key: str, max_length: int) -> None:
        self._link = RedisLink(url)
        self._key = key
        self._max_length = max_length

    def publish(self, events: Sequence[Event]) -> int:
        """Add the events, in increasing order of id, and return how many were new to the stream.

        An event whose id is not above the stream's last one is there already, and is left out. When
        Redis fails half-way, what was added stays: publishing the same events again completes it.
        """
        if not events:
            return 0
        with self._link.failing_as_unavailable():
            # No transaction: each entry stands alone, and MULTI would hold other clients up.
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
                if not _says_already_there(error):
                    raise error
        return len(answers) - len(refused)

    def last_id(self) -> int:
        """Return the id of the last event published, even if it was trimmed; 0 before any."""
        with self._link.failing_as_unavailable():
            if not self._link.client.exists(self._key):
                return 0
            about = self._link.client.xinfo_stream(self._key)
        return int(about["last-generated-id"].split(b"-")[0])

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._link.close()


def open_stream(settings: Settings) -> EventStream | None:
    """Return the stream where its settings say, else beside the broker, if that is Redis.

    Opens no connection yet. Raises `ConfigurationError` when the stream's own URL is no Redis URL.
    """
    named = settings.stream.url
    url = (named or settings.broker_url).value
    if named is None and not url.startswith(SCHEMES):
        return None
    return EventStream(url, key=settings.stream.key, max_length=settings.stream.max_length)


def _fields(event: Event) -> dict[Any, Any]:
    """Return the entry: the whole event, and beside it what a reader filters by without parsing."""
    whole = cloud_event(event)
    return {
        "event": _bytes(json.dumps(whole, ensure_ascii=False, separators=(",", ":"))),
        "type": whole["type"],
        "subject": _bytes(event.path),
    }


def _bytes(text: str) -> bytes:
    r"""Encode; a byte of a file name that is not UTF-8 becomes `\udcff`, as JSON also writes it."""
    return text.encode("utf-8", "backslashreplace")


def _says_already_there(error: Exception) -> bool:
    return "equal or smaller than" in str(error)
