"""Two words of the watcher: the lane that a path's batch travels by, and what came of reading the path.

Apart from `worker.watch.feed`, which loads all that reads seeds.
"""

from __future__ import annotations

from enum import Enum


class Lane(Enum):
    """The queue of a batch: live edits and retractions, or the load of many files."""

    LIVE = "live"
    BULK = "bulk"


class Reading(Enum):
    """What came of reading a path."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"
    SAME = "same"
    BUSY = "busy"
    IGNORED = "ignored"
    ABSENT = "absent"
    UNSURE = "unsure"  # it may continue a document that is gone: take it again after the others
