"""Replaces the store by a backup: all of it at one instant, after everything was checked.

Killed at any step it leaves the old store or the new one. The backup is brought to this version's tables,
and an epoch begins, because the store lacks what happened after the backup. Called by the command
`restore-store`.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.errors import AlreadyRunningError, BackupError, StoreUnavailableError
from worker.run.backup import Contents, contents_of, read_contents
from worker.run.only_one import only_one
from worker.settings.model import Settings
from worker.store import backup_postgresql, backup_sqlite, epochs, newest_event
from worker.store.engine import Store, make_folder
from worker.store.migrate import HEAD, find_revision, has_tables, migrate

#: What SQLite says of a store that only a backup can replace.
_DAMAGED = re.compile("malformed|not a database")


def restore_store(
    settings: Settings, file: Path, *, replace: bool, now: datetime
) -> dict[str, Any]:
    """Put a backup in the place of the store; return what it held and the new epoch.

    With `replace`, also in the place of a store that holds something. Raises `BackupError` for a backup that
    does not fit, and `AlreadyRunningError` if a process uses the store.
    """
    contents = read_contents(file)
    store = Store(settings.store_url.value)
    kind = "sqlite" if store.is_sqlite else "postgresql"
    if contents.database != kind:
        raise BackupError(f"{file} is a backup of {contents.database}, but the store is {kind}")
    if contents.revision > HEAD:
        raise BackupError(
            f"{file} belongs to a newer version of Content Sync: it has revision {contents.revision}, and"
            f" this version knows {HEAD}"
        )
    try:
        make_folder(store)
        with only_one(settings):
            _require_fitting(store, contents, file, replace=replace)
            if store.is_sqlite:
                _restore_sqlite(store, file, now=now)
            else:
                _restore_postgresql(store, file)
    finally:
        store.close()
    restored = _finish(settings, now=now)
    return {"file": str(file), "from": contents.as_json(), **restored.as_json()}


def _require_fitting(store: Store, contents: Contents, file: Path, *, replace: bool) -> None:
    """Raise an error unless the store may be replaced by the backup."""
    there = _contents_now(store, replace=replace)
    if there is None:
        return
    if there.revision > HEAD:
        raise BackupError(
            f"the store {store.name} belongs to a newer version of Content Sync: it stays as it is"
        )
    rows = there.rows or {"documents": 1}  # a version that knows no epochs: it is not looked into
    holds = [f"{number:,} {name}" for name, number in rows.items() if number]
    if holds and None not in (names := {there.library, contents.library}) and len(names) == 2:
        raise BackupError(
            f"{file} is a backup of another library ({contents.library}, the store is {there.library}):"
            " restore it into an empty store"
        )
    if holds and not replace:
        raise BackupError(
            f"the store {store.name} is not empty ({', '.join(holds)}): with --replace the backup takes"
            " its place"
        )


def _contents_now(store: Store, *, replace: bool) -> Contents | None:
    """Return what the store holds, or None if there is none, or it is damaged and to be replaced."""
    path = Path(store.url.database or "")
    if store.is_sqlite and (not path.exists() or not path.stat().st_size):
        return None
    try:
        with store.read() as connection:
            if not store.is_sqlite:
                backup_postgresql.require_server(connection)
            if not store.is_sqlite and (number := backup_postgresql.others(connection)):
                raise AlreadyRunningError(
                    f"{number} other connections of Content Sync use the store {store.name}: stop the"
                    " service, and what follows events"
                )
            if find_revision(connection) is None and not has_tables(connection):
                return None
            return contents_of(connection)
    except StoreUnavailableError as error:
        if store.is_sqlite and replace and _DAMAGED.search(str(error)):
            return None
        raise
    finally:
        store.close()


def _restore_sqlite(store: Store, file: Path, *, now: datetime) -> None:
    path = Path(store.url.database or "")
    part = path.with_name(f"{path.name}.restoring")
    try:
        _prepare(file, part, now=now)
        backup_sqlite.take_place(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
            backup_sqlite.remove_beside(part)
        if isinstance(error, OSError | sqlite3.Error | StoreUnavailableError):
            raise BackupError(f"nothing was restored: {error}") from error
        raise


def _prepare(file: Path, part: Path, *, now: datetime) -> None:
    """Make the new store beside the old one: the backup with this version's tables, in a new epoch."""
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    backup_sqlite.copy(file, part, of_backup=True)
    new = Store(f"sqlite:///{part}")
    try:
        migrate(new)
        epochs.begin_restored(new, now=now)
    finally:
        new.close()
    backup_sqlite.settle(part)


def _restore_postgresql(store: Store, file: Path) -> None:
    backup_postgresql.restore(store.url, file)
    migrate(store)


def _finish(settings: Settings, *, now: datetime) -> Contents:
    """Do what every start of the service does, too, if this process does not come so far."""
    new = Store(settings.store_url.value)  # the other one had the file that was replaced
    try:
        epochs.finish_restore(new, now=now)
        newest_event.note(new)
        with new.read() as connection:
            return contents_of(connection)
    finally:
        new.close()
