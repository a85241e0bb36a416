"""The whole service as real processes, to be broken and watched while it recovers by itself.

Watcher, worker and beat run over a Redis behind a proxy, a PostgreSQL and a mail server, with short
intervals. The one thing done for them is what every supervisor does: a process that ended is started
again. `settles` is the assertion of all tests of faults: the folder equals the store, every notice was
sent, and `doctor` is green. Used by the tests beside it and by the soak.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
from faults.hands import is_refused
from faults.installation import IMPATIENT
from faults.proxy import Proxy
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from support.peers import Post, mail_server
from support.programs import Process, clean_environment, run
from support.seeds import a_seed, write
from support.servers import PostgresServer, RedisServer
from support.waiting import PATIENCE_SECONDS

from worker.errors import ContentSyncError, StoreUnavailableError
from worker.run.doctor import doctor
from worker.settings.model import load_settings
from worker.store.engine import Store

PARTS = {"watch": ("watch",), "worker": ("worker", "-c", "2"), "beat": ("beat",)}
#: As a person would see it: how often the store is asked.
ASKING_SECONDS = 0.1


def quick_settings(
    mail_port: int, *, patience_seconds: float = 2, socket_seconds: float = 5
) -> dict[str, str]:
    """Return an environment with short intervals, no brake, and messages to a mail server."""
    settings = {
        "WATCH__REMOVAL_MS": "200",
        "WATCH__SCAN_SECONDS": "1",
        "WATCH__POLLING_SECONDS": "1",
        "BRAKE__SHARE": "1",
        "BRAKE__COUNT": "100000",
        "DELIVERY__GROUP_WAIT_SECONDS": "0.2",
        "DELIVERY__GROUP_MAX_SECONDS": "2",
        "DELIVERY__TICK_SECONDS": "0.3",
        "DELIVERY__LEASE_SECONDS": "3",
        "REVIEW__SWEEP_SECONDS": "3",
        "CHANNELS__MAIL__KIND": "email",
        "CHANNELS__MAIL__HOST": "127.0.0.1",
        "CHANNELS__MAIL__PORT": str(mail_port),
        "ROUTES__TEAM__CHANNEL": "mail",
        "ROUTES__TEAM__TO": '["team@example.org"]',
    }
    environment = {f"CONTENT_SYNC_{name}": value for name, value in settings.items()}
    patience = {"IN_FLIGHT_SECONDS": patience_seconds, "SOCKET_SECONDS": socket_seconds}
    return {**environment, **{name: str(seconds) for name, seconds in patience.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One installation's folder and store, as somebody sees them who trusts neither."""

    seeds: Path
    store: Store
    post: Post

    def differences(self) -> list[str]:
        """Return what keeps folder and store, or notices and messages, from being equal."""
        try:
            rows, refused, notices, doubled = self._ask()
        except (StoreUnavailableError, DBAPIError) as error:
            return [f"the store does not answer: {error}"]
        return [
            *_between(self._folder(), rows, refused),
            *self._between_notices_and_messages(rows, notices),
            *(f"{path}: version {number} is doubled" for path, number in doubled),
        ]

    def versions(self) -> int:
        """Return how many versions are stored."""
        with self.store.read() as connection:
            return int(connection.execute(text("SELECT count(*) FROM versions")).scalar_one())

    def _ask(self) -> tuple[list[Any], dict[str, str], list[Any], list[Any]]:
        with self.store.read() as connection:
            rows = connection.execute(
                text("SELECT id, path, state, sha256, status, due_on, number FROM documents")
            ).all()
            refused = connection.execute(
                text("SELECT path, sha256 FROM paths WHERE state = 'refused'")
            ).all()
            notices = connection.execute(
                text("SELECT document_id, path, kind, state, message_id FROM notices")
            ).all()
            doubled = connection.execute(
                text(
                    "SELECT a.path, b.number FROM versions a JOIN versions b"
                    " ON b.document_id = a.document_id AND b.number = a.number + 1"
                    " AND b.sha256 = a.sha256"
                )
            ).all()
        return list(rows), dict(map(tuple, refused)), list(notices), list(doubled)

    def _folder(self) -> dict[str, bytes]:
        files = {}
        for path in self.seeds.rglob("*.md"):
            if not path.name.startswith("."):
                with suppress(FileNotFoundError):
                    files[path.relative_to(self.seeds).as_posix()] = path.read_bytes()
        return files

    def _between_notices_and_messages(self, rows: list[Any], notices: list[Any]) -> Iterator[str]:
        headers = [e.content.partition(b"\r\n\r\n")[0] for e in list(self.post.envelopes)]
        received = b" ".join(headers).decode(errors="replace")
        notified = set()
        for notice in notices:
            if notice.state in {"pending", "failed"}:
                yield f"{notice.path}: its {notice.kind} notice is {notice.state}"
            elif notice.state == "sent":
                notified.add((notice.kind, notice.document_id))
        for message_id in {n.message_id for n in notices if n.state == "sent"}:
            if message_id not in received:
                yield f"the message {message_id} is marked as sent, and never came"
        today = datetime.now(UTC).date().isoformat()
        for row in rows:
            owed = row.state == "live" and row.status == "active" and row.due_on is not None
            if owed and str(row.due_on) < today and ("review", row.id) not in notified:
                yield f"{row.path}: its review is overdue, and nobody got a message"


def _between(
    files: Mapping[str, bytes], rows: list[Any], refused: Mapping[str, str]
) -> Iterator[str]:
    live = {row.path: row.sha256 for row in rows if row.state == "live"}
    for path, data in files.items():
        sha256 = hashlib.sha256(data).hexdigest()
        if is_refused(data):
            if refused.get(path) != sha256:
                yield f"{path}: it is wrong, and not refused"
        elif live.get(path) != sha256:
            yield f"{path}: the store has {live.get(path, 'nothing')[:12]}, not {sha256[:12]}"
        elif path in refused:
            yield f"{path}: it is fixed, and still refused"
    for path in (live.keys() | refused.keys()) - files.keys():
        yield f"{path}: it is gone from the folder, and {'live' if path in live else 'refused'}"


class Deployment:
    """One installation: its servers, its processes, and what was done to them."""

    def __init__(
        self,
        folder: Path,
        *,
        redis: RedisServer,
        postgres: PostgresServer,
        proxy: Proxy,
        post: Post,
        store_url: str,
        **seconds: float,
    ) -> None:
        self.folder = folder
        self.seeds = folder / "seeds"
        self.seeds.mkdir()
        (folder / "elsewhere").mkdir()  # workers share no disk with the watcher
        self.redis, self.postgres, self.proxy, self.post = redis, postgres, proxy, post
        self.env = {
            "CONTENT_SYNC_STORE_URL": store_url,
            "CONTENT_SYNC_BROKER_URL": redis.url.replace(f":{redis.port}/", f":{proxy.port}/"),
            "CONTENT_SYNC_SEEDS": str(self.seeds),
            **quick_settings(post.port, **seconds),
        }
        self.store = Store(store_url)
        self.library = Library(seeds=self.seeds, store=self.store, post=post)
        self.processes: dict[str, Process] = {}
        self.families: list[int] = []
        self._probes = itertools.count()
        migrated = run("migrate", cwd=folder, env=without_patience(self.env))
        assert migrated.returncode == 0, migrated.stderr
        with patch.dict(os.environ, clean_environment(without_patience(self.env)), clear=True):
            self.settings = load_settings()

    def start(self, part: str) -> Process:
        """Start a part, as a supervisor does; wait for nothing."""
        cwd = self.folder if part == "watch" else self.folder / "elsewhere"
        process = Process(*PARTS[part], cwd=cwd, env=self.env, program=("-P", str(IMPATIENT)))
        self.processes[part] = process
        return process

    def kill(self, part: str) -> None:
        """End a part and its children by SIGKILL, and start it again."""
        self.processes[part].kill()
        self.start(part)

    def kill_parent(self) -> None:
        """End the worker by SIGKILL, but not its children, and start it again."""
        pid = self.processes["worker"].pid
        self.families.append(pid)
        os.kill(pid, signal.SIGKILL)
        self.processes["worker"].wait()
        self.start("worker")

    def orphans(self) -> list[int]:
        """Return the children that killed parents have left behind."""
        return [
            one.pid
            for one in psutil.process_iter(["status"])
            if _group_of(one.pid) in self.families and one.info["status"] != psutil.STATUS_ZOMBIE
        ]

    def kill_child(self) -> None:
        """End one of the worker's processes by SIGKILL; the worker itself lives on."""
        with suppress(psutil.NoSuchProcess, IndexError):
            psutil.Process(self.processes["worker"].pid).children()[0].kill()

    @contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """Stop a part and its children for a while, as an overloaded machine does."""
        pid = self.processes[part].pid
        os.killpg(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(pid, signal.SIGCONT)

    def revive(self) -> list[str]:
        """Start again what has ended by itself, as a supervisor does; return what that was."""
        ended = [part for part, process in self.processes.items() if process.exit_code is not None]
        for part in ended:
            self.start(part)
        return ended

    def terminate_backends(self) -> None:
        """End every connection to the database from its side."""
        with suppress(ContentSyncError), self.store.write() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    def settles(self, *, timeout: float = PATIENCE_SECONDS) -> float:
        """Wait until everything is well, and return how many seconds that took.

        A fresh page must be stored and reported too, so that a process that only seems to run does not pass.
        """
        started_at = time.monotonic()
        probe = f"probe-{next(self._probes)}"
        write(self.seeds / f"{probe}.md", a_seed(title=probe, body=f"# {probe}\n\nA page.\n"))
        self._waits_until_nothing(self.library.differences, timeout=timeout)
        left = max(5.0, timeout - (time.monotonic() - started_at))
        self._waits_until_nothing(self.complaints, timeout=left)
        return time.monotonic() - started_at

    def complaints(self) -> list[str]:
        """Return what `doctor` finds wrong, and what has ended."""
        checks = [*doctor(self.settings, None), *doctor(self.settings, "worker")]
        wrong = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
        ended = [part for part, process in self.processes.items() if process.exit_code is not None]
        return [
            *wrong,
            *(f"{part} has ended" for part in ended),
            *(f"process {pid} has lost its parent, and lives" for pid in self.orphans()),
        ]

    def _waits_until_nothing(self, found: Callable[[], list[str]], *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while left := found():
            if time.monotonic() > deadline:
                shown = "\n".join(sorted(left)[:20])
                pytest.fail(f"after {timeout:.0f} s:\n{shown}\n\n{self.last_words()}")
            time.sleep(ASKING_SECONDS)

    def last_words(self) -> str:
        """Return the end of what each part has printed."""
        return "\n".join(
            f"-- {process}\n" + "\n".join(process.output.splitlines()[-15:])
            for process in self.processes.values()
        )

    def close(self) -> None:
        """End every part at once."""
        for process in self.processes.values():
            process.kill()
        for pid in self.orphans():
            os.kill(pid, signal.SIGKILL)
        self.store.close()


@contextmanager
def deployment(
    folder: Path, *, postgres: PostgresServer | None = None, **seconds: float
) -> Iterator[Deployment]:
    """Run the whole service in a folder, over servers of its own, or a given PostgreSQL.

    `seconds` are those of `quick_settings`.
    """
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(append_only=True))
        postgres = postgres or stack.enter_context(PostgresServer())
        proxy = stack.enter_context(Proxy(redis.port))
        post = stack.enter_context(mail_server())
        made = Deployment(
            folder,
            redis=redis,
            postgres=postgres,
            proxy=proxy,
            post=post,
            store_url=postgres.url(),
            **seconds,
        )
        stack.callback(made.close)
        for part in PARTS:
            made.start(part)
        yield made


def without_patience(env: Mapping[str, str]) -> dict[str, str]:
    """Return what is a setting of that environment."""
    return {name: value for name, value in env.items() if name.startswith("CONTENT_SYNC_")}


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
