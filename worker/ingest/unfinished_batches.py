"""Records the batches that a one-process service is ingesting, in files next to its database.

If a seed ends the process, the in-memory spool is lost too; these files show the next process which
batches need care. They are not synced to disk, because they protect against a crash of the process, not
of the machine. Called by `worker.library.services`.
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


class UnfinishedBatches:
    """The batches that are being ingested, each a file in one folder. Safe across threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._suspects = Lock()

    @contextmanager
    def noting(self, batch: Batch) -> Iterator[None]:
        """Record a batch while it is ingested. Batches with earlier attempts run one at a time.

        Otherwise a file that ends the process would count against the files beside it each time.
        """
        with self._suspects if batch.attempts else nullcontext():
            note = self._folder / f"{batch.id}.json"
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                note.write_text(json.dumps(batch.as_json()), encoding="utf-8")
            except OSError as error:  # a full disk: the batch itself fails and reports it
                logger.warning("%s cannot be written: %s", note, error.strerror)
            try:
                yield
            finally:
                with suppress(OSError):
                    note.unlink()

    def pop_all(self) -> list[Batch]:
        """Return the batches that an earlier process did not finish, and delete their files."""
        from worker.domain.folder.snapshot import Batch  # noqa: PLC0415

        found = []
        for note in sorted(self._folder.glob("*.json")):
            with suppress(OSError, ValueError):  # a crash may leave an incomplete file
                found.append(Batch.from_json(json.loads(note.read_text(encoding="utf-8"))))
            with suppress(OSError):
                note.unlink()
        return found
