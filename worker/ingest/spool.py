"""The spool: carries the bytes of a batch from a watcher to a worker, next to its message.

They are in Redis if the broker is Redis, in a dictionary if the broker is in this process. Lost bytes
delay an update until the next scan; they never lose data, so nothing stays in Redis longer than
`spool_seconds`. The spool also counts the attempts at each batch and file, which shows what ends a
worker. It knows nothing of seeds. The watcher puts and counts; workers begin, get and drop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Protocol, cast

from worker.settings.model import Settings
from worker.settings.redis_link import RedisLink

_PREFIX = "content-sync:"
#: Added to a file's number of attempts when it is ingested: far below zero means finished.
_FINISHED = -1_000_000
_UNCONSUMED = f"{_PREFIX}spool"

# Scores are seconds of Redis's clock, which also expires the bytes, so hosts with different clocks get
# the same counts. These are scripts, because a pipeline cannot use the result of TIME.
_NOTE = """
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_LIST = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1] - ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
_COUNT = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1] - ARGV[1])
return redis.call('ZCARD', KEYS[1])
"""


class Spool(Protocol):
    """Keeps the bytes of batches until they are consumed."""

    def put(self, batch_id: str, data: bytes) -> None:
        """Keep the bytes of a batch; the same batch again replaces them."""

    def get(self, batch_id: str) -> bytes | None:
        """Return the bytes of a batch, or None if they were dropped, lost or are too old."""

    def drop(self, batch_id: str) -> None:
        """Delete a batch that was consumed, if it exists."""

    def begin(self, batch_id: str, part: int | None = None) -> int:
        """Count an attempt at a batch, or at one of its files; return the number of earlier attempts."""

    def release(self, batch_id: str, part: int | None = None) -> None:
        """Take back the last attempt: something that it needs was unavailable."""

    def finish(self, batch_id: str, part: int) -> None:
        """Record that a file of a batch was ingested."""

    def unfinished(self, batch_id: str, parts: int) -> list[int]:
        """Return the files of a batch that are not ingested yet, those with the fewest attempts first."""

    def was_started(self, batch_id: str) -> bool:
        """Return whether a worker has started a batch that is not dropped."""

    def outstanding(self) -> int:
        """Return the number of batches that were put and not dropped."""

    def kept(self) -> frozenset[str]:
        """Return the IDs of those batches."""


class MemorySpool:
    """The spool of one process. Its size is limited because the watcher waits at `max_batches`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._batches: dict[str, bytes] = {}
        self._attempts: dict[str, Counter[str]] = {}

    def put(self, batch_id: str, data: bytes) -> None:
        """Keep the bytes of a batch."""
        with self._lock:
            self._batches[batch_id] = data

    def get(self, batch_id: str) -> bytes | None:
        """Return the bytes of a batch, or None."""
        with self._lock:
            return self._batches.get(batch_id)

    def drop(self, batch_id: str) -> None:
        """Delete a batch."""
        with self._lock:
            self._batches.pop(batch_id, None)
            self._attempts.pop(batch_id, None)

    def begin(self, batch_id: str, part: int | None = None) -> int:
        """Count an attempt; return the number of earlier ones."""
        with self._lock:
            return self._add(batch_id, part, 1) - 1

    def release(self, batch_id: str, part: int | None = None) -> None:
        """Take back the last attempt."""
        with self._lock:
            self._add(batch_id, part, -1)

    def finish(self, batch_id: str, part: int) -> None:
        """Record that a file of a batch was ingested."""
        with self._lock:
            self._add(batch_id, part, _FINISHED)

    def unfinished(self, batch_id: str, parts: int) -> list[int]:
        """Return the files of a batch that are not ingested yet, those with the fewest attempts first."""
        with self._lock:
            return _unfinished(self._attempts.get(batch_id, {}), parts)

    def was_started(self, batch_id: str) -> bool:
        """Return whether a worker has started a batch."""
        with self._lock:
            return self._attempts.get(batch_id, Counter())[_field(None)] > 0

    def _add(self, batch_id: str, part: int | None, number: int) -> int:
        counts = self._attempts.setdefault(batch_id, Counter())
        counts[_field(part)] += number
        return counts[_field(part)]

    def outstanding(self) -> int:
        """Return the number of batches."""
        with self._lock:
            return len(self._batches)

    def kept(self) -> frozenset[str]:
        """Return the IDs of the batches."""
        with self._lock:
            return frozenset(self._batches)


class RedisSpool:
    """The spool in Redis, for watchers and workers on any machine.

    Its methods raise `BrokerUnavailableError` if Redis refuses, or does not answer for seconds.
    """

    def __init__(self, url: str, *, spool_seconds: int) -> None:
        """Use the Redis at `url`; bytes and counts expire after `spool_seconds`."""
        self._link = RedisLink(url)
        self._spool_seconds = spool_seconds

    def put(self, batch_id: str, data: bytes) -> None:
        """Keep the bytes and count the batch, both or neither."""
        with (
            self._link.failing_as_unavailable(),
            self._link.client.pipeline(transaction=True) as pipe,
        ):
            pipe.set(_key(batch_id), data, ex=self._spool_seconds)
            pipe.eval(_NOTE, 1, _UNCONSUMED, batch_id, str(self._spool_seconds))
            pipe.execute()

    def get(self, batch_id: str) -> bytes | None:
        """Return the bytes of a batch, or None."""
        with self._link.failing_as_unavailable():
            return cast("bytes | None", self._link.client.get(_key(batch_id)))

    def drop(self, batch_id: str) -> None:
        """Delete a batch and its bytes."""
        with (
            self._link.failing_as_unavailable(),
            self._link.client.pipeline(transaction=True) as pipe,
        ):
            pipe.unlink(_key(batch_id), _attempts_key(batch_id))
            pipe.zrem(_UNCONSUMED, batch_id)
            pipe.execute()

    def begin(self, batch_id: str, part: int | None = None) -> int:
        """Count an attempt; return the number of earlier ones."""
        return self._add(batch_id, part, 1) - 1

    def release(self, batch_id: str, part: int | None = None) -> None:
        """Take back the last attempt."""
        self._add(batch_id, part, -1)

    def finish(self, batch_id: str, part: int) -> None:
        """Record that a file of a batch was ingested."""
        self._add(batch_id, part, _FINISHED)

    def unfinished(self, batch_id: str, parts: int) -> list[int]:
        """Return the files of a batch that are not ingested yet, those with the fewest attempts first."""
        with self._link.failing_as_unavailable():
            counts = cast("dict[bytes, bytes]", self._link.client.hgetall(_attempts_key(batch_id)))
        return _unfinished({key.decode(): int(n) for key, n in counts.items()}, parts)

    def was_started(self, batch_id: str) -> bool:
        """Return whether a worker has started a batch."""
        with self._link.failing_as_unavailable():
            number = cast(
                "bytes | None", self._link.client.hget(_attempts_key(batch_id), _field(None))
            )
        return number is not None and int(number) > 0

    def _add(self, batch_id: str, part: int | None, number: int) -> int:
        with (
            self._link.failing_as_unavailable(),
            self._link.client.pipeline(transaction=True) as pipe,
        ):
            pipe.hincrby(_attempts_key(batch_id), _field(part), number)
            pipe.expire(_attempts_key(batch_id), self._spool_seconds)
            return int(pipe.execute()[0])

    def outstanding(self) -> int:
        """Return the number of batches that were put in the last `spool_seconds` and not dropped."""
        with self._link.failing_as_unavailable():
            return int(self._link.client.eval(_COUNT, 1, _UNCONSUMED, str(self._spool_seconds)))

    def kept(self) -> frozenset[str]:
        """Return the IDs of those batches."""
        with self._link.failing_as_unavailable():
            ids = self._link.client.eval(_LIST, 1, _UNCONSUMED, str(self._spool_seconds))
        return frozenset(one.decode() for one in cast("list[bytes]", ids))

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._link.close()


def open_spool(settings: Settings) -> MemorySpool | RedisSpool:
    """Return the spool that matches the broker, without opening a connection.

    Raises `ConfigurationError` if the broker's URL is neither `memory://` nor Redis.
    """
    if settings.in_process:
        return MemorySpool()
    return RedisSpool(settings.broker_url.value, spool_seconds=settings.intake.spool_seconds)


def _key(batch_id: str) -> str:
    return f"{_UNCONSUMED}:{batch_id}"


def _attempts_key(batch_id: str) -> str:
    return f"{_PREFIX}begun:{batch_id}"


def _field(part: int | None) -> str:
    """Return the name of a counter: for one file of a batch, or for the whole batch."""
    return "whole" if part is None else str(part)


def _unfinished(counts: Mapping[str, int], parts: int) -> list[int]:
    attempts = {part: counts.get(_field(part), 0) for part in range(parts)}
    return sorted((part for part, n in attempts.items() if n >= 0), key=attempts.__getitem__)
