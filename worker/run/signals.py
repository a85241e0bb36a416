"""How a process is told to end: by SIGTERM or SIGINT, which set an event that its loop waits on.

Called by `worker.run.processes`.
"""

from __future__ import annotations

import os
import signal
from _thread import start_new_thread
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import NoReturn


def stop_on_signals() -> Event:
    """Return an event that SIGTERM or SIGINT sets."""
    stop = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        # By a thread: a handler runs in the main thread, which may hold the event's lock just then. The
        # plain one, since `threading` has locks of its own.
        start_new_thread(stop.set, ())

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


@contextmanager
def stopping() -> Iterator[Event]:
    """Give such an event for a while; from then on, until a worker has its own, a signal ends us at once."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        # An exception would be lost where Python is just ending an object.
        os._exit(0)

    try:
        yield stop_on_signals()
    finally:
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
