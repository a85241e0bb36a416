"""Keeps an unforeseen error with one path to that path: it is logged and named, and the others go on.

An error of the store or the broker passes, and so does one that keeps a batch from being sent: neither is
the fault of the path that is being read. Called by the watcher's intake; `sync` reports such files itself.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from worker.domain.seeds.visible import one_line
from worker.errors import ContentSyncError

logger = logging.getLogger("content_sync.watch")

_MOST_NAMED = 5
_MOST_CHARACTERS = 200


class UnsentError(Exception):
    """Something unforeseen kept a batch from being sent; the cause says what."""


@contextmanager
def sending() -> Iterator[None]:
    """Raise `UnsentError` for an unforeseen error in this block; used as a decorator, in this function."""
    try:
        yield
    except ContentSyncError:
        raise
    except Exception as error:
        raise UnsentError("a batch could not be sent") from error


def in_words(error: Exception) -> str:
    """Return an error in one short line."""
    return one_line(f"{type(error).__name__}: {error}", limit=_MOST_CHARACTERS)


class Failures:
    """The paths that could not be read for an unforeseen reason, with their last errors."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def add(self, path: str, error: Exception) -> None:
        """Remember an error, and log it with its traceback if it is another than the path's last one."""
        words = in_words(error)
        if self._errors.get(path) != words:
            shown = one_line(path, limit=_MOST_CHARACTERS)
            logger.error("reading %s failed: the other files go on", shown, exc_info=error)
        self._errors[path] = words

    def forget(self, path: str) -> None:
        """Forget a path that was read."""
        self._errors.pop(path, None)

    def keep(self, paths: Collection[str]) -> None:
        """Forget all paths but these."""
        self._errors = {path: words for path, words in self._errors.items() if path in paths}

    def __bool__(self) -> bool:
        """Return whether there is one."""
        return bool(self._errors)

    def as_json(self) -> dict[str, Any]:
        """Return their number, and the first of them with their errors."""
        first = dict(sorted(self._errors.items())[:_MOST_NAMED])
        return {"number": len(self._errors), "first": first}
