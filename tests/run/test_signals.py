"""A process that gets a signal to end does so, whatever it was doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from support.waiting import PATIENCE_SECONDS

from worker.run.signals import stop_on_signals


@pytest.fixture(autouse=True)
def handlers():
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event(number):
    stop = stop_on_signals()
    os.kill(os.getpid(), number)
    assert stop.wait(PATIENCE_SECONDS)


def test_a_signal_during_the_lock_of_the_event_blocks_nothing():
    """The main thread holds that lock for a moment each time it begins to wait."""
    stop = stop_on_signals()
    with stop._cond:
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(PATIENCE_SECONDS)


#: An exception of a handler would be ignored in there, as it is in a weak reference's callback.
LATER = """
import os, signal
from worker.run.signals import stopping
with stopping() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(300)
class Ending:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
ending = Ending()
del ending
raise SystemExit("still here")
"""


def test_a_later_signal_ends_the_process_at_once():
    done = subprocess.run([sys.executable, "-c", LATER], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
