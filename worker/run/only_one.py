"""Locks an embedded store, so that a second `up` on the same SQLite file ends at once.

Called by `worker.run.processes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from worker.errors import AlreadyRunningError, ConfigurationError
from worker.settings.model import Settings
from worker.store.engine import Store


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the store's lock file. Two embedded services on one store would do everything twice.

    Raises `AlreadyRunningError` if another process holds it, `ConfigurationError` if it cannot be written.
    """
    store = Store(settings.store_url.value)
    if not store.is_sqlite:
        yield
        return
    path = Path(f"{store.url.database}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunningError(
            f"another `content-sync up` is running on {store.url.database} (it holds {path})"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
