"""Every part on a host of its own, and one that is lost: a worker in the middle of a batch, a leader."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from faults.hosts import NETWORK, hosts, require_hosts
from faults.namespace import inside, require_namespaces
from support.programs import Process, run_anew, started
from support.seeds import BODY, a_seed, write
from support.servers import PostgresServer, RedisServer
from support.waiting import wait_until

from worker.store.engine import EVENT_LOCK

PAGES, BATCH = 120, 20
ANYWHERE = "0.0.0.0"
FIRST, SECOND = "watcher", "stand-by"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class ReachableRedis(RedisServer):
    """A Redis that listens on every address of its host."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--bind", ANYWHERE]


class ReachablePostgres(PostgresServer):
    """A PostgreSQL that listens on every address of its host, and lets the test's hosts in."""

    def _make_cluster(self) -> None:
        super()._make_cluster()
        with (self.folder / "data" / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {NETWORK}.0/24 password\n")

    def _command(self) -> list[str]:
        return [*super()._command(), "-c", f"listen_addresses={ANYWHERE}"]


@contextmanager
def receiver() -> Iterator[tuple[int, dict[str, int]]]:
    """Run a webhook's receiver on every address of this host; yield its port and what it received.

    That is the number of reviews by message id: a repeated message has the same id.
    """
    received: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received[self.headers["webhook-id"]] = sum(
                section["total"] for section in body["data"]["sections"]
            )
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((ANYWHERE, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Machines:
    """Servers, two watchers, beat, two workers, each on its host, and a view into the database."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        names = ("servers", FIRST, SECOND, "beat", "one", "two")
        self.switch, self.hosts = stack.enter_context(hosts(*names))
        self.folder, self.stack = folder, stack
        servers = self.hosts["servers"]
        with servers.inside():
            redis = stack.enter_context(ReachableRedis())
            postgres = stack.enter_context(ReachablePostgres())
            port, self.received = stack.enter_context(receiver())
            url = postgres.url()
            # A connection stays on the host where it was made.
            dsn = url.replace("+psycopg", "")
            self._database = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        settings = f"""
            store_url = "{url.replace("127.0.0.1", servers.address)}"
            broker_url = "{redis.url.replace("127.0.0.1", servers.address)}"
            [watch]
            scan_seconds = 1
            removal_ms = 200
            [intake]
            batch_files = {BATCH}
            [delivery]
            group_wait_seconds = 0.5
            tick_seconds = 0.5
            [channels.hook]
            kind = "webhook"
            url = "http://{servers.address}:{port}/"
            secret = "whsec_{"c2VjcmV0" * 4}"
            allow_private = ["{servers.address}"]
            [routes.everyone]
            channel = "hook"
            kinds = ["review"]
            """
        text = "\n".join(line.strip() for line in settings.splitlines())
        self.env = {"CONTENT_SYNC_CONFIG": str(write(folder / "settings.toml", text))}

    def run(self, host: str, *arguments: str) -> Any:
        """Run a command on a host to its end."""
        with self.hosts[host].inside():
            return run_anew(*arguments, cwd=self.place(host), env=self.env_of(host))

    def start(self, host: str, *arguments: str) -> Any:
        """Start a part on a host; it ends with the test."""
        context = started(*arguments, cwd=self.place(host), env=self.env_of(host))
        with self.hosts[host].inside():
            return self.stack.enter_context(context)

    def env_of(self, host: str, *, seeds: Path | None = None) -> dict[str, str]:
        """Return a host's settings; by default each has a seeds folder of its own."""
        return {**self.env, "CONTENT_SYNC_SEEDS": str(seeds or self.place(host) / "seeds")}

    def boot_watcher(self, host: str) -> Process:
        """Start a watcher of the one folder on a host that has booted just now.

        All hosts here count their processes together: without a boot of its own, the watcher of another
        could look whether this one is gone.
        """
        boot_id = write(self.place(host) / "boot_id", f"{uuid.uuid4()}\n")
        # In namespaces of its own, as root there: it sees that boot id, and nobody else does.
        with self.hosts[host].inside():
            process = Process(
                "watch",
                cwd=self.place(host),
                env=self.env_of(host, seeds=self.seeds),
                inside=inside(f"mount --bind '{boot_id}' {BOOT_ID}"),
            )
        self.stack.callback(process.kill)
        return process

    def place(self, host: str) -> Path:
        """Return a folder of a host's own; the seeds lie in the first watcher's."""
        place = self.folder / host
        (place / "seeds").mkdir(parents=True, exist_ok=True)
        return place

    @property
    def seeds(self) -> Path:
        """Return the folder that is watched."""
        return self.place(FIRST) / "seeds"

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._database.execute(statement).fetchall()

    def stored(self) -> dict[str, str]:
        """Return the hash of every live document's file by its path."""
        return dict(self.query("SELECT path, sha256 FROM documents WHERE state = 'live'"))

    def lying_there(self) -> dict[str, str]:
        """Return the same of the folder."""
        files = {path.name: path.read_bytes() for path in self.seeds.iterdir()}
        return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}

    def writers(self) -> set[str]:
        """Return the addresses of the hosts that wait for the lock of the events."""
        query = "SELECT host(client_addr) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        return {address for (address,) in self.query(query)}

    def leader(self) -> str | None:
        """Return the host whose watcher leads."""
        rows = self.query("SELECT data->>'host' FROM heartbeats WHERE name = 'lead:watcher'")
        return str(rows[0][0]) if rows else None

    def watchers(self) -> tuple[str, list[str]]:
        """Return the host that leads, and those that stand by, as `status` has it."""
        answer = json.loads(self.run("servers", "status", "--json").stdout)["watcher"]
        return answer["leader"]["host"], [one["host"] for one in answer["stand_by"]]

    def are_equal(self, what: str) -> None:
        """Wait until the store is what the folder is."""
        wait_until(lambda: self.stored() == self.lying_there(), what=what)

    def healthy(self, host: str, part: str) -> bool:
        """Ask a part's health check, on its own host."""
        return bool(self.run(host, "doctor", "--as", part).returncode == 0)


def a_page(number: int, **fields: Any) -> str:
    """Return a page with a text of its own: workers wait for each other at equal ones."""
    return a_seed(**{"title": f"Page {number}", **fields}, body=f"{BODY}\nThis is page {number}.\n")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    require_hosts()
    with ExitStack() as stack:
        yield Machines(tmp_path, stack)


def test_a_worker_cut_off_during_a_batch_does_not_block_others_and_comes_back(
    machines: Machines,
):
    assert machines.run("servers", "migrate").returncode == 0
    for number in range(PAGES):
        write(machines.seeds / f"{number}.md", a_page(number))
    one, two = machines.hosts["one"], machines.hosts["two"]
    for name in ("one", "two"):
        machines.start(name, "worker", "-c", "1")
    machines.start("beat", "beat")
    # Both workers stop in the middle of a transaction, each with a batch: at the events.
    machines.query(f"SELECT pg_advisory_lock({EVENT_LOCK})")
    machines.start("watcher", "watch")
    wait_until(
        lambda: machines.writers() >= {one.address, two.address},
        what="both workers in the middle of a batch",
    )
    machines.switch.cut_off(one)
    machines.query(f"SELECT pg_advisory_unlock({EVENT_LOCK})")
    wait_until(
        lambda: len(machines.stored()) >= PAGES - BATCH,
        what="all pages but those that the lost worker has",
    )
    machines.switch.heal(one)
    wait_until(lambda: len(machines.stored()) == PAGES, what="all pages")

    wait_until(lambda: machines.healthy("one", "worker"), what="the worker's return")
    write(machines.seeds / "0.md", a_page(0, title="Page 0, edited"))
    machines.are_equal("the edit")
    wait_until(
        lambda: machines.query("SELECT DISTINCT state FROM notices") == [("sent",)],
        what="all messages",
    )
    assert machines.query("SELECT count(*), max(number) FROM versions") == [(PAGES + 1, 2)]
    assert machines.query("SELECT count(*) FROM notices") == [(PAGES,)]
    assert sum(machines.received.values()) == PAGES, "each review in one message"
    for host, part in (("two", "worker"), ("beat", "beat"), ("watcher", "watcher")):
        wait_until(lambda h=host, p=part: machines.healthy(h, p), what=f"a green {part}")
    assert machines.run("watcher", "doctor").returncode == 0


@pytest.mark.parametrize("power", [True, False], ids=["cut off", "without power"])
def test_a_leader_on_a_lost_host_is_replaced_and_stands_by_after_its_return(
    machines: Machines, *, power: bool
):
    require_namespaces()
    assert machines.run("servers", "migrate").returncode == 0
    page = machines.seeds / "a.md"
    machines.start("one", "worker", "-c", "1")
    first = machines.boot_watcher(FIRST)
    first.wait_for("leading (no other watcher is running)")
    second = machines.boot_watcher(SECOND)
    second.wait_for(f"standing by: process {first.pid} on {FIRST} leads")
    write(page, a_page(1))
    machines.are_equal("the page before")
    assert machines.watchers() == (FIRST, [SECOND])

    machines.switch.cut_off(machines.hosts[FIRST])
    if not power:
        first.kill()  # what it would say of that to the servers is lost, too
    wait_until(lambda: machines.leader() == SECOND, what="another leader")
    second.wait_for(f"leading (process {first.pid} on {FIRST} was silent")
    write(page, a_page(1, title="While one host was lost"))
    write(machines.seeds / "b.md", a_page(2))
    machines.are_equal("what was written while one host was lost")

    machines.switch.heal(machines.hosts[FIRST])
    if not power:
        first = machines.boot_watcher(FIRST)
    first.wait_for(f"standing by: process {second.pid} on {SECOND} leads")
    write(page, a_page(1, title="When both were there again"))
    machines.are_equal("what was written when both were there again")
    assert machines.watchers() == (SECOND, [FIRST])
    for host in (FIRST, SECOND):
        wait_until(lambda h=host: machines.healthy(h, "watcher"), what=f"a green watcher on {host}")
    assert machines.query("SELECT path, number FROM documents ORDER BY path") == [
        ("a.md", 3),
        ("b.md", 1),
    ]
    assert machines.query("SELECT count(*) FROM versions") == [(4,)], "each edit once"
    assert (first.stop(), second.stop()) == (0, 0)
