"""The spool: the bytes of a batch on their way from a watcher to a worker, beside its message.

Redis holds them where the broker is Redis, a dictionary where the broker lives in this process.
The spool is a hint like the message: bytes that are lost cost a scan, never data, so nothing lives
longer than `spool_seconds` in Redis. Beside the bytes it counts which were begun: what ends a worker
is told by that. It knows nothing of seeds. The watcher puts and counts; workers begin, get and drop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Protocol, cast

from worker.settings.model import Settings
from worker.settings.redis_link import RedisLink

_PREFIX = "content-sync:"
#: Added to how often a file was begun: far below zero it is taken in.
_FINISHED = -1_000_000
_UNCONSUMED = f"{_PREFIX}spool"

# Scores are seconds of Redis's own clock, which also expires the bytes: hosts whose clocks differ
# count alike. Scripts, because a pipeline cannot use the answer of TIME.
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
        """Return the bytes of a batch, or None where they were dropped, lost or are too old."""

    def drop(self, batch_id: str) -> None:
        """Forget a batch that was consumed; one that is not there is fine."""

    def begin(self, batch_id: str, part: int | None = None) -> int:
        """Note that a batch, or one of its files, is begun; return how often it was before."""

    def release(self, batch_id: str, part: int | None = None) -> None:
        """Note that what was begun last was not tried: what it needs was away."""

    def finish(self, batch_id: str, part: int) -> None:
        """Note that a file of a batch was taken in."""

    def unfinished(self, batch_id: str, parts: int) -> list[int]:
        """Return which of a batch's files were not taken in yet, those that were begun most last."""

    def was_started(self, batch_id: str) -> bool:
        """Return whether a worker has begun a batch, and nobody has dropped it."""

    def outstanding(self) -> int:
        """Return how many batches were put and not yet dropped."""

    def kept(self) -> frozenset[str]:
        """Return the ids of those batches."""


class MemorySpool:
    """The spool of one process. The watcher, which waits at `max_batches`, bounds its size."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._batches: dict[str, bytes] = {}
        self._begun: dict[str, Counter[str]] = {}

    def put(self, batch_id: str, data: bytes) -> None:
        """Keep the bytes of a batch."""
        with self._lock:
            self._batches[batch_id] = data

    def get(self, batch_id: str) -> bytes | None:
        """Return the bytes of a batch, or None."""
        with self._lock:
            return self._batches.get(batch_id)

    def drop(self, batch_id: str) -> None:
        """Forget a batch."""
        with self._lock:
            self._batches.pop(batch_id, None)
            self._begun.pop(batch_id, None)

    def begin(self, batch_id: str, part: int | None = None) -> int:
        """Note that a batch, or one of its files, is begun; return how often it was before."""
        with self._lock:
            return self._add(batch_id, part, 1) - 1

    def release(self, batch_id: str, part: int | None = None) -> None:
        """Note that what was begun last was not tried."""
        with self._lock:
            self._add(batch_id, part, -1)

    def finish(self, batch_id: str, part: int) -> None:
        """Note that a file of a batch was taken in."""
        with self._lock:
            self._add(batch_id, part, _FINISHED)

    def unfinished(self, batch_id: str, parts: int) -> list[int]:
        """Return which of a batch's files were not taken in yet, those that were begun most last."""
        with self._lock:
            return _unfinished(self._begun.get(batch_id, {}), parts)

    def was_started(self, batch_id: str) -> bool:
        """Return whether a worker has begun a batch."""
        with self._lock:
            return self._begun.get(batch_id, Counter())[_field(None)] > 0

    def _add(self, batch_id: str, part: int | None, number: int) -> int:
        counts = self._begun.setdefault(batch_id, Counter())
        counts[_field(part)] += number
        return counts[_field(part)]

    def outstanding(self) -> int:
        """Return how many batches are kept."""
        with self._lock:
            return len(self._batches)

    def kept(self) -> frozenset[str]:
        """Return the ids of the batches that are kept."""
        with self._lock:
            return frozenset(self._batches)


class RedisSpool:
    """The spool in Redis, for watchers and workers on any machine.

    Its methods raise `BrokerUnavailableError` when Redis refuses, or is silent for seconds.
    """

    def __init__(self, url: str, *, spool_seconds: int) -> None:
        """Use the Redis at `url`; bytes and counts are forgotten after `spool_seconds`."""
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
        """Forget a batch and its bytes."""
        with (
            self._link.failing_as_unavailable(),
            self._link.client.pipeline(transaction=True) as pipe,
        ):
            pipe.unlink(_key(batch_id), _begun_key(batch_id))
            pipe.zrem(_UNCONSUMED, batch_id)
            pipe.execute()

    def begin(self, batch_id: str, part: int | None = None) -> int:
        """Note that a batch, or one of its files, is begun; return how often it was before."""
        return self._add(batch_id, part, 1) - 1

    def release(self, batch_id: str, part: int | None = None) -> None:
        """Note that what was begun last was not tried."""
        self._add(batch_id, part, -1)

    def finish(self, batch_id: str, part: int) -> None:
        """Note that a file of a batch was taken in."""
        self._add(batch_id, part, _FINISHED)

    def unfinished(self, batch_id: str, parts: int) -> list[int]:
        """Return which of a batch's files were not taken in yet, those that were begun most last."""
        with self._link.failing_as_unavailable():
            counts = cast("dict[bytes, bytes]", self._link.client.hgetall(_begun_key(batch_id)))
        return _unfinished({key.decode(): int(n) for key, n in counts.items()}, parts)

    def was_started(self, batch_id: str) -> bool:
        """Return whether a worker has begun a batch."""
        with self._link.failing_as_unavailable():
            number = cast(
                "bytes | None", self._link.client.hget(_begun_key(batch_id), _field(None))
            )
        return number is not None and int(number) > 0

    def _add(self, batch_id: str, part: int | None, number: int) -> int:
        with (
            self._link.failing_as_unavailable(),
            self._link.client.pipeline(transaction=True) as pipe,
        ):
            pipe.hincrby(_begun_key(batch_id), _field(part), number)
            pipe.expire(_begun_key(batch_id), self._spool_seconds)
            return int(pipe.execute()[0])

    def outstanding(self) -> int:
        """Return how many batches were put in the last `spool_seconds` and not dropped."""
        with self._link.failing_as_unavailable():
            return int(self._link.client.eval(_COUNT, 1, _UNCONSUMED, str(self._spool_seconds)))

    def kept(self) -> frozenset[str]:
        """Return the ids of those batches."""
        with self._link.failing_as_unavailable():
            ids = self._link.client.eval(_LIST, 1, _UNCONSUMED, str(self._spool_seconds))
        return frozenset(one.decode() for one in cast("list[bytes]", ids))

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._link.close()


def open_spool(settings: Settings) -> MemorySpool | RedisSpool:
    """Return the spool that belongs to the broker; opens no connection yet.

    Raises `ConfigurationError` when the broker's URL is neither `memory://` nor Redis.
    """
    if settings.in_process:
        return MemorySpool()
    return RedisSpool(settings.broker_url.value, spool_seconds=settings.intake.spool_seconds)


def _key(batch_id: str) -> str:
    return f"{_UNCONSUMED}:{batch_id}"


def _begun_key(batch_id: str) -> str:
    return f"{_PREFIX}begun:{batch_id}"


def _field(part: int | None) -> str:
    """Return the name of what is counted: one file of a batch, or the whole."""
    return "whole" if part is None else str(part)


def _unfinished(counts: Mapping[str, int], parts: int) -> list[int]:
    begun = {part: counts.get(_field(part), 0) for part in range(parts)}
    return sorted((part for part, times in begun.items() if times >= 0), key=begun.__getitem__)
