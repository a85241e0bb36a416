"""Find the common start and end of two texts with a few slice comparisons. Called by the comparisons."""

from __future__ import annotations

from typing import TypeVar

Text = TypeVar("Text", str, bytes)

_LEAST_STEP = 1 << 6
_MOST_STEP = 1 << 16


def common_start(old: Text, new: Text, i: int = 0, j: int = 0) -> int:
    """Return how many characters or bytes are equal from `i` in one text and `j` in the other."""
    most = min(len(old) - i, len(new) - j)
    equal, step, growing = 0, _LEAST_STEP, True
    while step:
        if equal + step <= most and (
            old[i + equal : i + equal + step] == new[j + equal : j + equal + step]
        ):
            equal += step
            if growing and step < _MOST_STEP:
                step <<= 1
        else:
            growing = False
            step >>= 1
    return equal


def common_end(old: Text, new: Text, most: int) -> int:
    """Return how many characters or bytes are equal at the end of both texts, at most `most`."""
    i, j = len(old), len(new)
    most = min(most, i, j)
    equal, step = 0, _MOST_STEP
    while step:
        while (
            equal + step <= most
            and old[i - equal - step : i - equal] == new[j - equal - step : j - equal]
        ):
            equal += step
        step >>= 1
    return equal
