"""Copies a PostgreSQL store into a file and back, by the server's own pg_dump, pg_restore and psql.

The programs get the connection by their environment, so no password is on a command line or in a log. A
restore is one transaction, which also leaves a mark: whoever opens the store next begins an epoch, even if
the restore was killed right after its commit. Called by `worker.run.backup` and `worker.run.restore_store`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from worker.errors import BackupError
from worker.store.engine import PREPARE_THRESHOLD
from worker.store.schema import metadata

_HEADER = b"PGDMP"
_VERSION_TABLE = "alembic_version"
#: A comment on the table `events`, with the ID of the newest event of the backup.
_MARK = "content-sync restored "
#: What pg_restore writes from version 17 on, for whichever server.
_UNKNOWN_TO_OLDER = b"SET transaction_timeout = 0;\n"
_HEAD = """\\set ON_ERROR_STOP on
BEGIN;
SET LOCAL lock_timeout = '10s';
SET LOCAL client_min_messages = warning;
DROP TABLE IF EXISTS {tables} CASCADE;
"""
_TAIL = """
DO $$ BEGIN
  EXECUTE format('COMMENT ON TABLE public.events IS %L',
    (SELECT '{mark}' || coalesce(max(id), 0) FROM public.events));
END $$;
COMMIT;
"""


def is_copy(file: Path) -> bool:
    """Return whether a file begins as a dump of pg_dump in its custom format does."""
    with file.open("rb") as opened:
        return opened.read(len(_HEADER)) == _HEADER


def dump(connection: Connection, url: URL, part: Path) -> None:
    """Write our tables as this transaction sees them into a file."""
    require_server(connection)
    snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
    _run(
        url,
        "pg_dump",
        *("--format=custom", "--no-owner", "--no-privileges"),
        *(f"--table=public.{name}" for name in (*metadata.tables, _VERSION_TABLE)),
        *(f"--snapshot={snapshot}", f"--file={part}"),
    )


def require_server(connection: Connection) -> None:
    """Raise `BackupError` behind a pooler: settings of a program's session would reach its other clients."""
    driver: Any = connection.connection.dbapi_connection
    if driver.info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")):
        raise BackupError(
            "store_url leads to a pooler, such as PgBouncer: give CONTENT_SYNC_STORE_URL the address of the"
            " server itself for backup and restore-store"
        )


def require_whole(file: Path) -> None:
    """Raise `BackupError` unless a dump can be read to its end."""
    try:
        _run(None, "pg_restore", f"--file={os.devnull}", str(file))
    except BackupError as error:
        raise BackupError(f"{file} is damaged or not whole: {error}") from error


def rows_of(file: Path, table: str) -> list[dict[str, str]]:
    """Return the rows of a small table in a dump, as text; empty if it has no such table."""
    script = _run(None, "pg_restore", "--data-only", f"--table={table}", "--file=-", str(file))
    lines = iter(script.splitlines())
    for line in lines:
        if line.startswith("COPY "):
            names = [
                n.strip().strip('"') for n in line[line.index("(") + 1 : line.index(")")].split(",")
            ]
            rows = iter(lines.__next__, "\\.")
            return [dict(zip(names, row.split("\t"), strict=True)) for row in rows]
    return []


def restore(url: URL, file: Path) -> None:
    """Replace our tables by those of a dump, in one transaction: all of it, or nothing."""
    tables = ", ".join(f'public."{name}"' for name in (*metadata.tables, _VERSION_TABLE))
    psql = subprocess.Popen(  # noqa: S603 - no shell, and found on PATH
        [_tool("psql"), "--no-psqlrc", "--quiet", "--output", os.devnull, "--file=-"],
        env=_environment(url),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    reader = subprocess.Popen(  # noqa: S603
        [_tool("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        if psql.stdin is None or reader.stdout is None:
            raise AssertionError("both are pipes")
        psql.stdin.write(_HEAD.format(tables=tables).encode())
        _copy_script(reader.stdout, psql.stdin)
        _, said = reader.communicate()
        if reader.returncode:
            raise BackupError(f"{file} is damaged or not whole: {_first_line(said)}")
        _, said = psql.communicate(_TAIL.format(mark=_MARK).encode())
    except BrokenPipeError:  # psql gave up, and says why
        said = psql.stderr.read() if psql.stderr is not None else b""
        psql.wait()
    finally:
        for process in (reader, psql):  # without COMMIT the server takes everything back
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
    if psql.returncode:
        raise BackupError(f"nothing was restored: {_first_line(said)}")


def _copy_script(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy what pg_restore writes, without the setting that servers before 17 refuse."""
    for line in source:
        if line != _UNKNOWN_TO_OLDER:
            target.write(line)
        if line.startswith(b"SET client_encoding"):  # behind it are the tables
            break
    shutil.copyfileobj(source, target)


def find_mark(connection: Connection) -> int | None:
    """Return the newest event of the backup that was restored, if no epoch began since; else None."""
    query = text("SELECT obj_description('events'::regclass, 'pg_class')")
    said: str | None = connection.scalar(query)
    if said is None or not said.startswith(_MARK):
        return None
    return int(said.removeprefix(_MARK))


def remove_mark(connection: Connection) -> None:
    """Remove the mark, in the transaction that begins the epoch."""
    connection.execute(text("COMMENT ON TABLE events IS NULL"))


def others(connection: Connection) -> int:
    """Return how many other connections of this program the database has."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'content-sync' AND pid <> pg_backend_pid()"
    )
    return connection.scalar(query) or 0


def _run(url: URL | None, tool: str, *arguments: str) -> str:
    """Run one of the server's programs and return what it prints; raise `BackupError` if it fails."""
    done = subprocess.run(  # noqa: S603 - no shell, and found on PATH
        [_tool(tool), *arguments],
        env=_environment(url) if url is not None else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(_first_line(done.stderr) or f"{tool} ended with {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not on PATH: install PostgreSQL's client programs, of the server's version or newer"
        )
    return found


def _environment(url: URL) -> dict[str, str]:
    """Return this environment with a connection as libpq's variables; no other of them counts."""
    from psycopg.pq import Conninfo  # noqa: PLC0415 - only a store on PostgreSQL has it loaded

    ours = url.difference_update_query([PREPARE_THRESHOLD])
    named = ours.translate_connect_args(username="user", database="dbname") | dict(ours.query)
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    kept = {name: value for name, value in os.environ.items() if name not in variables.values()}
    for name, value in named.items():
        if name not in variables:
            raise BackupError(
                f"the option {name!r} of store_url is unknown to PostgreSQL's programs"
            )
        kept[variables[name]] = ",".join(value) if isinstance(value, tuple) else str(value)
    return kept


def _first_line(said: bytes) -> str:
    return said.decode("utf-8", "replace").strip().partition("\n")[0]
