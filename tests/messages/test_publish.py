"""After a backup was restored, whoever follows the library ends with what the store has."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from support.programs import run
from support.seeds import a_seed
from support.stored import Library, a_library
from support.stream_follower import Copy, StreamFollower, copy_of

from worker.domain.folder.cursor import cursor_at
from worker.errors import ConfigurationError, CursorLostError
from worker.store.epochs import list_epochs
from worker.store.newest_event import file_beside

KEY = "content-sync:events"
OBSERVED = count(1_000_000)  # the folder goes on, whatever the store knows of it


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "content-sync.db"


@contextmanager
def opened(database: Path, redis_url: str | None) -> Iterator[Library]:
    named = {} if redis_url is None else {"stream": {"url": redis_url}}
    with a_library(f"sqlite:///{database}", routes={}, **named) as library:
        library.observed = OBSERVED
        yield library


def back_up(database: Path) -> Path:
    copy = database.with_suffix(".copy")
    with closing(sqlite3.connect(database)) as store, closing(sqlite3.connect(copy)) as to:
        store.backup(to)
    return copy


def put_back(database: Path) -> None:
    """Restore as people do without our command: put the copy in place of the file."""
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    shutil.copy(database.with_suffix(".copy"), database)


def live(library: Library) -> Copy:
    return copy_of(library.services.export_documents(active_only=False))


def epochs_of(library: Library) -> list[tuple[str, int]]:
    with library.store.read() as connection:
        return [(epoch.reason, epoch.after_event) for epoch in list_epochs(connection)]


@contextmanager
def following(database: Path, redis_url: str) -> Iterator[StreamFollower]:
    def export() -> Any:
        with opened(database, None) as library:
            return list(library.services.export_documents(active_only=False))

    follower = StreamFollower(redis_url, KEY, export=export)
    yield follower
    follower.close()


@pytest.mark.parametrize("further", [0, 1, 3])
def test_a_reader_of_the_stream_ends_right_after_an_older_backup_was_restored(
    database: Path, redis_url: str, further: int
):
    """The retirement was published; so were `further` events before the store published again."""
    with opened(database, redis_url) as library, following(database, redis_url) as follower:
        for name in ("a", "b", "c"):
            library.drop(f"{name}.md", title=name)
        library.services.deliver()
        back_up(database)
        library.drop("a.md", title="Lost edit")
        library.remove("b.md")
        library.services.deliver()
        assert sorted(path for path, _ in follower.catch_up().values()) == ["a.md", "c.md"]

    file_beside(library.store).unlink(missing_ok=True)  # the stream alone is the proof here
    put_back(database)
    with opened(database, redis_url) as library, following(database, redis_url) as new:
        for number in range(further):
            library.drop(f"new/{number}.md", title=f"New {number}")
        library.remove("c.md")
        library.services.deliver()
        assert epochs_of(library) == [("created", 0), ("found restored", 0)]
        assert follower.catch_up() == live(library)
        assert new.catch_up() == live(library)
        assert "c.md" not in {path for path, _ in live(library).values()}

        library.drop("a.md", title="Edited again")
        library.remove("b.md")
        library.services.deliver()
        assert follower.catch_up() == new.catch_up() == live(library)
        assert follower.exports == 1
        assert epochs_of(library)[2:] == []


def test_a_backup_of_an_earlier_epoch_begins_a_third(database: Path, redis_url: str):
    with opened(database, redis_url) as library:
        library.drop("a.md")
        library.drop("b.md")
        library.services.deliver()
        back_up(database)
        library.remove("b.md")
        library.services.deliver()
    with following(database, redis_url) as follower:
        follower.catch_up()
        for name in ("c.md", "d.md"):
            put_back(database)
            with opened(database, redis_url) as library:
                library.drop(name)
                library.services.deliver()
                assert follower.catch_up() == live(library)
                assert len(epochs_of(library)) == 2
    assert len(Redis.from_url(redis_url).keys(f"{KEY}*")) == 3


def test_nothing_begins_an_epoch_while_nothing_is_restored(database: Path, redis_url: str):
    with opened(database, redis_url) as library:
        for number in range(3):
            library.drop("a.md", title=f"Edit {number}")
            library.services.deliver()
    with opened(database, redis_url) as library:
        library.services.deliver()
        Redis.from_url(redis_url).flushall()
        library.services.deliver()
        assert epochs_of(library) == [("created", 0)]
    assert Redis.from_url(redis_url).xlen(KEY) == 3


def test_two_libraries_on_one_stream_begin_no_epochs(
    database: Path, redis_url: str, tmp_path: Path
):
    with opened(database, redis_url) as one, opened(tmp_path / "other.db", redis_url) as other:
        one.drop("a.md")
        other.drop("b.md")
        for _ in range(2):
            one.services.deliver()
            with pytest.raises(ConfigurationError, match=r"another library .* its own stream\.key"):
                other.services.deliver()
        assert epochs_of(one) == epochs_of(other) == [("created", 0)]


@pytest.mark.parametrize("entry", [{"text": "hello"}, {"event": "hello"}, {"event": "[]"}])
def test_a_stream_of_another_program_is_named(
    database: Path, redis_url: str, entry: dict[str, str]
):
    Redis.from_url(redis_url).xadd(KEY, entry)
    with opened(database, redis_url) as library:
        library.drop("a.md")
        with pytest.raises(ConfigurationError, match=f"another program writes to the stream {KEY}"):
            library.services.deliver()
        assert epochs_of(library) == [("created", 0)]


def test_a_stream_of_the_version_before_is_continued(database: Path, redis_url: str):
    """Its entries have no hash, and another source."""
    client = Redis.from_url(redis_url)
    with opened(database, redis_url) as library:
        library.drop("a.md")
        library.services.deliver()
        ((entry_id, fields),) = client.xrange(KEY)
        old = json.loads(fields[b"event"])
        del old["hash"]
        client.delete(KEY)
        client.xadd(
            KEY, {**fields, b"event": json.dumps(old | {"source": "/content-sync"})}, entry_id
        )
        library.drop("b.md")
        library.services.deliver()
        assert epochs_of(library) == [("created", 0)]
    assert client.xlen(KEY) == 2


def test_the_file_beside_the_store_proves_a_restore_without_a_stream(database: Path):
    with opened(database, None) as library:
        library.drop("a.md")
        library.services.deliver()
        back_up(database)
        library.remove("a.md")
        library.services.notice_restore()
        (*_, last) = library.services.events(0)
        library.services.notice_restore()
        assert epochs_of(library) == [("created", 0)]
    put_back(database)
    with opened(database, None) as library:
        library.drop("b.md")
        library.drop("c.md")
        library.services.notice_restore()
        library.services.notice_restore()
        assert epochs_of(library) == [("created", 0), ("found restored", 0)]
        *_, before, began = library.services.events(0)
        assert began["type"] == "org.content-sync.epoch.began"
        assert "subject" not in began
        assert began["data"]["epoch"] == began["source"].rpartition("/")[2]
        assert before["source"] == last["source"] != began["source"]
        with pytest.raises(CursorLostError, match=r"backup was restored.*export"):
            library.services.events(cursor_at(last))


def test_the_feed_ends_with_an_exit_code_for_an_event_that_the_store_does_not_have(
    tmp_path: Path, sqlite_url: str
):
    with a_library(sqlite_url) as library:
        library.drop("a.md", a_seed())
        (event,) = library.services.events(0)
    env = {"CONTENT_SYNC_STORE_URL": sqlite_url}
    epoch = event["source"].rpartition("/")[2]
    for cursor, code in (
        ("1", 0),
        (f"{epoch}:1", 0),
        (f"{epoch}:1:{event['hash']}", 0),
        ("2", 1),
        ("abc:1", 1),
        (f"{epoch}:1:{'0' * 64}", 1),
        ("one", 2),
    ):
        done = run("events", "--after", cursor, cwd=tmp_path, env=env)
        assert (cursor, done.returncode, done.stdout) == (cursor, code, "")
        assert ("take a new" in done.stderr.lower()) is (code == 1)
