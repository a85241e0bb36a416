"""One installation over a real Redis and PostgreSQL, and a line to a server that can be cut."""

from __future__ import annotations

import hashlib
import json
import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from support.programs import Process, run, started

IMPATIENT = Path(__file__).with_name("impatient.py")


class Installation:
    """The environment of one installation, and a plain view into its database."""

    def __init__(self, folder: Path, store_url: str, redis_url: str, **env: str) -> None:
        self.folder = folder
        self.seeds = folder / "seeds"
        self.seeds.mkdir()
        self.env = {
            "CONTENT_SYNC_STORE_URL": store_url,
            "CONTENT_SYNC_BROKER_URL": redis_url,
            "CONTENT_SYNC_WATCH__REMOVAL_MS": "200",
            "CONTENT_SYNC_WATCH__SCAN_SECONDS": "2",
            "CONTENT_SYNC_DELIVERY__GROUP_WAIT_SECONDS": "0.5",
            "CONTENT_SYNC_DELIVERY__TICK_SECONDS": "0.3",
            **env,
        }
        self._dsn = store_url.replace("postgresql+psycopg", "postgresql")
        assert run("migrate", cwd=folder, env=self.env).returncode == 0

    def start(self, *arguments: str, **env: str) -> Any:
        return started(*arguments, cwd=self.folder, env={**self.env, **env})

    def start_impatient_watcher(self, seconds: float) -> Any:
        """Start one that takes a batch for lost after so many seconds, not after twenty."""
        env = {**self.env, "IN_FLIGHT_SECONDS": str(seconds)}
        return started("watch", cwd=self.folder, env=env, program=("-P", str(IMPATIENT)))

    def ask(self, *arguments: str) -> Any:
        """Return what a reading command answers, and its exit code."""
        done = run(*arguments, "--json", cwd=self.folder, env=self.env)
        assert done.stdout, done.stderr
        return json.loads(done.stdout), done.returncode

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._dsn) as connection:
            return connection.execute(statement).fetchall()

    def change(self, statement: str) -> None:
        with psycopg.connect(self._dsn) as connection:
            connection.execute(statement)

    def stored(self) -> dict[str, str]:
        """Return the live documents and the hashes of their bytes."""
        return dict(self.query("SELECT path, sha256 FROM documents WHERE state = 'live'"))

    def lies_there(self) -> dict[str, str]:
        """Return the files in the folder and the hashes of their bytes."""
        return {
            path.relative_to(self.seeds).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.seeds.rglob("*.md")
        }

    def is_equal(self) -> bool:
        return self.stored() == self.lies_there()

    def leader(self) -> int | None:
        """Return the process id of the watcher that leads."""
        rows = self.query("SELECT data FROM heartbeats WHERE name = 'lead:watcher'")
        return rows[0][0]["pid"] if rows and rows[0][0]["holder"] else None

    def leads(self, process: Process) -> bool:
        return self.leader() == process.pid


class Line:
    """A TCP connection to a server on loopback; while it is cut, nothing passes and neither end notices."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._whole = threading.Event()
        self._whole.set()
        self._ended = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        self._whole.clear()

    def fix(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self._ended = True
        self._whole.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _carry(self) -> None:
        while not self._ended:
            self._whole.wait()
            for key, _ in self._selector.select(0.05):
                if not self._whole.is_set():
                    break
                if key.fileobj is self._listener:
                    self._connect()
                else:
                    self._pass_on(key.fileobj, key.data)

    def _connect(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._port))
        self._selector.register(near, selectors.EVENT_READ, far)
        self._selector.register(far, selectors.EVENT_READ, near)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = source.recv(65536)
            target.sendall(data)
        if not data:
            for end in (source, target):
                with suppress(KeyError):
                    self._selector.unregister(end)
                end.close()
