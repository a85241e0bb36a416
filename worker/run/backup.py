"""Copies the store into one file while the service runs, and says what the file holds.

The file appears whole or not at all, and only its owner may read it. Called by the command `backup`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.errors import BackupError
from worker.settings.model import Settings
from worker.store import backup_postgresql, backup_sqlite, epochs, evidence
from worker.store.engine import Connection, Store
from worker.store.migrate import find_revision, has_table, require_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup holds. A backup of an older version names no library, and no newest event."""

    database: str  # sqlite, postgresql
    revision: str
    library: str | None = None
    epoch: str | None = None
    checkpoint: str | None = None
    rows: dict[str, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the commands print it."""
        return asdict(self)


def back_up(settings: Settings, file: Path) -> dict[str, Any]:
    """Copy the store into a new file; return what it holds. Raises `BackupError` if that fails."""
    if file.exists() or file.is_symlink():
        raise BackupError(f"{file} exists already: name a new file")
    store = Store(settings.store_url.value)
    try:
        require_schema(store)
        with _written_whole(file) as part:
            if store.is_sqlite:
                backup_sqlite.copy(Path(store.url.database or ""), part)
                contents = read_contents(part)
            else:
                with store.read() as connection:
                    contents = contents_of(connection)
                    backup_postgresql.dump(connection, store.url, part)
                backup_postgresql.require_whole(part)
    finally:
        store.close()
    return {"file": str(file), "bytes": file.stat().st_size} | contents.as_json()


def read_contents(file: Path) -> Contents:
    """Return what a backup holds; raise `BackupError` unless it is a whole one."""
    try:
        if backup_sqlite.is_copy(file):
            with backup_sqlite.opened(file) as connection:
                return contents_of(connection)
        if not backup_postgresql.is_copy(file):
            raise BackupError(f"{file} is no backup of Content Sync, or not a whole one")
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror}") from error
    backup_postgresql.require_whole(file)
    revisions = backup_postgresql.rows_of(file, "alembic_version")
    if not revisions:
        raise BackupError(f"{file} is no backup of Content Sync")
    newest = max(
        backup_postgresql.rows_of(file, "epochs"), key=lambda row: int(row["number"]), default=None
    )
    return Contents(
        database="postgresql",
        revision=revisions[0]["version_num"],
        library=newest["library"] if newest is not None else None,
        epoch=newest["epoch"] if newest is not None else None,
    )


def contents_of(connection: Connection) -> Contents:
    """Return what a database holds; raise `BackupError` if it is not one of Content Sync."""
    database, revision = connection.dialect.name, find_revision(connection)
    if revision is None or not has_table(connection, "documents"):
        raise BackupError("the database is not one of Content Sync: it has other tables, or none")
    if not has_table(connection, "epochs"):
        return Contents(database=database, revision=revision)
    epoch, newest = epochs.current(connection), epochs.checkpoint(connection)
    return Contents(
        database=database,
        revision=revision,
        library=epoch.library,
        epoch=epoch.epoch,
        checkpoint=str(newest) if newest is not None else None,
        rows=evidence.count_rows(connection),
    )


@contextmanager
def _written_whole(file: Path) -> Iterator[Path]:
    """Yield an empty file that only we may read, and give it the name in the end; remove it after an error.

    What a killed process left is used again. Raises `BackupError` if another process writes it.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        opened = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError(f"another process is writing {file}") from None
        if not part.exists() or part.stat().st_ino != os.fstat(opened).st_ino:
            raise BackupError(f"another process has just written {file}")
        try:
            os.fchmod(opened, 0o600)
            os.ftruncate(opened, 0)
            yield part
            backup_sqlite.sync(part)
            part.replace(file)
            backup_sqlite.sync(file.parent)
        except BaseException as error:
            with suppress(OSError):
                part.unlink()
            backup_sqlite.remove_beside(part)
            if isinstance(error, OSError | sqlite3.Error):
                raise BackupError(f"{file} cannot be written: {error}") from error
            raise
    finally:
        os.close(opened)
