"""Waits for a condition: what every test does in place of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Value = TypeVar("Value")

POLL_SECONDS = 0.01
#: How long every wait lasts at most. It ends at its condition; only a test that fails takes so long,
#: so this is more than the slowest machine needs.
PATIENCE_SECONDS = 300


def wait_until(
    condition: Callable[[], Value],
    *,
    timeout: float = PATIENCE_SECONDS,
    what: str = "the condition",
) -> Value:
    """Return the first true value of `condition`; fail with its last when patience ends."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {timeout} s for {what}; the last value was {value!r}")
        time.sleep(POLL_SECONDS)
