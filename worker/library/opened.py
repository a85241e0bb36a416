"""Opens the library for one command, with the real clock: to read it, or to change it.

A command that only reads does not import the ingest, the sweep or the delivery. Called by `worker.cli`
and `worker.run.processes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from worker.library.reader import Reader
from worker.settings.model import Settings
from worker.store.migrate import require_schema

if TYPE_CHECKING:
    from worker.library.services import Services


Opened = TypeVar("Opened", bound=Reader)


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


@contextmanager
def open_reader(settings: Settings) -> Iterator[Reader]:
    """Yield a reader of a store that has this version's tables.

    Raises `StoreUnavailableError` if the store is missing, unavailable or not migrated.
    """
    with _ready(Reader(settings, now=utc_now)) as reader:
        yield reader


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Yield the services over a store that has this version's tables; raises as `open_reader` does."""
    from worker.library.services import Services

    with _ready(Services(settings, now=utc_now)) as services:
        yield services


@contextmanager
def _ready(reader: Opened) -> Iterator[Opened]:
    try:
        require_schema(reader.store)
        yield reader
    finally:
        reader.close()
