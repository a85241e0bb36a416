"""The in-process broker: kombu's in-memory transport, which wakes its consumer when a message comes.

kombu's own looks for messages at intervals: 5 ms took 2% of a core, and half of them from each edit.
Named by `worker.run.tasks`, and imported where there is no Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import Any, ClassVar

from kombu.transport import memory


class Channel(memory.Channel):
    """Tells when a consumer may go on: there is a message, or an answer to one has made room for it."""

    changed: ClassVar[Condition] = Condition()  # of all channels, as their queues are
    changes: ClassVar[int] = 0
    patient: ClassVar[bool] = True

    def _put(self, *arguments: Any, **options: Any) -> None:
        super()._put(*arguments, **options)
        self.tell()

    def basic_ack(self, *arguments: Any, **options: Any) -> None:
        """Acknowledge a message."""
        super().basic_ack(*arguments, **options)
        self.tell()

    def basic_reject(self, *arguments: Any, **options: Any) -> None:
        """Reject a message."""
        super().basic_reject(*arguments, **options)
        self.tell()

    @staticmethod
    def tell() -> None:
        """Wake the consumers that wait."""
        with Channel.changed:
            Channel.changes += 1
            Channel.changed.notify_all()


class Transport(memory.Transport):
    """Waits for a change where kombu's own sleeps for a while."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Deliver one message; raise `TimeoutError` when none came within so many seconds."""
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
    """Meanwhile no consumer waits for a message: one that ends would do so twice, for two seconds each."""
    Channel.patient = False
    Channel.tell()
    try:
        yield
    finally:
        Channel.patient = True
