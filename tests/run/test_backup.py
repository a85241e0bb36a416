"""A backup is whole or is not there, and a restore leaves the old store or the new one, never a mixture."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from faults.namespace import inside, require_namespaces
from support.programs import Process, clean_environment, run
from support.servers import PostgresServer
from support.stored import NOON, Library, a_library
from support.stream_follower import StreamFollower, copy_of
from support.waiting import wait_until

from worker.domain.folder.chain_laws import check_chain
from worker.errors import AlreadyRunningError, BackupError, CursorLostError
from worker.run.backup import back_up
from worker.run.restore_store import restore_store
from worker.settings.model import Settings, load_settings
from worker.store import backup_postgresql
from worker.store.chain import chained_events
from worker.store.engine import Store
from worker.store.epochs import list_epochs
from worker.store.migrate import HEAD, migrate

MORTAL = Path(__file__).parent / "mortal_copies.py"
SQLITE_STEPS = [
    "run.restore_store._prepare",
    "store.backup_sqlite.copy",
    "run.restore_store.migrate",
    "store.epochs.begin_restored",
    "store.backup_sqlite.settle",
    "store.backup_sqlite.remove_beside",
    "store.backup_sqlite.take_place",
    "store.newest_event.note",
]
POSTGRESQL_STEPS = [
    "store.backup_postgresql._environment",
    "shutil.copyfileobj",
    "store.backup_postgresql.restore",
    "run.restore_store.migrate",
    "store.epochs.finish_restore",
]


@pytest.fixture(autouse=True)
def _tools_of_the_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the programs of the server's own installation: an older `pg_dump` refuses it."""
    if "postgres_url" in request.fixturenames or "postgresql" in request.node.name:
        server: PostgresServer = request.getfixturevalue("shared_postgres")
        monkeypatch.setenv("PATH", f"{server.binaries}{os.pathsep}{os.environ['PATH']}")


@dataclass(frozen=True, kw_only=True)
class Backed:
    """A store that has gone on since its backup: a.md edited, b.md retired, c.md new."""

    settings: Settings
    file: Path
    said: dict[str, Any]


OLD, NEW = {"a.md": 2, "c.md": 1}, {"a.md": 1, "b.md": 1}


def numbers(library: Library) -> dict[str, int]:
    rows = library.services.export_manifest(active_only=False)["documents"]
    return {row["path"]: row["number"] for row in rows}


def live(settings: Settings) -> dict[str, int]:
    with a_library(settings.store_url.value) as library:
        return numbers(library)


def reasons(settings: Settings) -> list[str]:
    store = Store(settings.store_url.value)
    with store.read() as connection:
        found = [epoch.reason for epoch in list_epochs(connection)]
    store.close()
    return found


@pytest.fixture
def backed(store_url: str, tmp_path: Path) -> Backed:
    settings = load_settings(store_url=store_url, seeds=tmp_path / "seeds")
    with a_library(store_url) as library:
        library.drop("a.md", title="A")
        library.drop("b.md", title="B")
        library.services.notice_restore()
        file = tmp_path / "it's a backup"
        said = back_up(settings, file)
        library.drop("a.md", title="Lost edit")
        library.remove("b.md")
        library.drop("c.md", title="C")
        library.services.notice_restore()
    return Backed(settings=settings, file=file, said=said)


def put_back(backed: Backed, **given: Any) -> dict[str, Any]:
    return restore_store(backed.settings, backed.file, **({"replace": True, "now": NOON} | given))


def test_a_backup_says_what_it_holds_and_only_its_owner_may_read_it(backed: Backed):
    said = backed.said
    assert stat.S_IMODE(backed.file.stat().st_mode) == 0o600
    assert (said["bytes"], said["revision"]) == (backed.file.stat().st_size, HEAD)
    assert said["rows"]["documents"] == said["rows"]["versions"] == said["rows"]["events"] == 2
    assert said["checkpoint"].startswith(f"{said['epoch']}:2:")
    assert sorted(path.name for path in backed.file.parent.glob("*backup*")) == [backed.file.name]
    with pytest.raises(BackupError, match="exists already"):
        back_up(backed.settings, backed.file)


def test_a_restored_store_is_the_backup_in_a_new_epoch(backed: Backed):
    with a_library(backed.settings.store_url.value) as library:
        *_, last = library.services.events(0)
    done = put_back(backed)
    assert live(backed.settings) == NEW
    assert done["from"]["checkpoint"] in (None, backed.said["checkpoint"])
    assert done["epoch"] != backed.said["epoch"]
    assert done["library"] == backed.said["library"]
    with a_library(backed.settings.store_url.value) as library:
        library.services.notice_restore()
        with library.store.read() as connection:
            assert list(check_chain(chained_events(connection))) == []
            first, second = list_epochs(connection)
        assert (first.reason, second.reason, second.after_event, second.event) == (
            "created", "restored", 2, 3,
        )  # fmt: skip
        epoch = last["source"].rpartition("/")[2]
        (began,) = library.services.events(_cursor(f"{epoch}:2"))
        assert began["type"] == "org.content-sync.epoch.began"
        with pytest.raises(CursorLostError):
            library.services.events(_cursor(f"{epoch}:3"))
        library.drop("d.md", title="D")
        assert numbers(library) == NEW | {"d.md": 1}


def _cursor(text: str) -> Any:
    from worker.domain.folder.cursor import read_cursor

    return read_cursor(text)


def test_a_reader_of_the_stream_ends_right_after_a_restore(backed: Backed, redis_url: str):
    url = backed.settings.store_url.value

    def export() -> Any:
        with a_library(url) as library:
            return list(library.services.export_documents(active_only=False))

    follower = StreamFollower(redis_url, "content-sync:events", export=export)
    with a_library(url, stream={"url": redis_url}, routes={}) as library:
        library.services.deliver()
    assert {path for path, _ in follower.catch_up().values()} == {"a.md", "c.md"}
    put_back(backed)
    with a_library(url, stream={"url": redis_url}, routes={}) as library:
        library.observed = count(2_000_000)
        library.remove("a.md")
        library.services.deliver()
        library.drop("e.md", title="E")
        library.services.deliver()
        expected = copy_of(library.services.export_documents(active_only=False))
        assert follower.catch_up() == expected
        assert {path for path, _ in expected.values()} == {"b.md", "e.md"}
    assert reasons(backed.settings) == ["created", "restored"]
    follower.close()


def test_a_store_that_is_not_empty_is_replaced_only_when_asked(backed: Backed):
    with pytest.raises(BackupError, match=r"not empty \(3 documents.*--replace"):
        put_back(backed, replace=False)
    assert live(backed.settings) == OLD


@pytest.mark.parametrize("empty", [True, False], ids=["no store", "an empty store"])
def test_a_backup_is_restored_into_an_empty_store_without_asking(
    backed: Backed, tmp_path: Path, shared_postgres: PostgresServer, *, empty: bool
):
    is_sqlite = backed.settings.store_url.value.startswith("sqlite")
    with shared_postgres.database() as database:
        url = f"sqlite:///{tmp_path / 'new' / 'other.db'}" if is_sqlite else database
        other = load_settings(store_url=url)
        if not empty:
            store = Store(url)
            migrate(store)
            store.close()
        restore_store(other, backed.file, replace=False, now=NOON)
        assert live(other) == NEW


def test_the_backup_of_another_library_is_refused(backed: Backed, tmp_path: Path):
    store = Store(backed.settings.store_url.value)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE epochs SET library = 'another'")
    store.close()
    with pytest.raises(BackupError, match="another library"):
        put_back(backed)
    assert live(backed.settings) == OLD


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.98])
def test_half_a_backup_is_refused(backed: Backed, share: float):
    whole = backed.file.read_bytes()
    backed.file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BackupError, match="whole"):
        put_back(backed)
    backed.file.unlink()
    with pytest.raises(BackupError, match="cannot be read"):
        put_back(backed)
    assert live(backed.settings) == OLD


def test_a_backup_of_another_database_or_program_is_refused(backed: Backed, tmp_path: Path):
    text = tmp_path / "text"
    text.write_text("No backup at all.\n")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE t (a)")
    for file in (text, other):
        with pytest.raises(BackupError, match=r"no backup of|not one of"):
            restore_store(backed.settings, file, replace=True, now=NOON)
    url = "postgresql://127.0.0.1:1/x" if backed.said["database"] == "sqlite" else "sqlite:///x.db"
    with pytest.raises(BackupError, match="is a backup of"):
        restore_store(load_settings(store_url=url), backed.file, replace=True, now=NOON)
    assert live(backed.settings) == OLD


def test_the_database_of_another_program_that_uses_alembic_is_refused(
    tmp_path: Path, sqlite_url: str
):
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE alembic_version AS SELECT '0003' AS version_num")
    with pytest.raises(BackupError, match="not one of Content Sync"):
        restore_store(load_settings(store_url=sqlite_url), other, replace=True, now=NOON)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_restore_onto_a_full_disk_leaves_the_store_and_nothing_else(backed: Backed):
    before = set(backed.file.parent.iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (backed.file.stat().st_size // 2, limit[1]))
    try:
        with pytest.raises(BackupError, match="nothing was restored: disk"):
            put_back(backed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    after = {path.name for path in set(backed.file.parent.iterdir()) - before}
    assert after <= {"content-sync.db.lock"}
    assert live(backed.settings) == OLD


def test_the_file_of_a_stopped_service_is_restored_from_a_folder_that_is_read_only(
    tmp_path: Path, sqlite_url: str
):
    """It is in WAL mode, so SQLite would put files beside it."""
    require_namespaces()
    with a_library(sqlite_url) as library:
        library.drop("a.md")
    kept = tmp_path / "kept"
    kept.mkdir()
    shutil.copy(tmp_path / "content-sync.db", kept / "copy.db")
    read_only = f"mount --bind {kept} {kept} && mount -o remount,bind,ro {kept}"
    words = ("restore-store", "--replace", str(kept / "copy.db"))
    env = {"CONTENT_SYNC_STORE_URL": sqlite_url}
    process = Process(*words, cwd=tmp_path, env=env, inside=inside(read_only))
    try:
        wait_until(lambda: process.exit_code is not None, what=f"the end of {process}")
    finally:
        process.kill()
    assert process.exit_code == 0, process.output


def test_a_backup_holds_our_tables_alone(postgres_url: str, tmp_path: Path):
    settings = load_settings(store_url=postgres_url)
    with a_library(postgres_url) as library:
        library.drop("a.md")
        with library.store.write() as connection:
            connection.exec_driver_sql("CREATE TABLE wiki AS SELECT 1 AS page")
            connection.exec_driver_sql("CREATE SCHEMA figures")
    back_up(settings, tmp_path / "backup")
    restore_store(settings, tmp_path / "backup", replace=True, now=NOON)
    assert live(settings) == {"a.md": 1}


def test_nothing_is_copied_through_a_pooler(
    postgres_url: str, pooled_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A setting of pg_dump's or psql's session would stay with a connection that other clients get."""
    pooled = load_settings(store_url=pooled_url)
    with a_library(pooled_url) as library:
        library.drop("a.md")
    back_up(load_settings(store_url=f"{postgres_url}?prepare_threshold=none"), tmp_path / "backup")
    with pytest.raises(BackupError, match="leads to a pooler"):
        back_up(pooled, tmp_path / "another")
    with pytest.raises(BackupError, match="leads to a pooler"):
        restore_store(pooled, tmp_path / "backup", replace=True, now=NOON)
    assert live(pooled) == {"a.md": 1}


def test_the_backup_of_a_newer_version_is_refused(backed: Backed):
    store = Store(backed.settings.store_url.value)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    newer = backed.file.with_name("newer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.run.backup.require_schema", lambda _store: None)
        back_up(backed.settings, newer)
    store.close()
    with pytest.raises(BackupError, match=r"a newer version.*9999"):
        restore_store(backed.settings, newer, replace=True, now=NOON)
    with pytest.raises(BackupError, match=r"belongs to a newer version"):
        put_back(backed)
    store = Store(backed.settings.store_url.value)
    with store.write() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")
    store.close()
    assert live(backed.settings) == OLD


def test_a_store_in_use_is_not_replaced(backed: Backed):
    with a_library(backed.settings.store_url.value) as library:
        library.services.status()
        with pytest.raises(AlreadyRunningError, match="stop the service"):
            put_back(backed)
        assert numbers(library) == OLD
    put_back(backed)
    assert live(backed.settings) == NEW


def test_a_damaged_sqlite_store_is_replaced(tmp_path: Path, sqlite_url: str):
    settings = load_settings(store_url=sqlite_url)
    with a_library(sqlite_url) as library:
        library.drop("a.md")
        back_up(settings, tmp_path / "backup")
    path = tmp_path / "content-sync.db"
    path.chmod(0o640)
    path.write_bytes(b"damaged" * 1000)
    restore_store(settings, tmp_path / "backup", replace=True, now=NOON)
    assert live(settings) == {"a.md": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def mortal(backed: Backed, what: str, file: Path, when: str, step: str) -> int:
    env = clean_environment({"CONTENT_SYNC_STORE_URL": backed.settings.store_url.value})
    env["PATH"] = os.environ["PATH"]
    done = subprocess.run(
        [sys.executable, str(MORTAL), what, str(file), when, step],
        cwd=backed.file.parent, env=env, check=False, capture_output=True,
    )  # fmt: skip
    return done.returncode


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("store_url", "step"),
    [
        *[("sqlite", step) for step in SQLITE_STEPS],
        *[("postgresql", step) for step in POSTGRESQL_STEPS],
    ],
    indirect=["store_url"],
)
def test_a_killed_restore_leaves_the_old_store_or_the_new_one(backed: Backed, when: str, step: str):
    assert mortal(backed, "restore", backed.file, when, step) == -signal.SIGKILL
    _wait_for_rollback(backed)
    found = live(backed.settings)
    assert found in (OLD, NEW)
    with a_library(backed.settings.store_url.value) as library:
        library.services.notice_restore()
    assert (reasons(backed.settings)[1:] == ["restored"]) is (found == NEW)

    put_back(backed)
    assert live(backed.settings) == NEW
    assert reasons(backed.settings)[-1] == "restored"
    assert sorted(path.name for path in backed.file.parent.glob("*.restoring*")) == []


def _wait_for_rollback(backed: Backed) -> None:
    """Wait until the server has noticed that the programs of a killed restore are gone."""
    from support.waiting import wait_until

    store = Store(backed.settings.store_url.value)
    if not store.is_sqlite:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"

        def alone() -> bool:
            with store.read() as connection:
                return connection.exec_driver_sql(query).scalar() == 1

        wait_until(alone, what="the other connections to end")
    store.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("store_url", "step"),
    [
        ("sqlite", "store.backup_sqlite.copy"),
        ("sqlite", "store.backup_sqlite.sync"),
        ("postgresql", "store.backup_postgresql.dump"),
        ("postgresql", "store.backup_sqlite.sync"),
    ],
    indirect=["store_url"],
)
def test_a_killed_backup_leaves_no_file_of_that_name(backed: Backed, when: str, step: str):
    file = backed.file.with_name("second")
    assert mortal(backed, "backup", file, when, step) == -signal.SIGKILL
    assert not file.exists()
    back_up(backed.settings, file)
    assert [path.name for path in file.parent.glob("*second*")] == ["second"]


def test_no_password_is_on_a_command_line_or_in_a_message(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        script = tools / name
        note, go_on = f'echo "{name} $*" >> {tmp_path}/called', f'exec {shutil.which(name)} "$@"'
        script.write_text(f"#!/bin/sh\n{note}\n{go_on}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    settings = load_settings(store_url=postgres_url)
    password = Store(postgres_url).url.password
    assert password
    with a_library(postgres_url) as library:
        library.drop("a.md")
    back_up(settings, tmp_path / "backup")
    restore_store(settings, tmp_path / "backup", replace=True, now=NOON)
    called = (tmp_path / "called").read_text()
    assert {line.split()[0] for line in called.splitlines()} == {"pg_dump", "pg_restore", "psql"}
    assert password not in called + caplog.text

    wrong = postgres_url.replace(password, "wrong-password")
    with pytest.raises(Exception) as failed:  # noqa: PT011 - whichever notices first
        back_up(load_settings(store_url=wrong), tmp_path / "another")
    assert "wrong-password" not in str(failed.value)
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_the_programs_may_be_newer_than_the_server(
    backed: Backed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """That of version 17 sets transaction_timeout, which is unknown to servers before."""
    script = tmp_path / "pg_restore"
    newer = "sed '/^SET lock_timeout/i SET transaction_timeout = 0;'"
    script.write_text(f'#!/bin/sh\n{shutil.which("pg_restore")} "$@" | {newer}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    put_back(backed)
    assert live(backed.settings) == NEW


def test_without_the_programs_of_postgresql_a_backup_says_so(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with a_library(postgres_url) as library:
        library.drop("a.md")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="pg_dump is not on PATH"):
        back_up(load_settings(store_url=postgres_url), tmp_path / "backup")
    assert list(tmp_path.glob("*backup*")) == []


def test_an_option_of_the_url_reaches_the_programs():
    url = Store("postgresql://u:p%20w@h:5/d?sslmode=verify-full&sslrootcert=/x").url
    found = backup_postgresql._environment(url)
    assert {name: found[name] for name in found if name.startswith("PG")} == {
        "PGHOST": "h", "PGPORT": "5", "PGUSER": "u", "PGPASSWORD": "p w", "PGDATABASE": "d",
        "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/x",
    }  # fmt: skip


def test_the_commands_print_what_they_did(tmp_path: Path, sqlite_url: str):
    with a_library(sqlite_url) as library:
        library.drop("a.md")
    env = {"CONTENT_SYNC_STORE_URL": sqlite_url}
    ask: Callable[..., Any] = lambda *words: run(*words, cwd=tmp_path, env=env)  # noqa: E731
    done = ask("backup", "first.backup")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 documents, 1 versions" in done.stdout
    answer = json.loads(ask("backup", "second.backup", "--json").stdout)
    assert answer["rows"]["documents"] == 1
    refused = ask("restore-store", "second.backup")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--replace" in refused.stderr
    restored = json.loads(ask("restore-store", "--replace", "second.backup", "--json").stdout)
    assert restored["from"]["checkpoint"] == answer["checkpoint"]
    assert "epoch" in ask("restore-store", "--replace", "second.backup").stdout
