"""The service as a team runs it, for the benchmarks: embedded, or over Redis and PostgreSQL on a disk.

Real processes with the default settings but for what a benchmark says. The servers of the tests keep
their files in memory and do not wait for a disk; here PostgreSQL syncs as it does by default, and Redis
has the append-only file that docs/operating.md requires. Called by the benchmarks alone.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from support.programs import Process, started
from support.servers import PostgresServer, RedisServer, this_account
from support.waiting import wait_until
from timing import peak_bytes, run, temporary

MEBIBYTE = 2**20


class DurablePostgres(PostgresServer):
    """A PostgreSQL on a disk, which waits for it as it does by default."""

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.folder)
        self.folder = Path(tempfile.mkdtemp(prefix="content-sync-postgres-", dir="/var/tmp"))
        if self.account != this_account():
            shutil.chown(self.folder, self.account.user_id, self.account.group_id)

    def _command(self) -> list[str]:
        durable = ("fsync=on", "full_page_writes=on", "shared_buffers=128MB")
        return [*super()._command(), *(part for setting in durable for part in ("-c", setting))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A service that runs: its folder, its processes by name, and its store as SQL sees it."""

    name: str
    folder: Path
    parts: Mapping[str, Process]
    ask: Callable[[str], tuple[Any, ...] | None]
    env: Mapping[str, str] = field(default_factory=dict)
    redis: RedisServer | None = None

    @property
    def seeds(self) -> Path:
        """Return the folder that is the truth."""
        return self.folder / "seeds"

    def documents(self) -> int:
        """Return how many documents are stored."""
        row = self.ask("SELECT count(*) FROM documents")
        assert row is not None
        return int(row[0])

    def wait_for_documents(self, pages: int, *, seconds: float) -> None:
        """Wait until so many documents are stored."""
        wait_until(lambda: self.documents() >= pages, timeout=seconds, what=f"{pages} documents")


@contextmanager
def embedded(
    *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Run `up` over a folder, by default a new and empty one."""
    with ExitStack() as stack:
        folder = folder or stack.enter_context(temporary())
        (folder / "seeds").mkdir(exist_ok=True)
        up = stack.enter_context(started("up", cwd=folder, env=env))
        up.wait_for("Ctrl-C stops")
        store = stack.enter_context(closing(open_sqlite(folder)))
        yield Installation(
            name="embedded, SQLite",
            folder=folder,
            parts={"up": up},
            ask=lambda query: store.execute(query).fetchone(),
            env=env or {},
        )


@contextmanager
def distributed(
    *,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    processes: int = 2,
    before: Callable[[dict[str, str], Path], None] | None = None,
    through: Callable[[str], str] | None = None,
) -> Iterator[Installation]:
    """Run `watch`, `worker` and `beat` over a Redis and a PostgreSQL of their own.

    `before` is called when the store is migrated and nothing runs yet; `through` turns the store's URL
    into that of a proxy for the three.
    """
    with ExitStack() as stack:
        folder = folder or stack.enter_context(temporary())
        (folder / "seeds").mkdir(exist_ok=True)
        redis = stack.enter_context(RedisServer(append_only=True))
        postgres = stack.enter_context(DurablePostgres())
        url = stack.enter_context(postgres.database())
        env = {
            **(env or {}),
            "CONTENT_SYNC_BROKER_URL": redis.url,
            "CONTENT_SYNC_STORE_URL": url,
        }
        run(sys.executable, "-m", "worker", "migrate", cwd=folder, env=env)
        if before is not None:
            before(env, folder)
        if through is not None:
            env["CONTENT_SYNC_STORE_URL"] = through(url)
        store = stack.enter_context(psycopg.connect(url.replace("+psycopg", ""), autocommit=True))
        commands = {
            "worker": ("worker", "--concurrency", str(processes)),
            "beat": ("beat",),
            "watch": ("watch",),
        }
        parts = {
            name: stack.enter_context(started(*command, cwd=folder, env=env))
            for name, command in commands.items()
        }
        installation = Installation(
            name="Redis, prefork, PostgreSQL",
            folder=folder,
            parts=parts,
            ask=lambda query: store.execute(query).fetchone(),
            env=env,
            redis=redis,
        )
        _wait_until_all_live(installation)
        yield installation


INSTALLATIONS = {"embedded": embedded, "distributed": distributed}


def peak_mebibytes(process: Process) -> dict[str, float]:
    """Return the most resident memory that a process and each of its children have had, in MiB.

    The result has one entry a process id and leaves out children that have ended.
    """
    whole = psutil.Process(process.pid)
    family = [whole, *whole.children(recursive=True)]
    return {str(one.pid): peak_bytes(one.pid) / MEBIBYTE for one in family}


def resident_mebibytes(process: Process) -> float:
    """Return the resident memory of the largest of a process and its children, in MiB."""
    whole = psutil.Process(process.pid)
    family = [whole, *whole.children(recursive=True)]
    return float(max(one.memory_info().rss for one in family)) / MEBIBYTE


def processor_seconds(process: Process) -> float:
    """Return the processor time of a process and its children so far."""
    whole = psutil.Process(process.pid)
    times = [one.cpu_times() for one in (whole, *whole.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


def open_sqlite(folder: Path) -> sqlite3.Connection:
    """Return a connection to the store of an embedded service."""
    store = sqlite3.connect(
        folder / "var" / "content-sync.db", isolation_level=None, check_same_thread=False
    )
    store.execute("PRAGMA busy_timeout = 10000")
    return store


def _wait_until_all_live(installation: Installation) -> None:
    """Wait for the watcher's first beat, and for the sweep that the scheduler asks a worker for."""
    living = "SELECT count(*) FROM heartbeats WHERE name IN ('watcher', 'sweep')"
    wait_until(lambda: installation.ask(living) == (2,), what="all parts to live")
