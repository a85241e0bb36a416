"""What two texts begin and end with alike, in a few slice comparisons. Called by the comparisons."""

from __future__ import annotations

from typing import TypeVar

Text = TypeVar("Text", str, bytes)

_STEP = 1 << 16


def common_start(old: Text, new: Text) -> int:
    """Return how many characters or bytes both texts begin with."""
    most = min(len(old), len(new))
    equal, step = 0, _STEP
    while step:
        while equal + step <= most and old[equal : equal + step] == new[equal : equal + step]:
            equal += step
        step >>= 1
    return equal


def common_end(old: Text, new: Text, most: int) -> int:
    """Return how many characters or bytes, at most `most`, both texts end with."""
    i, j = len(old), len(new)
    most = min(most, i, j)
    equal, step = 0, _STEP
    while step:
        while (
            equal + step <= most
            and old[i - equal - step : i - equal] == new[j - equal - step : j - equal]
        ):
            equal += step
        step >>= 1
    return equal
