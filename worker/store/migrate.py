"""Upgrades a database to this version's tables, safely from many processes at once.

The whole upgrade is one transaction. SQLite's IMMEDIATE lock, or an advisory lock on PostgreSQL, makes a
second process wait, and then it has nothing to do. An empty SQLite file gets the tables of `schema`
directly, so that a first command need not load Alembic; a test proves that they equal the migrations'.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from worker.errors import StoreUnavailableError
from worker.store.engine import Store, make_folder
from worker.store.epochs import begin_first
from worker.store.schema import metadata

#: The newest migration in `migrations/versions`; a test compares it with Alembic's head.
HEAD = "0011"
MIGRATION_LOCK = 0x6D696772617465  # "migrate"


def migrate(store: Store) -> tuple[str | None, str]:
    """Upgrade the database; return its revision before and after. Commits.

    Raises `StoreUnavailableError` if the database does not answer, or is newer than this program.
    """
    make_folder(store)
    with store.read() as connection:
        before = find_revision(connection)
    if before == HEAD:
        return before, HEAD
    with store.migrate() as connection:
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        if store.is_sqlite and not inspect(connection).get_table_names():
            _create(connection)
        else:
            _upgrade(connection, store)
    return before, HEAD


def require_schema(store: Store) -> None:
    """Raise `StoreUnavailableError` unless the database has this version's tables."""
    if store.is_sqlite and not Path(store.url.database or "").exists():
        raise StoreUnavailableError(
            f"there is no store at {Path(store.url.database or '').absolute()} yet: "
            "run `content-sync sync` or `content-sync up` first"
        )
    with store.read() as connection:
        revision = find_revision(connection)
    if revision is not None and revision > HEAD:
        raise StoreUnavailableError(
            f"the store {store.name} belongs to a newer version of Content Sync: it has revision "
            f"{revision}, and this version knows {HEAD}"
        )
    if revision != HEAD:
        raise StoreUnavailableError(
            f"the store {store.name} has revision {revision or 'none'}, but this version needs {HEAD}: "
            "run `content-sync migrate`"
        )


def find_revision(connection: Connection) -> str | None:
    """Return the database's revision, or None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def has_tables(connection: Connection) -> bool:
    """Return whether the database has any table, whoever made it."""
    return bool(inspect(connection).get_table_names())


def has_table(connection: Connection, name: str) -> bool:
    """Return whether the database has a table of this name."""
    return inspect(connection).has_table(name)


def _create(connection: Connection) -> None:
    """Create the tables of `schema`, and record the newest revision."""
    metadata.create_all(connection)
    begin_first(connection, now=datetime.now(UTC))
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
        " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, store: Store) -> None:
    from alembic import command  # noqa: PLC0415 - 150 ms that only an upgrade needs
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailableError(
            f"the store {store.name} belongs to a newer version of Content Sync: {error}"
        ) from error
