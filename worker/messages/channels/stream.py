"""Publishes events as CloudEvents on Redis streams, for programs that follow the library.

A stream is a copy of the `events` table, from the event with which its epoch began. The id of an entry is the
id of its event, so publishing is idempotent, and the last entry of the stream is the cursor of the publisher.
The caller decides which events to publish. Called by `worker.messages.publish`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from worker.domain.folder.cloud_event import Event, cloud_event
from worker.errors import ConfigurationError
from worker.settings.model import Settings
from worker.settings.redis_link import SCHEMES, RedisLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The last entry of a stream. `closed`: it names the stream of a new epoch; nothing more is added.

    `event` is the CloudEvent, or None if it was trimmed.
    """

    id: int
    closed: bool
    event: dict[str, Any] | None


class EventStream:
    """The streams of one Redis server, one an epoch; each keeps about the newest `max_length` events.

    The methods raise `BrokerUnavailableError` when Redis returns an error or does not answer for seconds.
    """

    def __init__(self, url: str, *, key: str, max_length: int) -> None:
        self._link = RedisLink(url)
        self._key = key
        self._max_length = max_length

    def key_of(self, number: int, epoch: str) -> str:
        """Return the key of the stream of an epoch; the first epoch has the key of the settings."""
        return self._key if number == 1 else f"{self._key}:{epoch}"

    def publish(self, events: Sequence[Event], key: str | None = None) -> int:
        """Add the events, in increasing order of id, and return how many were new to the stream.

        Redis refuses an event whose id is not above the last id of the stream: another publisher was faster,
        or the stream has other events than the store. The caller looks at `last` to tell which. If Redis
        fails half-way, the added events stay.
        """
        if not events:
            return 0
        with self._link.failing_as_unavailable():
            # No transaction: the entries are independent, and MULTI would block other clients.
            with self._link.client.pipeline(transaction=False) as pipe:
                for event in events:
                    pipe.xadd(
                        key or self._key,
                        _fields(event),
                        id=f"{event.id}-0",
                        maxlen=self._max_length,
                        approximate=True,
                    )
                answers = pipe.execute(raise_on_error=False)
            refused = [a for a in answers if isinstance(a, Exception)]
            for error in refused:
                if not _is_not_above(error):
                    raise error
        return len(answers) - len(refused)

    def last(self, key: str | None = None) -> Published | None:
        """Return the last entry of the stream, or None if there is no stream.

        Raises `ConfigurationError` if another program wrote it.
        """
        with self._link.failing_as_unavailable():
            if not self._link.client.exists(key or self._key):
                return None
            about = self._link.client.xinfo_stream(key or self._key)
        number, _, part = about["last-generated-id"].partition(b"-")
        newest = about["last-entry"]
        event = _read(newest[1], key or self._key) if newest is not None else None
        return Published(id=int(number), closed=int(part) > 0, event=event)

    def forward(self, began: Event, key: str) -> None:
        """Name the stream of a new epoch in a last entry of the streams that readers may be at.

        These are the stream of the first epoch, so that a reader who knows only the settings finds the newest
        one, and the stream that it has named until now.
        """
        keys = [self._key]
        if (last := self.last(self._key)) is not None and last.closed and last.event is not None:
            keys.insert(0, last.event["data"]["stream"])
        fields = _fields(replace(began, data=began.data | {"stream": key}))
        with self._link.failing_as_unavailable():
            for old in keys:
                last = self.last(old)
                named = last.event if last is not None and last.closed else None
                if old != key and (named is None or named["data"]["stream"] != key):
                    self._link.client.xadd(old, fields, id=f"{last.id if last else 0}-*")

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


def _read(fields: dict[bytes, bytes], key: str) -> dict[str, Any]:
    """Return the event of an entry; raise `ConfigurationError` if it has none."""
    with suppress(ValueError):
        event = json.loads(fields.get(b"event", b""))
        if isinstance(event, dict):
            return event
    raise ConfigurationError(
        f"another program writes to the stream {key}: set stream.key to another"
    )


def _bytes(text: str) -> bytes:
    r"""Encode as UTF-8; a byte of a file name that is not UTF-8 becomes `\udcff`, as in JSON."""
    return text.encode("utf-8", "backslashreplace")


def _is_not_above(error: Exception) -> bool:
    return "equal or smaller than" in str(error)
