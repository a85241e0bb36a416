"""Takes a batch's bytes from the spool, verifies them, and ingests them, whole or file by file.

When a worker ends, nothing shows which file ended it, but the spool counts what was started. A batch that
was started before and not finished is ingested file by file, so a file that ends a worker does so alone; so
is a batch with a row that the database refuses. A file that was started three times, or whose row is
refused, is refused, and not tried again until it is saved again. Writes nothing itself. Called by
`worker.library.services`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from worker.domain.folder.snapshot import Batch
from worker.domain.seeds.codes import GIVEN_UP, NOT_STORABLE, found
from worker.domain.seeds.problem import Problem
from worker.domain.seeds.visible import one_line
from worker.errors import BrokerUnavailableError, ContentSyncError, RowRefusedError
from worker.ingest.outcomes import WAITING, Outcome
from worker.ingest.spool import Spool

logger = logging.getLogger("content_sync")

#: How often a file's ingest may fail, or end its worker.
MOST_ATTEMPTS = 3
_GIVEN_UP = found(
    GIVEN_UP,
    "processing this file failed, or ended the worker, three times",
    hint="save it to try again, and ask your Content Sync administrator: the log shows what happened",
)

#: Ingests a batch with its bytes; with a problem `hopeless` it refuses the snapshots without reading them.
TakeIn = Callable[..., list[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file of a batch, or one that it has nothing to read of."""

    number: int
    batch: Batch
    data: bytes

    @property
    def path(self) -> str:
        """Return its path."""
        return self.batch.observed_paths[0]


def take_in_claimed(batch: Batch, spool: Spool, take_in: TakeIn) -> list[Outcome] | None:
    """Ingest a batch whose bytes are in the spool, then drop them; return None if they are missing.

    Bytes of a file that waits for an earlier observation stay: the batch is ingested again.

    Raises `ValueError` if the bytes do not match the batch, and what `take_in` raises if the store or the
    broker is unavailable.
    """
    if not batch.snapshots:
        return take_in_each(batch, b"", take_in)
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
        with suppress(RowRefusedError):
            outcomes = _try(batch, data, spool, None, take_in)
    if outcomes is None:
        outcomes = list(_file_by_file(batch, data, spool, take_in))
    if any(outcome.kind == WAITING for outcome in outcomes):
        spool.release(batch.id)
    else:
        spool.drop(batch.id)
    return outcomes


def take_in_each(batch: Batch, data: bytes, take_in: TakeIn) -> list[Outcome]:
    """Ingest a batch; if that fails, ingest each of its files alone, and refuse those that fail again.

    For a batch whose attempts nobody counts. Raises `StoreUnavailableError`.
    """
    try:
        return take_in(batch, data)
    except ContentSyncError as error:
        if not isinstance(error, RowRefusedError):
            raise
        logger.warning("%s: ingesting the files one by one", error)
    except Exception:
        logger.exception("ingesting %s failed", one_line(", ".join(batch.paths), limit=200))
    return [outcome for part in _parts(batch, data) for outcome in _take_in_alone(part, take_in)]


def _take_in_alone(part: _Part, take_in: TakeIn) -> list[Outcome]:
    problem = _GIVEN_UP
    for _ in range(MOST_ATTEMPTS - 1):
        try:
            return take_in(part.batch, part.data)
        except RowRefusedError as error:
            problem = _not_storable(error)
            break
        except ContentSyncError:
            raise
        except Exception:
            logger.exception("ingesting %s failed", one_line(part.path, limit=200))
    return _refuse(part, problem, take_in)


def _refuse(part: _Part, problem: Problem, take_in: TakeIn) -> list[Outcome]:
    """Refuse a file without reading it; if not even that can be stored, say so."""
    path = one_line(part.path, limit=200)
    logger.error("%s: %s: refused", path, problem.message)
    try:
        if part.batch.snapshots:
            return take_in(part.batch, part.data, hopeless=problem)
    except ContentSyncError as error:
        if not isinstance(error, RowRefusedError):
            raise
        logger.error("%s: its refusal cannot be stored: %s", path, error)
    except Exception:
        logger.exception("refusing %s failed", path)
    return [Outcome(path=part.path, kind="failed", problems=(problem,))]


def _not_storable(error: RowRefusedError) -> Problem:
    hint = (
        "change what the message names, and ask your Content Sync administrator: the log shows more"
    )
    return found(NOT_STORABLE, one_line(str(error), limit=300), hint=hint)


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
    parts = list(_parts(replace(batch, unreadable=(), removals=()), data))
    earlier = batch.attempts or 1
    others = replace(batch, snapshots=())
    if others.paths:
        yield from take_in_each(others, b"", take_in)
    for number in spool.unfinished(batch.id, len(parts)):
        part = parts[number]
        outcomes = None
        while outcomes is None:
            if earlier + spool.begin(batch.id, number) >= MOST_ATTEMPTS:
                outcomes = _refuse(part, _GIVEN_UP, take_in)
                continue
            try:
                outcomes = _try(part.batch, part.data, spool, number, take_in)
            except RowRefusedError as error:
                outcomes = _refuse(part, _not_storable(error), take_in)
        if any(outcome.kind == WAITING for outcome in outcomes):
            spool.release(batch.id, number)
        else:
            spool.finish(batch.id, number)
        yield from outcomes


def _parts(batch: Batch, data: bytes) -> Iterator[_Part]:
    """Yield the files of a batch, those with bytes first, in the order of their bytes."""
    start = 0
    nothing = replace(batch, snapshots=(), unreadable=(), removals=())
    for number, snapshot in enumerate(batch.snapshots):
        end = start + snapshot.stamp.size
        one = replace(nothing, snapshots=(snapshot,))
        yield _Part(number=number, batch=one, data=data[start:end])
        start = end
    others = [
        *(replace(nothing, unreadable=(item,)) for item in batch.unreadable),
        *(replace(nothing, removals=(item,)) for item in batch.removals),
    ]
    for number, one in enumerate(others, start=len(batch.snapshots)):
        yield _Part(number=number, batch=one, data=b"")


def _try(
    batch: Batch, data: bytes, spool: Spool, number: int | None, take_in: TakeIn
) -> list[Outcome] | None:
    """Ingest a batch or a part; return None after an unexpected error.

    An unavailable store is not the file's fault, so the attempt does not count. Raises `RowRefusedError`.
    """
    try:
        return take_in(batch, data)
    except RowRefusedError:
        raise
    except ContentSyncError:
        with suppress(BrokerUnavailableError):
            spool.release(batch.id, number)
        raise
    except Exception:
        logger.exception("ingesting %s failed", one_line(", ".join(batch.paths), limit=200))
        return None
