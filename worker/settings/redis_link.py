"""Connections to Redis beside Celery's own: one set of timeouts, one way to fail.

The spool and the stream of events use it. It knows no keys, and no error that leaves it shows a
password. redis-py is imported with the first link: that takes 0.1 s, and an embedded service has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.domain.seeds.visible import without_password
from worker.errors import BrokerUnavailableError, ConfigurationError

if TYPE_CHECKING:
    from redis import Redis

SCHEMES = ("redis://", "rediss://")
_TIMEOUT_SECONDS = 5
_HEALTH_CHECK_SECONDS = 5
_RETRY_SECONDS = 0.05
#: redis-py reads 64 KiB at a time by default; a batch has 4 MiB, and arrives twice as fast this way.
_READ_BYTES = 1024 * 1024


class RedisLink:
    """One Redis, connected at the first use in each process; safe across threads and forks.

    Raises `ConfigurationError` when the URL is none that redis-py understands.
    """

    def __init__(self, url: str) -> None:
        import redis  # noqa: PLC0415 - see above
        from redis.backoff import ConstantBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self._errors = redis.RedisError
        self.shown_url = without_password(url)
        if not url.startswith(SCHEMES):
            raise ConfigurationError(
                f"{self.shown_url} is no Redis URL: it begins with redis:// or rediss://"
            )
        try:
            # It connects at its first command, and its pool drops connections that a fork copied.
            self.client: Redis = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                socket_keepalive=True,
                health_check_interval=_HEALTH_CHECK_SECONDS,
                socket_read_size=_READ_BYTES,
                # One more try carries a call over a connection that went dead while it lay idle.
                # More (redis-py's default is ten) would hide for a minute that the broker is gone.
                retry=Retry(ConstantBackoff(_RETRY_SECONDS), 1),
            )
            # An option of the URL that redis-py does not know would fail at the first command only.
            pool = self.client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError, redis.RedisError) as error:
            raise ConfigurationError(f"{self.shown_url} is no Redis URL: {error}") from None

    @contextmanager
    def failing_as_unavailable(self) -> Iterator[None]:
        """Turn any error of Redis into `BrokerUnavailableError`, with the URL but no password.

        Refusals count too (out of memory, read-only, loading): the caller's answer is the same,
        since the folder is the truth and the next scan brings again what Redis did not take.
        """
        try:
            yield
        except self._errors as error:
            raise BrokerUnavailableError(f"Redis at {self.shown_url}: {error}") from error

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.client.close()
