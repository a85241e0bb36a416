"""What a service in one process has begun, in files beside its database: they outlive the process.

Where a file ends the process, its in-memory spool ends too, and nothing else would tell the next one what
to take care with. Nothing is synced to disk: a crash of the process is meant, not of the machine.
Called by `worker.library.services`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.domain.folder.snapshot import Batch

logger = logging.getLogger("content_sync")


class Begun:
    """The batches that are being taken in, each a file of one folder, safe across threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._suspects = Lock()

    @contextmanager
    def noting(self, batch: Batch) -> Iterator[None]:
        """Note a batch while it is taken in; of those that were begun before, one at a time.

        Otherwise a file that ends the process would drag its innocent neighbours along each time.
        """
        with self._suspects if batch.attempts else nullcontext():
            note = self._folder / f"{batch.id}.json"
            try:
                self._folder.mkdir(exist_ok=True)
                note.write_text(json.dumps(batch.as_json()), encoding="utf-8")
            except OSError as error:  # a full disk: the batch itself will say so
                logger.warning("%s cannot be written: %s", note, error.strerror)
            try:
                yield
            finally:
                with suppress(OSError):
                    note.unlink()

    def left_over(self) -> list[Batch]:
        """Return what the process before had begun and not ended, and forget it."""
        from worker.domain.folder.snapshot import Batch  # noqa: PLC0415

        found = []
        for note in sorted(self._folder.glob("*.json")):
            with suppress(OSError, ValueError):  # a note that was cut off by a crash says nothing
                found.append(Batch.from_json(json.loads(note.read_text(encoding="utf-8"))))
            with suppress(OSError):
                note.unlink()
        return found
