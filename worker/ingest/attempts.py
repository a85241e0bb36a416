"""Takes a batch's bytes from the spool, verifies them, and ingests them, whole or file by file.

When a worker ends, nothing shows which file ended it, but the spool counts what was started. A batch that
was started before and not finished is ingested file by file, so a file that ends a worker does so alone.
A file that was started three times is refused, and not tried again until it is saved again. Writes
nothing itself. Called by `worker.library.services`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from worker.domain.folder.snapshot import Batch, Snapshot
from worker.domain.seeds.visible import one_line
from worker.errors import BrokerUnavailableError, ContentSyncError
from worker.ingest.outcomes import WAITING, Outcome
from worker.ingest.spool import Spool

logger = logging.getLogger("content_sync")

#: How often a file's ingest may fail, or end its worker.
MOST_ATTEMPTS = 3

#: Ingests a batch with its bytes; with `hopeless` it refuses the snapshots without reading them.
TakeIn = Callable[..., list[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file of a batch."""

    number: int
    batch: Batch
    data: bytes


def take_in_claimed(batch: Batch, spool: Spool, take_in: TakeIn) -> list[Outcome] | None:
    """Ingest a batch whose bytes are in the spool, then drop them; return None if they are missing.

    Bytes of a file that waits for an earlier observation stay: the batch is ingested again.

    Raises `ValueError` if the bytes do not match the batch, and what `take_in` raises if the store or the
    broker is unavailable.
    """
    if not batch.snapshots:
        return take_in(batch, b"")
    earlier_attempts = spool.begin(batch.id)
    data = spool.get(batch.id)
    if data is None:
        spool.drop(batch.id)
        return None
    try:
        require_bytes_of(batch, data)
    except ValueError:
        spool.release(batch.id)  # it was not tried
        raise
    outcomes = None
    if not earlier_attempts and not batch.attempts:
        outcomes = _try(batch, data, spool, None, take_in)
    if outcomes is None:
        outcomes = list(_file_by_file(batch, data, spool, take_in))
    if any(outcome.kind == WAITING for outcome in outcomes):
        spool.release(batch.id)
    else:
        spool.drop(batch.id)
    return outcomes


def require_bytes_of(batch: Batch, data: bytes) -> None:
    """Raise `ValueError` unless the bytes match the hashes in the batch's message."""
    if len(data) != batch.size:
        raise ValueError(f"batch {batch.id} has {len(data)} bytes in the spool, not {batch.size}")
    view, start = memoryview(data), 0
    for snapshot in batch.snapshots:
        end = start + snapshot.stamp.size
        if sha256(view[start:end]).hexdigest() != snapshot.sha256:
            raise ValueError(f"batch {batch.id} has other bytes in the spool for {snapshot.path!r}")
        start = end


def _file_by_file(batch: Batch, data: bytes, spool: Spool, take_in: TakeIn) -> Iterator[Outcome]:
    """Ingest each file by itself, those with the fewest attempts first."""
    parts = list(_parts(batch, data))
    earlier = batch.attempts or 1
    others = replace(batch, snapshots=())
    if others.paths:
        yield from take_in(others, b"")
    for number in spool.unfinished(batch.id, len(parts)):
        part = parts[number]
        outcomes = None
        while outcomes is None:
            if earlier + spool.begin(batch.id, number) >= MOST_ATTEMPTS:
                path = one_line(part.batch.snapshots[0].path, limit=200)
                logger.error("%s failed or ended its worker %d times: refused", path, MOST_ATTEMPTS)
                outcomes = take_in(part.batch, part.data, hopeless=True)
            else:
                outcomes = _try(part.batch, part.data, spool, number, take_in)
        if any(outcome.kind == WAITING for outcome in outcomes):
            spool.release(batch.id, number)
        else:
            spool.finish(batch.id, number)
        yield from outcomes


def _parts(batch: Batch, data: bytes) -> Iterator[_Part]:
    start = 0
    snapshots: tuple[Snapshot, ...] = batch.snapshots
    for number, snapshot in enumerate(snapshots):
        end = start + snapshot.stamp.size
        one = replace(batch, snapshots=(snapshot,), unreadable=(), removals=())
        yield _Part(number=number, batch=one, data=data[start:end])
        start = end


def _try(
    batch: Batch, data: bytes, spool: Spool, number: int | None, take_in: TakeIn
) -> list[Outcome] | None:
    """Ingest a batch or a part; return None after an unexpected error.

    An unavailable store is not the file's fault, so the attempt does not count.
    """
    try:
        return take_in(batch, data)
    except ContentSyncError:
        with suppress(BrokerUnavailableError):
            spool.release(batch.id, number)
        raise
    except Exception:
        logger.exception("ingesting %s failed", one_line(", ".join(batch.paths), limit=200))
        return None
