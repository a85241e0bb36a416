"""The cost of work, counted in lines of Python that run: load on the machine does not change it.

A loop in C counts as one line: texts that a search could be slow on are so long in the tests that one
of quadratic cost would not end before the limit of the test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest


def steps_of(work: Callable[[], object], *, most: float) -> int:
    """Return how many lines some work runs in this thread, those of libraries included.

    Fails as soon as there are more than `most`.
    """
    steps = 0

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal steps
        steps += event == "line"
        if steps > most:
            pytest.fail(f"it runs more than {most:,} lines of Python")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps
