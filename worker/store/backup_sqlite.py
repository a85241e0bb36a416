"""Copies a SQLite store into one file and back: SQLite's backup API, which takes one view of the store.

A copy is a SQLite database that anybody can open: nothing is beside it, and it is not in WAL mode. The store
changes at one instant, when the file takes its place. Called by `worker.run.backup` and
`worker.run.restore_store`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DatabaseError

from worker.errors import AlreadyRunningError, BackupError
from worker.store.engine import LOCK_WAIT_SECONDS

_HEADER = b"SQLite format 3\0"
#: How to open a file that nobody changes: SQLite then puts nothing beside it.
_UNCHANGED = "mode=ro&immutable=1"
_BESIDE = ("-wal", "-shm", "-journal")


def is_copy(file: Path) -> bool:
    """Return whether a file begins as a SQLite database does."""
    with file.open("rb") as opened:
        return opened.read(len(_HEADER)) == _HEADER


def copy(source: Path, part: Path, *, of_backup: bool = False) -> None:
    """Copy a database into a file that is empty, as it is at one instant; others may go on writing.

    `of_backup`: nobody writes, and the folder of the source may be read-only.
    """
    remove_beside(part)
    with (
        closing(_connect(source, _UNCHANGED if of_backup else "mode=rw")) as store,
        closing(sqlite3.connect(part, isolation_level=None)) as target,
    ):
        store.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def opened(file: Path) -> Iterator[Connection]:
    """Yield a connection that reads a whole copy; raise `BackupError` if it is damaged or not whole."""
    if (wal := Path(f"{file}-wal")).exists() and wal.stat().st_size:
        raise BackupError(
            f"{file} is not whole: {wal.name} beside it has the last changes; copy the store with"
            " `content-sync backup`"
        )
    engine = create_engine("sqlite://", creator=lambda: _connect(file, _UNCHANGED))
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            if found != "ok":
                raise BackupError(f"{file} is damaged or not whole: {found}")
            yield connection
    except DatabaseError as error:
        raise BackupError(f"{file} is damaged or not whole: {error.orig}") from error
    finally:
        engine.dispose()


def settle(part: Path) -> None:
    """Put all of a database into its one file, on the disk."""
    with closing(sqlite3.connect(part, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    remove_beside(part)
    sync(part)


def take_place(part: Path, path: Path) -> None:
    """Put a settled database in the place of a store, at one instant; keep the mode and owner of the file.

    Raises `AlreadyRunningError` if a process uses the store.
    """
    with _alone(path):
        with suppress(FileNotFoundError):
            before = path.stat()
            part.chmod(stat.S_IMODE(before.st_mode))
            with suppress(PermissionError):
                os.chown(part, before.st_uid, before.st_gid)
        remove_beside(path)
        part.replace(path)
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk."""
    opened_path = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened_path)
    finally:
        os.close(opened_path)


def remove_beside(path: Path) -> None:
    """Remove what SQLite keeps beside a database: of another one it would spoil this one."""
    for suffix in _BESIDE:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a store that no other process has open, with all of it in its one file; pass a damaged one."""
    if not path.exists():
        yield
        return
    database = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        try:
            database.execute("PRAGMA journal_mode = DELETE")  # only if nobody else has it open
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise AlreadyRunningError(
                f"another process uses the store {path} ({error}): stop the service, and what follows events"
            ) from error
        except sqlite3.DatabaseError:
            pass  # it is damaged, so nobody works with it
        yield
    finally:
        database.close()


def _connect(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?{options}", uri=True, timeout=LOCK_WAIT_SECONDS
    )
