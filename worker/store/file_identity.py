"""Notices that the file of a SQLite store was deleted or replaced while a process uses it.

The system keeps an open file that has no name any more, so everything seems to work, and what is written is
lost when the process ends. Called by `worker.store.engine` and `worker.run.consumer`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from worker.errors import StoreReplacedError


class StoreFile:
    """The file of a store, which must stay the same; without a path, of a store that has no file."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path).absolute()
        self._identity: tuple[int, int] | None = None

    def opened(self) -> None:
        """Remember the file, once it is open; raise `StoreReplacedError` if an earlier one was another."""
        if self._identity is None:
            with suppress(OSError):
                self._identity = self._look()
        self.require_same()

    def require_same(self) -> None:
        """Raise `StoreReplacedError` if the file is no longer the one that was opened."""
        if self._identity is None:
            return
        try:
            found = self._look()
        except OSError:
            return  # the database says what is wrong
        if found == self._identity:
            return
        what, cure = (
            ("deleted", "put it back or restore a backup")
            if found is None
            else ("replaced", "restore the right one without the -wal and -shm of the other")
        )
        raise StoreReplacedError(
            f"the store's file {self._path} was {what} while this process used it: stop the service, "
            f'{cure} (see "Backup and restore" in docs/operating.md), and start it again'
        )

    def _look(self) -> tuple[int, int] | None:
        """Return the device and inode of the file, or None if there is none."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino
