"""Lower bounds: the least that any service does for a page, step by step, in Python and in one process.

Each floor adds one step to the one before: walk and stat, read and hash, parse the
front matter, insert into a database with the service's durability. No rule, no difference, no due date.
Called by the benchmarks alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    insert,
)

BATCH = 128
Row = tuple[str, os.stat_result, str, dict[str, Any], str]

_TABLES = MetaData()
_DOCUMENTS = Table(
    "documents",
    _TABLES,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("path", Text, unique=True, nullable=False),
    Column("size", Integer),
    Column("sha256", Text),
    Column("metadata", JSON),
)
_VERSIONS = Table(
    "versions",
    _TABLES,
    Column("document_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sha256", Text),
    Column("metadata", JSON),
)
_BODIES = Table("bodies", _TABLES, Column("id", Integer, primary_key=True), Column("body", Text))


def floors(seeds: Path, state: Path, postgres: str | None) -> dict[str, Callable[[], object]]:
    """Return the floors by name, each as work to be timed; `postgres` is the URL of an empty database."""
    work: dict[str, Callable[[], object]] = {
        "floor: walk and stat": lambda: _exhaust(_walk(seeds)),
        "floor: + read and SHA-256": lambda: _exhaust(_read(seeds)),
        "floor: + front matter": lambda: _exhaust(_parse(seeds)),
        "floor: + SQLite": lambda: _into_sqlite(_parse(seeds), state / "floor.db"),
    }
    if postgres is not None:
        work["floor: + PostgreSQL"] = lambda: _into(_parse(seeds), create_engine(postgres))
    return work


def _walk(folder: str | os.PathLike[str]) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            elif entry.name.endswith(".md"):
                yield entry.path, entry.stat(follow_symlinks=False)


def _read(seeds: Path) -> Iterator[tuple[str, os.stat_result, bytes, str]]:
    for path, stamp in _walk(seeds):
        with open(path, "rb") as file:  # noqa: PTH123 - the quickest way, for a floor
            data = file.read()
        yield path, stamp, data, sha256(data).hexdigest()


def _parse(seeds: Path) -> Iterator[Row]:
    for path, stamp, data, digest in _read(seeds):
        end = data.find(b"\n---", 3)
        metadata = yaml.load(data[4:end], Loader=yaml.CBaseLoader)
        yield path, stamp, digest, metadata, data[end + 5 :].decode()


def _into_sqlite(rows: Iterator[Row], database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _: object) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")

    _into(rows, engine)


def _into(rows: Iterator[Row], engine: Engine) -> None:
    """Insert all rows into new tables, a batch a transaction."""
    _TABLES.drop_all(engine)
    _TABLES.create_all(engine)
    numbered = enumerate(rows, start=1)
    while batch := list(islice(numbered, BATCH)):
        with engine.begin() as connection:
            _insert(connection, batch)
    engine.dispose()


def _insert(connection: Connection, batch: list[tuple[int, Row]]) -> None:
    documents, versions, bodies = [], [], []
    for number, (path, stamp, digest, metadata, body) in batch:
        documents.append(
            {
                "id": number,
                "path": path,
                "size": stamp.st_size,
                "sha256": digest,
                "metadata": metadata,
            }
        )
        versions.append(
            {"document_id": number, "number": 1, "sha256": digest, "metadata": metadata}
        )
        bodies.append({"id": number, "body": body})
    connection.execute(insert(_DOCUMENTS), documents)
    connection.execute(insert(_VERSIONS), versions)
    connection.execute(insert(_BODIES), bodies)


def _exhaust(rows: Iterable[object]) -> None:
    for _ in rows:
        pass
