"""Asks the store beside a command that needs none, if there is one. Called by `validate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from worker.errors import ContentSyncError

if TYPE_CHECKING:
    from worker.library.reader import Reader
    from worker.settings.model import Settings

Answer = TypeVar("Answer")


def ask_store(settings: Settings, question: Callable[[Reader], Answer]) -> Answer | None:
    """Return the answer of the store, or None if it is missing, unavailable or not migrated.

    An SQLite store that does not exist costs nothing: its libraries are not imported.
    """
    scheme, _, file = settings.store_url.value.partition(":///")
    if scheme.startswith("sqlite") and not Path(file).exists():
        return None
    from worker.library.opened import open_reader

    try:
        with open_reader(settings) as reader:
            return question(reader)
    except ContentSyncError:
        return None
