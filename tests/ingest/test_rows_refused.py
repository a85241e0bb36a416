"""A row that the database refuses is one file's matter: its neighbours are stored, and nobody waits."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text
from support.programs import run
from support.seeds import a_seed, write
from support.stored import Library, a_library

from worker.domain.folder.snapshot import Batch
from worker.errors import RowRefusedError, StoreUnavailableError
from worker.store.engine import Store

RULE = (
    "CREATE TRIGGER no_bones BEFORE INSERT ON documents WHEN NEW.title = 'Bones' "
    "BEGIN SELECT RAISE(ABORT, 'no bones here'); END"
)


#: An index row that is too long, even compressed.
LONG_NAME = """
INSERT INTO heartbeats (name, at, data)
SELECT string_agg(md5(n::text), ''), now(), '{}' FROM generate_series(1, 2000) AS n
"""


def forbid_bones(store: Store) -> None:
    """Give the database a rule of its own."""
    rule = "ALTER TABLE documents ADD CONSTRAINT no_bones CHECK (title <> 'Bones')"
    with store.write() as connection:
        connection.execute(text(RULE if store.is_sqlite else rule))


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def test_a_broken_rule_is_the_rows_and_is_not_tried_again(library: Library):
    forbid_bones(library.store)
    with pytest.raises(RowRefusedError, match="bones"):
        library.drop("a.md", title="Bones")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT CAST('x' AS integer)",
        "SELECT 1 / 0",
        "SELECT CAST('\\u0000' AS jsonb) ->> 0",
        "SELECT CAST('\"\\u0000\"' AS jsonb)",
        "SELECT CAST(99999999999 AS integer)",
        LONG_NAME,
    ],
)
def test_values_that_postgresql_cannot_hold_are_the_rows(postgres_url: str, statement: str):
    with a_library(postgres_url) as library:
        escaped = text(statement.replace(":", r"\:"))
        with pytest.raises(RowRefusedError):
            library.store.transact(lambda connection: connection.execute(escaped))


def test_a_text_with_nul_is_the_rows_on_postgresql(postgres_url: str):
    with a_library(postgres_url) as library, pytest.raises(RowRefusedError, match="NUL"):
        library.services.heartbeat("a\0b", {})


def test_a_value_that_is_too_big_for_sqlite_is_the_rows(sqlite_url: str):
    with a_library(sqlite_url) as library, pytest.raises(RowRefusedError, match="too big"):
        library.store.transact(
            lambda connection: connection.execute(text("SELECT zeroblob(2000000000)")).all()
        )


def test_a_missing_table_and_a_killed_connection_are_the_stores(library: Library):
    with pytest.raises(StoreUnavailableError):
        library.store.transact(lambda connection: connection.execute(text("SELECT * FROM none")))
    if not library.store.is_sqlite:
        kill = text("SELECT pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(StoreUnavailableError):
            library.store.transact(lambda connection: connection.execute(kill))


def test_only_the_file_whose_row_is_refused_stays_out(library: Library):
    forbid_bones(library.store)
    library.drop("old.md", title="Old")
    texts = {f"{n}.md": a_seed(title="Bones" if n == 3 else f"Page {n}") for n in range(6)}
    contents = {path: each.encode() for path, each in texts.items()}
    snapshots = tuple(library.snapshot(path, data) for path, data in contents.items())
    batch = Batch(id=uuid.uuid4().hex, snapshots=snapshots)
    library.services.spool.put(batch.id, b"".join(contents.values()))
    outcomes = {outcome.path: outcome.kind for outcome in library.services.take_in(batch)}

    assert outcomes == {path: "refused" if path == "3.md" else "new" for path in texts}
    [refusal] = library.services.list_refusals()
    assert refusal["path"] == "3.md"
    assert [p["code"] for p in refusal["problems"]] == ["CS008"]
    assert library.services.spool.outstanding() == 0


def test_a_retraction_whose_row_is_refused_is_withheld(library: Library):
    library.drop("a.md")
    with library.store.write() as connection:
        rule = "CREATE UNIQUE INDEX no_second ON versions ((1))"
        connection.execute(text(rule))
    data = a_seed(status="inactive").encode()
    batch = Batch(id=uuid.uuid4().hex, snapshots=(library.snapshot("a.md", data),))
    library.services.take_in_each(batch, data)
    assert library.document("a.md")["status"] == "inactive"


def test_a_sync_names_the_file_and_stores_the_others(sqlite_url: str, seeds: Path, tmp_path: Path):
    env = {"CONTENT_SYNC_STORE_URL": sqlite_url}
    with a_library(sqlite_url) as library:
        forbid_bones(library.store)
    for number in range(6):
        title = "Bones" if number == 3 else f"Page {number}"
        write(seeds / f"{number}.md", a_seed(title=title))
    done = run("sync", "--json", cwd=tmp_path, env=env)

    assert done.returncode == 1
    assert {name: json.loads(done.stdout)[name] for name in ("new", "refused")} == {
        "new": 5, "refused": 1
    }  # fmt: skip
    assert "3.md" in done.stderr
    assert "no bones here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sync_survives_an_error_that_nobody_foresaw(library: Library, monkeypatch):
    """The database takes everything, but one file makes the code fail."""
    from worker.ingest import batch as module

    examine = module.examine

    def fail_for_bones(data: bytes, **rest):
        if b"Bones" in data:
            raise LookupError("nobody thought of that")
        return examine(data, **rest)

    monkeypatch.setattr(module, "examine", fail_for_bones)
    texts = {"a.md": a_seed(title="A"), "b.md": a_seed(title="Bones"), "c.md": a_seed(title="C")}
    contents = {path: each.encode() for path, each in texts.items()}
    snapshots = tuple(library.snapshot(path, data) for path, data in contents.items())
    batch = Batch(id=uuid.uuid4().hex, snapshots=snapshots)
    outcomes = library.services.take_in_each(batch, b"".join(contents.values()))

    assert {o.path: o.kind for o in outcomes} == {"a.md": "new", "b.md": "refused", "c.md": "new"}
    assert [p["code"] for p in library.services.list_refusals()[0]["problems"]] == ["CS007"]
