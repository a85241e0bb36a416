"""Two enums of the watcher: the lane of a path's batch, and the result of reading the path.

They are not in `worker.watch.feed`, because importing that loads the parsers of seeds.
"""

from __future__ import annotations

from enum import Enum


class Lane(Enum):
    """The queue of a batch: live edits and retractions, or a bulk load."""

    LIVE = "live"
    BULK = "bulk"


class Reading(Enum):
    """The result of reading a path."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"
    SAME = "same"
    AGAIN = "again"  # the same content, which is judged again
    BUSY = "busy"
    IGNORED = "ignored"
    ABSENT = "absent"
    FAILED = "failed"  # for an unforeseen reason: the next scan tries again
    UNSURE = "unsure"  # it may continue a missing document: read it again after the others
