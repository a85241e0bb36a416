"""Connections and transactions: one `Store` per process, created after any fork.

SQLite runs in WAL mode with full synchronisation. Write transactions are IMMEDIATE, so two writers wait
for each other instead of losing an update. Both databases wait ten seconds for a lock, several times.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
)

from worker.errors import ConfigurationError, RowRefusedError, StoreUnavailableError
from worker.store.file_identity import StoreFile

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["Connection", "Store", "parse_url"]

Result = TypeVar("Result")

LOCK_WAIT_SECONDS = 10
ATTEMPTS = 5
#: A worker that loses the race for a new path sees the winner's row next time, and may then lose the race
#: for the next path: eight workers on an empty store lose more than five in a row.
RACES = 15
#: serialization_failure, deadlock_detected, lock_not_available: the same transaction may succeed now.
#: So may one that SQLite kept waiting: SQLite has no queue, and a later writer may get the lock first.
PASSING_CODES = frozenset({"40001", "40P01", "55P03", "SQLITE_BUSY"})
#: Another worker may have inserted the same path or body first: unique_violation, foreign_key_violation.
LOST_RACE_CODES = frozenset(
    {"23505", "23503", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
)
#: invalid_sql_statement_name, duplicate_prepared_statement: a pooler gave this client another connection.
LOST_STATEMENT_CODES = frozenset({"26000", "42P05"})
#: The row itself is refused, today and tomorrow: a value that the database cannot hold, a broken rule, an
#: index row that is too long. Every other error counts as the database's own, which may be away.
ROW_CLASSES = frozenset({"22", "23", "54"})
ROW_CODES = ("SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_CONSTRAINT")
#: One writer at a time appends events, so their IDs are in the order of their commits.
EVENT_LOCK = 0x636F6E74656E74  # "content"
LONGEST_HOLD_SECONDS = 30
#: An option of the driver that is part of a PostgreSQL URL: a pooler in transaction mode may need `none`.
PREPARE_THRESHOLD = "prepare_threshold"
#: The page size of a new SQLite file. A document takes several pages: with SQLite's default of 4,096 bytes
#: a first load spends 25% more time in the database; with 16,384 a small edit writes more for little gain.
_PAGE_BYTES = 8192
#: What the server is told with each transaction, in the message that begins it: start-up options are refused
#: by PgBouncer, and what lasts longer would reach its other clients. `tcp_…` makes the server notice a worker
#: that lost its connection; otherwise its locks last 15 minutes.
_SERVER_OPTIONS = {
    "lock_timeout": LOCK_WAIT_SECONDS * 1000,
    "timezone": "UTC",
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": LOCK_WAIT_SECONDS * 1000,
}


class Store:
    """An engine with its rules for reading, writing and retrying.

    Every transaction may raise `StoreReplacedError`, which only the end of the process can follow.
    """

    def __init__(self, url: str) -> None:
        """Prepare the engine for a SQLAlchemy URL, without opening a connection.

        Raises `ConfigurationError` if the URL is not for SQLite or PostgreSQL.
        """
        self.url = parse_url(url)
        shown = self.url.set(drivername=self.url.get_backend_name())
        self.name = shown.render_as_string(hide_password=True)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)
        self._file = file_of(self.url)
        if self.is_sqlite:
            event.listen(self._engine, "connect", lambda *_: self._file.opened())
        self._turn: IO[bytes] | None = None
        # One snapshot for several queries: SQLite's own, or PostgreSQL's repeatable read.
        self._readers = (
            self._engine.execution_options(begin="DEFERRED")
            if self.is_sqlite
            else self._engine.execution_options(begin="ISOLATION LEVEL REPEATABLE READ")
        )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection in one read-only transaction: a consistent view of the store.

        Raises `StoreUnavailableError` if the database does not answer.
        """
        # It ends with a commit: after a rollback psycopg drops its prepared statements.
        with self._explained(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in one write transaction; commit at the end, or roll back on an error.

        Raises `StoreUnavailableError` if the database does not answer, or not in time.
        """
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """Yield a connection as `write` does, for a migration.

        SQLite rebuilds a table to change it, and must not take that for a deletion of rows that others refer
        to: references are checked at the end. Raises `StoreUnavailableError` if one is broken.
        """
        if not self.is_sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._explained(), self._engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
            try:
                with connection.begin():
                    yield connection
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                        raise StoreUnavailableError(f"the store {self.name} has broken references")
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    def transact(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one write transaction and commit; retry after a deadlock or a lost race.

        `work` may run several times, so it must change only the database. Raises `RowRefusedError` if the
        database refuses a row, and `StoreUnavailableError` after any other error of the database.
        """
        for attempt in range(RACES):
            try:
                self._file.require_same()
                with self._taking_turns(), self._engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                attempts = RACES if _code(error) in LOST_RACE_CODES else ATTEMPTS
                if attempt + 1 >= attempts or not _may_pass(error):
                    raise self._explain(error) from error
            longest_seconds = 0.05 * 2 ** min(attempt, 3)
            time.sleep(random.uniform(longest_seconds / 5, longest_seconds))  # noqa: S311 - jitter
        raise AssertionError("unreachable: the last attempt returns or raises")

    def lock_events(self, connection: Connection) -> None:
        """Take the lock for appending events, until the transaction ends.

        Without it, a follower that has read event 6 would never see event 5, committed later. If the
        holder stops responding, PostgreSQL ends its transaction, so that the others can continue.
        """
        if not self.is_sqlite:
            connection.execute(
                text(
                    "SELECT set_config('idle_in_transaction_session_timeout', :idle, true),"
                    " pg_advisory_xact_lock(:key)"
                ),
                {"idle": f"{LONGEST_HOLD_SECONDS}s", "key": EVENT_LOCK},
            )

    def before_fork(self) -> None:
        """Close every connection, because none may cross a fork; both processes then take turns to write.

        Otherwise SQLite would poll every few milliseconds until the other process has finished. The end of
        a process frees its turn.
        """
        self.close()
        if self.is_sqlite:
            self._turn = TemporaryFile()  # noqa: SIM115 - as long as this store

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        # This kind of lock belongs to a process, not to an open file, so a fork does not share it.
        fcntl.lockf(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._turn, fcntl.LOCK_UN)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        self._file.require_same()
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error) from error

    def _explain(self, error: DBAPIError) -> StoreUnavailableError | RowRefusedError:
        reason = str(error.orig).strip().partition("\n")[0]
        if _code(error) in LOST_STATEMENT_CODES:
            reason += " (behind a pooler, add prepare_threshold=none to store_url)"
        if _is_of_row(error):
            return RowRefusedError(f"the database refuses a row: {reason}")
        return StoreUnavailableError(f"the store {self.name} is not usable: {reason}")


def parse_url(url: str) -> URL:
    """Return the URL with our driver; raise `ConfigurationError` for an unsupported database."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        backend = ""
    match backend:
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigurationError(
                    "store_url must name a file: use sqlite:///var/content-sync.db"
                )
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql" | "postgres":
            _prepare_threshold(parsed)
            return parsed.set(drivername="postgresql+psycopg")
        case _:
            raise ConfigurationError(
                "store_url is not the URL of a supported database: use sqlite:///FILE "
                "or postgresql://USER:PASSWORD@HOST/NAME"
            )


def file_of(url: URL) -> StoreFile:
    """Return the file of a store, which a process has to watch while it uses the store."""
    return StoreFile(url.database if url.get_backend_name() == "sqlite" else None)


def make_folder(store: Store) -> None:
    """Create a SQLite file and its folder, for this user alone; what exists already stays as it is.

    SQLite gives the `-wal` and the `-shm` the mode of the file. Raises `ConfigurationError` if the folder
    cannot be made; SQLite says why the file cannot.
    """
    if not store.is_sqlite or store.url.database is None:
        return
    file = Path(store.url.database)
    try:
        file.parent.parent.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the store's folder {file.parent} cannot be created: {error.strerror}"
        ) from error
    with suppress(OSError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def insert_into(dialect: Dialect, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the database's own INSERT, which supports ON CONFLICT; load only that dialect."""
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert(table)


def _may_pass(error: DBAPIError) -> bool:
    """Return whether the same transaction may succeed on a retry."""
    code = _code(error)
    return error.connection_invalidated or code in PASSING_CODES or code in LOST_RACE_CODES


def _is_of_row(error: DBAPIError) -> bool:
    """Return whether the database refuses the row, and not the connection or the transaction."""
    if error.connection_invalidated:
        return False
    if isinstance(error, IntegrityError | DataError):
        return True  # also what the driver finds before it sends anything
    code = _code(error)
    return code[:2] in ROW_CLASSES or code.startswith(ROW_CODES)


def _code(error: DBAPIError) -> str:
    """Return the SQLSTATE of PostgreSQL, or the name of SQLite's error; "" without one."""
    names = ("sqlstate", "sqlite_errorname")
    return next((code for name in names if (code := getattr(error.orig, name, None))), "")


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": LOCK_WAIT_SECONDS}, json_serializer=_to_json
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions itself
        for pragma in (
            f"page_size = {_PAGE_BYTES}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {LOCK_WAIT_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(
        url.difference_update_query([PREPARE_THRESHOLD]),
        pool_pre_ping=True,
        json_serializer=_to_json,
        connect_args={
            "autocommit": True,  # the driver must not begin transactions itself
            PREPARE_THRESHOLD: _prepare_threshold(url),
            "connect_timeout": LOCK_WAIT_SECONDS,
            "application_name": "content-sync",
            # A lost connection fails within seconds, not after 15 minutes.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": LOCK_WAIT_SECONDS * 1000,
        },
    )
    settings = "".join(f"; SET LOCAL {name} = '{value}'" for name, value in _SERVER_OPTIONS.items())

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(f"BEGIN {options.get('begin', '')}{settings}")

    return engine


def _prepare_threshold(url: URL) -> int | None:
    """Return after how many runs a statement is prepared, or None for never; the URL may set it."""
    given = url.query.get(PREPARE_THRESHOLD, "5")
    if given == "none":
        return None
    if isinstance(given, str) and given.isdecimal() and int(given) > 0:
        return int(given)
    raise ConfigurationError(f"{PREPARE_THRESHOLD} in store_url must be a number from 1, or none")


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
