"""A process that is told to end does so, whatever it was about to do when the signal came."""

from __future__ import annotations

import os
import signal

import pytest

from worker.stopping import stop_on_signals, stopping


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
    assert stop.wait(10)


@pytest.mark.timeout(20)
def test_a_signal_that_comes_while_the_event_is_locked_holds_nobody_up():
    """The main thread holds that lock for a moment each time it begins to wait."""
    stop = stop_on_signals()
    with stop._cond:
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(10)


def test_later_a_signal_ends_the_process():
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10)
    with pytest.raises(SystemExit, match="0"):
        os.kill(os.getpid(), signal.SIGTERM)
