"""Connections to Redis other than Celery's own, with one set of timeouts and one kind of error.

The spool and the event stream use it. Its errors never show a password. redis-py is imported with the
first link because the import takes 0.1 s and an embedded service needs no link.
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
#: redis-py reads 64 KiB at a time by default. A batch has 4 MiB and arrives twice as fast with this.
_READ_BYTES = 1024 * 1024


class RedisLink:
    """One Redis, connected at the first use in each process; safe across threads and forks.

    Raises `ConfigurationError` when redis-py does not understand the URL.
    """

    def __init__(self, url: str) -> None:
        import redis  # noqa: PLC0415 - see the module
        from redis.backoff import ConstantBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self._errors = redis.RedisError
        self.shown_url = without_password(url)
        if not url.startswith(SCHEMES):
            raise ConfigurationError(
                f"{self.shown_url} is not a Redis URL: it must begin with redis:// or rediss://"
            )
        try:
            # The client connects at its first command. Its pool drops connections that a fork copied.
            self.client: Redis = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                socket_keepalive=True,
                health_check_interval=_HEALTH_CHECK_SECONDS,
                socket_read_size=_READ_BYTES,
                # One retry is enough for a connection that died while it was idle. With redis-py's
                # default of ten, it would take a minute to notice that the broker is down.
                retry=Retry(ConstantBackoff(_RETRY_SECONDS), 1),
            )
            # An unknown option in the URL would otherwise fail only at the first command.
            pool = self.client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError, redis.RedisError) as error:
            raise ConfigurationError(f"{self.shown_url} is not a Redis URL: {error}") from None

    @contextmanager
    def failing_as_unavailable(self) -> Iterator[None]:
        """Turn any error of Redis into `BrokerUnavailableError`, with the URL but without the password.

        Refused commands (out of memory, read-only, loading) count too. Nothing is lost, because the next
        scan of the folder sends again what Redis did not accept.
        """
        try:
            yield
        except self._errors as error:
            raise BrokerUnavailableError(f"Redis at {self.shown_url}: {error}") from error

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.client.close()
