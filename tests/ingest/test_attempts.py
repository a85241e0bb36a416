"""A batch out of the spool: its bytes match its message, and a file that was tried too often is refused."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from support.seeds import a_seed

from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Stamp
from worker.errors import StoreUnavailableError
from worker.ingest.attempts import MOST_ATTEMPTS, require_bytes_of, take_in_claimed
from worker.ingest.outcomes import Outcome
from worker.ingest.spool import MemorySpool, RedisSpool


@pytest.fixture(params=["memory", "redis"])
def spool(request):
    if request.param == "memory":
        yield MemorySpool()
        return
    spool = RedisSpool(request.getfixturevalue("redis_url"), spool_seconds=3600)
    yield spool
    spool.close()


class Ingest:
    """Takes in nothing, notes what it was given, and fails or dies where the test says so."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []
        self.refused: list[str] = []
        self.kills: set[str] = set()
        self.fails: set[str] = set()
        self.store_is_away = False

    def __call__(self, batch: Batch, data: bytes, *, hopeless: bool = False) -> list[Outcome]:
        paths = [snapshot.path for snapshot in batch.snapshots]
        if hopeless:
            self.refused += paths
            return []
        self.given.append(batch.paths)
        if self.store_is_away:
            raise StoreUnavailableError("no database")
        if self.kills & set(paths):
            raise Death
        if self.fails & set(paths):
            raise LookupError("nobody thought of that")
        return [Outcome(path=path, kind="new") for path in batch.paths]


class Death(BaseException):
    """Ends a process: nothing of it is caught."""


@pytest.fixture
def ingest() -> Ingest:
    return Ingest()


def a_batch(*paths: str, **fields) -> tuple[Batch, bytes]:
    contents = {path: a_seed(title=path).encode() for path in paths}
    snapshots = tuple(
        Snapshot(
            path=path,
            stamp=Stamp(size=len(data), mtime_ns=1, inode=1),
            sha256=hashlib.sha256(data).hexdigest(),
            observed=1,
        )
        for path, data in contents.items()
    )
    batch = Batch(id=uuid.uuid4().hex, snapshots=snapshots, **fields)
    return batch, b"".join(contents.values())


def put(spool, batch: Batch, data: bytes) -> None:
    spool.put(batch.id, data)


def claim_until_it_ends(batch: Batch, spool, ingest: Ingest) -> int:
    """Hand a batch out again each time its process has died; return how often it died."""
    for deaths in range(20):
        try:
            take_in_claimed(batch, spool, ingest)
        except Death:
            continue
        return deaths
    pytest.fail("it died twenty times")


def test_a_batch_is_ingested_whole_and_then_forgotten(spool, ingest):
    batch, data = a_batch("a.md", "b.md")
    put(spool, batch, data)
    outcomes = take_in_claimed(batch, spool, ingest)
    assert [o.path for o in outcomes] == ["a.md", "b.md"]
    assert ingest.given == [["a.md", "b.md"]]
    assert take_in_claimed(batch, spool, ingest) is None
    assert spool.outstanding() == 0
    assert not spool.was_started(batch.id)


def test_a_file_that_kills_is_tried_three_times_and_no_other_is_refused(spool, ingest):
    batch, data = a_batch("a.md", "b.md", "deadly.md", "d.md", "e.md")
    put(spool, batch, data)
    ingest.kills = {"deadly.md"}
    assert claim_until_it_ends(batch, spool, ingest) == MOST_ATTEMPTS
    assert ingest.refused == ["deadly.md"]
    assert sum("deadly.md" in given for given in ingest.given) == MOST_ATTEMPTS
    alone = [given[0] for given in ingest.given if len(given) == 1]
    assert [path for path in alone if path != "deadly.md"] == ["a.md", "b.md", "d.md", "e.md"]


def test_a_file_that_fails_is_tried_three_times_at_once(spool, ingest, caplog):
    batch, data = a_batch("a.md", "b.md")
    put(spool, batch, data)
    ingest.fails = {"a.md"}
    outcomes = take_in_claimed(batch, spool, ingest)
    assert [o.path for o in outcomes] == ["b.md"]
    assert ingest.refused == ["a.md"]
    assert caplog.text.count("LookupError: ") == MOST_ATTEMPTS


def test_attempts_of_earlier_batches_count(spool, ingest):
    batch, data = a_batch("a.md", attempts=MOST_ATTEMPTS - 1)
    put(spool, batch, data)
    ingest.kills = {"a.md"}
    assert claim_until_it_ends(batch, spool, ingest) == 1
    assert ingest.refused == ["a.md"]


def test_an_unreachable_store_is_not_an_attempt(spool, ingest):
    batch, data = a_batch("a.md", "b.md")
    put(spool, batch, data)
    ingest.store_is_away = True
    for _ in range(2 * MOST_ATTEMPTS):
        with pytest.raises(StoreUnavailableError):
            take_in_claimed(batch, spool, ingest)
        assert not spool.was_started(batch.id)
    ingest.store_is_away = False
    take_in_claimed(batch, spool, ingest)
    assert ingest.refused == []
    assert ingest.given[-1] == ["a.md", "b.md"]


def test_removals_beside_a_file_that_kills_are_ingested(spool, ingest):
    batch, data = a_batch("deadly.md", removals=(Removal(path="gone.md", observed=1),))
    put(spool, batch, data)
    ingest.kills = {"deadly.md"}
    claim_until_it_ends(batch, spool, ingest)
    assert ["gone.md"] in ingest.given


def test_a_batch_without_bytes_needs_no_spool(spool, ingest):
    batch = Batch(id="a", removals=(Removal(path="gone.md", observed=1),))
    assert [o.path for o in take_in_claimed(batch, spool, ingest)] == ["gone.md"]


@pytest.mark.parametrize("wrong", [b"", b"x", None])
def test_bytes_of_another_file_are_not_stored_and_are_not_an_attempt(spool, ingest, wrong):
    batch, data = a_batch("a.md")
    put(spool, batch, data[::-1] if wrong is None else wrong)
    with pytest.raises(ValueError, match="in the spool"):
        take_in_claimed(batch, spool, ingest)
    assert ingest.given == []
    assert not spool.was_started(batch.id)


def test_bytes_are_compared_file_by_file():
    batch, data = a_batch("a.md", "b.md")
    require_bytes_of(batch, data)
    middle = batch.snapshots[0].stamp.size
    with pytest.raises(ValueError, match="other bytes"):
        require_bytes_of(batch, data[middle:] + data[:middle])


def test_records_of_unfinished_batches_expire(redis_url):
    import redis

    spool = RedisSpool(redis_url, spool_seconds=100)
    spool.begin("a", 3)
    with redis.Redis.from_url(redis_url) as client:
        (key,) = client.keys("*")
        assert 0 < client.ttl(key) <= 100
    spool.close()
