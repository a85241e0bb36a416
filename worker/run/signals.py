"""Turns SIGTERM and SIGINT into an event on which a process's loop waits.

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
        # In a thread: a handler runs in the main thread, which may hold the event's lock at that moment.
        # A plain one, because `threading.Thread` takes locks too.
        start_new_thread(stop.set, ())

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


@contextmanager
def stopping() -> Iterator[Event]:
    """Give such an event for a while; afterwards a signal ends the process at once."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        # An exception would be lost while Python finalises an object.
        os._exit(0)

    try:
        yield stop_on_signals()
    finally:
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
