"""The newest event of a SQLite store in a file beside it: proof from outside that a backup was restored.

The file has the checkpoint of the newest event, written after its commit, so the store is never older than
the file. If it is, somebody put a backup in its place. A PostgreSQL store has no such file: there the stream
of events is the proof (`worker.messages.publish`). Called by `worker.library.services` and
`worker.run.restore_store`.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from worker.atomic_write import replace_whole
from worker.domain.folder.chain import Checkpoint, read_checkpoint
from worker.store import chain, epochs
from worker.store.engine import Store

logger = logging.getLogger("content_sync.store")


def file_beside(store: Store) -> Path | None:
    """Return the file of a SQLite store, or None."""
    return Path(f"{store.url.database}.newest-event") if store.is_sqlite else None


def compare(store: Store, *, now: datetime) -> None:
    """Begin an epoch if the file names an event that the store does not have, and write the newest.

    Commits. `now` is aware.
    """
    path = file_beside(store)
    if path is None:
        return
    kept = _read(path)
    with store.read() as connection:
        epoch = epochs.current(connection)
        lost = kept is not None and chain.hash_of(connection, kept.event) != kept.hash
        if lost and kept is not None and kept.epoch != epoch.epoch:
            known = {one.epoch for one in epochs.list_epochs(connection)}
            lost = kept.epoch not in known  # else the epoch has begun that says so
    if lost and kept is not None:
        logger.warning(
            "a backup was restored: %s names event %d of epoch %s, which the store does not have;"
            " a new epoch begins",
            path,
            kept.event,
            kept.epoch,
        )
        epochs.begin(store, instead_of=epoch.epoch, reason=epochs.FOUND, after_event=0, now=now)
    note(store)


def note(store: Store) -> None:
    """Write the newest event into the file, unless it is there already."""
    path = file_beside(store)
    if path is None:
        return
    with store.read() as connection:
        newest = epochs.checkpoint(connection)
    if newest is not None and newest != _read(path):
        _write(path, newest)


def _read(path: Path) -> Checkpoint | None:
    with suppress(OSError, ValueError):  # a file that cannot be read proves nothing
        return read_checkpoint(path.read_text("ascii"))
    return None


def _write(path: Path, newest: Checkpoint) -> None:
    with suppress(OSError):  # a full disk, for one: the next time writes it
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            replace_whole(folder, path.name, f"{newest}\n".encode("ascii"))
        finally:
            os.close(folder)
