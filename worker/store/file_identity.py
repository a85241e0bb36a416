"""Notices that the file of a SQLite store was deleted or replaced, while a process uses it or before.

The system keeps an open file that has no name any more, so everything seems to work, and what is written is
lost when the process ends. A process that was killed leaves a `-wal` beside the file, and SQLite writes its
pages into whichever file it finds there, also into a backup. Called by `worker.store.engine` and
`worker.run.consumer`.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from worker.errors import StoreReplacedError

_REFERENCES = "PRAGMA foreign_key_check"


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
        """Raise `StoreReplacedError` if the file is no longer the one that was opened.

        Before it is opened: if the file is damaged together with the `-wal` beside it.
        """
        if self._identity is None:
            if self._path is not None:
                _require_own_wal(self._path)
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


def _require_own_wal(path: Path) -> None:
    """Raise `StoreReplacedError` if a file that changed after its `-wal` is damaged together with it.

    Reads both and changes neither: an ordinary connection writes the `-wal` into the file when it closes.
    """
    import sqlite3  # noqa: PLC0415 - only a store that has a file needs it

    wal = Path(f"{path}-wal")
    try:
        left = wal.stat()
        if not left.st_size or path.stat().st_ctime_ns < left.st_mtime_ns:
            return  # a copy or a rename of another file would be newer
    except OSError:
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as both:
            sound = both.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            if sound and both.execute(_REFERENCES).fetchone() is None:
                return
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as alone:
            if sound and alone.execute(_REFERENCES).fetchone() is not None:
                return  # somebody deleted a row by hand, and `verify` says so
    except sqlite3.OperationalError:
        return  # the database says what is wrong
    except sqlite3.DatabaseError:
        pass  # too damaged for a check
    raise StoreReplacedError(
        f"the store's file {path} is damaged together with {wal}, which may be left from the file that was "
        f"here before: stop the service, move {wal.name} and {path.name}-shm away, and start it again; if it "
        'is damaged without them, too, restore a backup (see "Backup and restore" in docs/operating.md)'
    )
