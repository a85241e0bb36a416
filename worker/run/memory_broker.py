"""The in-process broker: kombu's in-memory transport, which wakes its consumer when a message arrives.

kombu's own transport polls: every 5 ms costs 2% of a core, and delays each edit by half of that on average.
`worker.run.celery_settings` names it; it is imported only where there is no Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import Any, ClassVar

from kombu.transport import memory


class Channel(memory.Channel):
    """Wakes consumers when they may go on: a message arrived, or an acknowledgement made room for one."""

    changed: ClassVar[Condition] = Condition()  # of all channels, as their queues are
    changes: ClassVar[int] = 0
    patient: ClassVar[bool] = True

    def _put(self, *arguments: Any, **options: Any) -> None:
        super()._put(*arguments, **options)
        self.wake()

    def basic_ack(self, *arguments: Any, **options: Any) -> None:
        """Acknowledge a message."""
        super().basic_ack(*arguments, **options)
        self.wake()

    def basic_reject(self, *arguments: Any, **options: Any) -> None:
        """Reject a message."""
        super().basic_reject(*arguments, **options)
        self.wake()

    @staticmethod
    def wake() -> None:
        """Wake the waiting consumers."""
        with Channel.changed:
            Channel.changes += 1
            Channel.changed.notify_all()


class Transport(memory.Transport):
    """Waits for a change where kombu's own transport sleeps."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Deliver one message; raise `TimeoutError` if none arrives within `timeout` seconds."""
        until = None if timeout is None else monotonic() + timeout
        while True:
            seen = Channel.changes
            try:
                super().drain_events(connection, timeout=0, **options)
            except TimeoutError:
                left = None if until is None else until - monotonic()
                with Channel.changed:
                    if not Channel.patient:
                        raise
                    if Channel.changes == seen and not Channel.changed.wait(left):
                        raise
            else:
                return


@contextmanager
def impatient() -> Iterator[None]:
    """Let no consumer wait for a message: one that stops would wait twice, for two seconds each time."""
    Channel.patient = False
    Channel.wake()
    try:
        yield
    finally:
        Channel.patient = True
