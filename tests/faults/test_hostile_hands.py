"""Bar 10: what whoever may write files can make the service say, ask, read and give away: nothing.

More than 200 payloads go the whole way, from the bytes of a file to real servers for mail, chat and
webhooks. `tests/messages/channels/test_injection.py` gives each channel the same texts, uncleaned;
`test_webhook.py`, `test_deadman.py` and `test_addresses.py` say which addresses are asked.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email import message_from_bytes, policy
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from kombu.exceptions import OperationalError
from messages.channels.test_injection import ACTIVE, HOSTILE, MAIL_HEADERS, seen
from support.programs import run, started
from support.seeds import BODY, a_seed, write
from support.stored import Library, a_library
from support.waiting import wait_until

from worker.domain.seeds.visible import UNSAFE
from worker.errors import BrokerUnavailableError
from worker.ingest.spool import open_spool
from worker.run.tasks import create_app
from worker.settings.model import (
    AppriseChannel,
    EmailChannel,
    RouteSettings,
    Secret,
    WebhookChannel,
    load_settings,
)
from worker.watch.ignore import unsafe_name
from worker.watch.read import Absent, read_file, stamp_of

SECRET = "whsec_" + "c2VjcmV0" * 4
FIELDS_TO_SPOIL = ("title", "owner", "reviewerName", "source", "tags", "citation")
#: So few that a digest names each of them.
AT_ONCE = 12

# Apprise's e-mail service imports a module that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def payloads(canary: str) -> dict[str, bytes]:
    """Return files by their paths, each with one hostile value; all name an address to be asked."""
    files: dict[str, bytes] = {}
    body = f"{BODY}\n![x]({canary}/x.gif) <{canary}/y> [z]: {canary}/z\n"

    def add(path: str, **fields: Any) -> None:
        metadata = {"url": f"{canary}/url", "title": f"Page {len(files)}", **fields}
        text = a_seed(body=body, **metadata)
        files[path] = text.encode(errors="surrogatepass")

    for field in FIELDS_TO_SPOIL:
        for number, hostile in enumerate(HOSTILE.values()):
            add(f"{field}/{number}.md", **{field: [hostile] if field == "tags" else hostile})
    for hostile in HOSTILE.values():
        if unsafe_name(hostile) is None and len(hostile.encode()) <= 250:
            add(f"paths/{hostile}.md")
    return files


@contextmanager
def telling(sqlite_url: str, mail_port: int, chat_port: int, hook_port: int) -> Iterator[Library]:
    """Give a library whose notices go to three real servers."""
    token = "3ccdd113474722377935511fc85d3dd4"
    channels = {
        "mail": EmailChannel(host="127.0.0.1", port=mail_port),
        "chat": AppriseChannel(url=Secret(f"mmost://127.0.0.1:{chat_port}/{token}")),
        "hook": WebhookChannel(
            url=Secret(f"http://127.0.0.1:{hook_port}/hook"),
            secret=Secret(SECRET),
            allow_private=("127.0.0.1",),
        ),
    }
    routes = {name: RouteSettings(channel=name) for name in ("chat", "hook")}
    routes["mail"] = RouteSettings(channel="mail", to=("editor@example.org",))
    with a_library(sqlite_url, channels=channels, routes=routes) as library:
        yield library


def deliver(library: Library) -> None:
    """Send what is owed, and fail when anything was not sent."""
    library.services.sweep()
    library.later(minutes=10)
    delivered = library.services.deliver()
    assert {one.state for one in delivered} == {"sent"}
    assert {one.route for one in delivered} == {"mail", "chat", "hook"}


def test_no_payload_becomes_a_header_a_mention_markup_or_a_request(
    sqlite_url, start_post, start_web, subtests
):
    post, chat, hook, canary = start_post(), start_web(), start_web(), start_web()
    asked = f"http://127.0.0.1:{canary.port}"
    files = list(payloads(asked).items())
    assert len(files) > 200
    with telling(sqlite_url, post.port, chat.port, hook.port) as library:
        # What a digest looks like that tells of stored, refused, overdue and retracted pages.
        library.take_in({"tame.md": a_seed(), "refused.md": a_seed(lastReviewed="never")})
        library.take_in({"tame.md": a_seed(status="deprecated"), "b.md": a_seed(owner="Asha")})
        deliver(library)
        allowed = seen(read_mail(post).get_body(("html",)).get_content()).elements
        fixed = chat.bodies[0].keys()
        headers = hook.requests[0].headers.keys()

        for first in range(0, len(files), AT_ONCE):
            batch = dict(files[first : first + AT_ONCE])
            with subtests.test(f"{next(iter(batch))} and {len(batch) - 1} more"):
                post.envelopes.clear()
                chat.requests.clear()
                hook.requests.clear()
                library.take_in(batch)
                deliver(library)
                check_mail(post, allowed)
                for body in chat.bodies:
                    assert body.keys() == fixed
                    assert not ACTIVE.search(body["text"])
                    assert not UNSAFE.search(re.sub(r"\r?\n", "", body["text"]))
                (request,) = hook.requests
                assert request.headers.keys() == headers
                words = json.loads(request.body)["data"]
                assert not UNSAFE.search(words["subject"])
                assert not UNSAFE.search(re.sub(r"[\n\t]", "", words["text"]))
        stored = {row["path"] for row in library.services.list_documents(None)}
        refused = {row["path"] for row in library.services.list_refusals()}
    assert stored | refused >= dict(files).keys()
    assert len(stored) > len(files) / 2, "most payloads are plain words and are stored"
    assert not canary.requests


def read_mail(post: Any) -> Any:
    (envelope,) = post.envelopes
    return message_from_bytes(envelope.content, policy=policy.default)


def check_mail(post: Any, allowed: set[Any]) -> None:
    mail = read_mail(post)
    assert post.envelopes[0].rcpt_tos == ["editor@example.org"]
    assert mail["To"] == "editor@example.org"
    assert set(mail.keys()) <= set(MAIL_HEADERS)
    assert len(mail.keys()) == len(set(mail.keys()))
    assert not UNSAFE.search(mail["Subject"])
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    for part in mail.iter_parts():
        assert not UNSAFE.search(re.sub(r"[\r\n\t]", "", part.get_content()))
    read = seen(mail.get_body(("html",)).get_content())
    assert read.elements <= allowed
    assert read.other == []


@pytest.mark.parametrize(
    "path", ["../outside.md", "part/../../outside.md", "./../outside.md", "part/..", "/etc/passwd"]
)
def test_no_path_escapes_the_folder(seeds: Path, tmp_path: Path, path: str):
    write(tmp_path / "outside.md", a_seed())
    write(seeds / "part" / "a.md", a_seed())
    assert read_file(str(seeds), path, max_bytes=10_000, forced=True) == Absent()
    assert stamp_of(str(seeds), path) is None


@pytest.mark.parametrize("command", [("restore", "1"), ("reviewed",), ("retire",), ("diff",)])
def test_a_document_with_a_path_outside_the_folder_is_neither_read_nor_written(
    tmp_path: Path, command: tuple[str, ...]
):
    """Only whoever may write to the broker or the store can make one."""
    secret = write(tmp_path / "outside.md", a_seed(title="Sealed"))
    (tmp_path / "seeds").mkdir()
    url = f"sqlite:///{tmp_path / 'content-sync.db'}"
    with a_library(url) as library:
        library.drop("../outside.md", title="Forged")
    name, *rest = command
    env = {"CONTENT_SYNC_STORE_URL": url}
    done = run(name, "../outside.md", *rest, cwd=tmp_path, env=env)
    assert "Traceback" not in done.stderr
    assert "Sealed" not in done.stdout + done.stderr
    assert secret.read_text() == a_seed(title="Sealed")


def test_a_file_or_folder_that_becomes_a_link_is_not_followed(tmp_path: Path):
    """A hand that swaps files and folders for links as fast as it can gets nothing stored or said."""
    seeds, outside = tmp_path / "seeds", tmp_path / "outside"
    marker = f"sealed {secrets.token_hex(8)}"
    write(outside / "a.md", a_seed(title=marker))
    write(seeds / "part" / "a.md", a_seed(title="Inside"))
    enough = Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        aside = tmp_path / "aside"
        while not enough.is_set():
            # Links are made beside and renamed into place: no moment is without a name.
            (seeds / "b.tmp").symlink_to(outside / "a.md")
            (seeds / "b.tmp").replace(seeds / "b.md")
            write(seeds / "b.tmp", a_seed(title=f"Mine {swaps}"))
            (seeds / "b.tmp").replace(seeds / "b.md")
            (seeds / "part").replace(aside)
            (seeds / "part").symlink_to(outside)
            (seeds / "part").unlink()
            aside.replace(seeds / "part")
            swaps += 1

    env = {
        "CONTENT_SYNC_WATCH__SCAN_SECONDS": "0.2",
        "CONTENT_SYNC_WATCH__COALESCE_MS": "0.1",
        "CONTENT_SYNC_WATCH__MAX_WAIT_SECONDS": "0.1",
    }
    with started("up", cwd=tmp_path, env=env) as process:
        process.wait_for("Ctrl-C stops")
        hand = Thread(target=swap)
        hand.start()
        try:
            wait_until(lambda: swaps > 1000, what="1,000 swaps")
        finally:
            enough.set()
            hand.join()
        write(seeds / "last.md", a_seed(title="The last"))
        database = tmp_path / "var" / "content-sync.db"
        wait_until(lambda: titles(database) >= {"The last", "Inside"}, what="the end of it")
        process.stop()
        everything = process.output.encode()
    for file in database.parent.rglob("*"):
        everything += file.read_bytes() if file.is_file() else b""
    assert b"The last" in everything
    assert marker.encode() not in everything


def titles(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        return {title for (title,) in connection.execute("SELECT title FROM documents")}


def test_no_secret_is_printed_or_stored_even_for_debug(
    tmp_path: Path, postgres_url, shared_redis, redis_url, start_post, start_web
):
    """Every channel is used, and one of each kind fails while the other side repeats its secret."""
    token = {name: f"{name}{secrets.token_hex(8)}" for name in ("chat", "hook", "dead")}
    password = "tr0ub4dor"
    post = start_post(auth=True)
    refusing = start_post(auth=True, replies={"MAIL": f"451 {password} is no good"})
    chat, hook, dead, broken = start_web(), start_web(), start_web(), start_web()
    broken.status, dead.status = 500, 503
    broken.answer = f"{token['chat']} {token['hook']} {SECRET}".encode()
    dead.answer = token["dead"].encode()
    settings = f"""
        store_url = "{postgres_url}"
        log_level = "DEBUG"
        [watch]
        scan_seconds = 1
        [delivery]
        group_wait_seconds = 0.1
        tick_seconds = 0.2
        [stream]
        url = "{redis_url}"
        [deadman]
        url = "http://127.0.0.1:{dead.port}/ping/{token["dead"]}"
        every_seconds = 0.5
        """
    for name, mail in (("mail", post), ("badmail", refusing)):
        settings += f"""
        [channels.{name}]
        kind = "email"
        host = "127.0.0.1"
        port = {mail.port}
        username = "sync"
        password = "{password}"
        """
    for name, web in (("chat", chat), ("badchat", broken)):
        settings += f"""
        [channels.{name}]
        kind = "apprise"
        url = "json://user:{token["chat"]}@127.0.0.1:{web.port}/{token["chat"]}"
        """
    for name, web in (("hook", hook), ("badhook", broken)):
        settings += f"""
        [channels.{name}]
        kind = "webhook"
        url = "http://127.0.0.1:{web.port}/{token["hook"]}"
        secret = "{SECRET}"
        allow_private = ["127.0.0.1"]
        """
    for name in ("mail", "badmail", "chat", "badchat", "hook", "badhook"):
        to = 'to = ["editor@example.org"]' if "mail" in name else ""
        settings += f"""
        [routes.{name}]
        channel = "{name}"
        {to}
        """
    file = write(tmp_path / "settings.toml", "\n".join(map(str.strip, settings.splitlines())))
    env = {"CONTENT_SYNC_CONFIG": str(file)}
    write(tmp_path / "seeds" / "a.md", a_seed())
    said = run("migrate", cwd=tmp_path, env=env)
    printed = said.stdout + said.stderr
    with started("up", cwd=tmp_path, env=env) as process:
        wait_until(
            lambda: post.envelopes and chat.requests and hook.requests and dead.requests,
            what="a message over each channel",
        )
        wait_until(lambda: len(broken.requests) > 1 and refusing.logins, what="failures")
        wait_until(lambda: shared_redis.client.exists("content-sync:events"), what="the stream")
        for command in (("status",), ("doctor",), ("notify-test",)):
            said = run(*command, cwd=tmp_path, env=env)
            printed += said.stdout + said.stderr
        process.stop()
        printed += process.output
    assert "debug:" in printed
    printed += everything_stored(postgres_url) + str(
        shared_redis.client.xrange("content-sync:events")
    )
    passwords = [re.search(r":([^:@/]+)@", url)[1] for url in (postgres_url, redis_url)]
    for secret in (*passwords, *token.values(), password, SECRET.removeprefix("whsec_")):
        assert secret not in printed


def test_the_processes_log_no_secret_of_their_broker_even_for_debug(
    tmp_path: Path, postgres_url, shared_redis, redis_url
):
    env = {
        "CONTENT_SYNC_STORE_URL": postgres_url,
        "CONTENT_SYNC_BROKER_URL": redis_url,
        "CONTENT_SYNC_LOG_LEVEL": "DEBUG",
        "CONTENT_SYNC_DELIVERY__GROUP_WAIT_SECONDS": "0.1",
        "CONTENT_SYNC_DELIVERY__TICK_SECONDS": "0.2",
    }
    write(tmp_path / "seeds" / "a.md", a_seed())
    printed = run("migrate", cwd=tmp_path, env=env).stderr
    kept = b""
    with (
        started("watch", cwd=tmp_path, env=env) as watcher,
        started("beat", cwd=tmp_path, env=env) as beat,
    ):
        wait_until(lambda: shared_redis.client.keys("content-sync:spool:*"), what="a spooled batch")
        kept = everything_in(shared_redis.client)
        with started("worker", "-c", "1", cwd=tmp_path, env=env) as worker:
            worker.wait_for("1 review overdue")
            printed += run("doctor", "--as", "worker", cwd=tmp_path, env=env).stdout
            processes = (watcher, beat, worker)
            for process in processes:
                process.stop()
    assert all(process.output for process in processes)
    printed += "".join(process.output for process in processes) + everything_stored(postgres_url)
    for url in (postgres_url, redis_url):
        password = re.search(r":([^:@/]+)@", url)[1]
        assert password not in printed
        assert password.encode() not in kept


def test_no_password_is_sent_to_an_unverified_broker(server_tls):
    """The certificate is of an authority that nobody trusts."""
    received: list[bytes] = []

    def answer(server: socket.socket) -> None:
        with suppress(OSError):  # it is hung up, or shut down at the end
            while True:
                connection, _ = server.accept()
                with (
                    suppress(OSError),
                    connection,
                    server_tls.wrap_socket(connection, server_side=True) as tls,
                ):
                    received.append(tls.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer, args=(server,))
        thread.start()
        url = f"rediss://:tr0ub4dor@127.0.0.1:{server.getsockname()[1]}/0"
        app = create_app(load_settings(broker_url=url), lambda: None)
        with (
            pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"),
            app.connection_for_write() as connection,
        ):
            connection.ensure_connection(max_retries=1)
        with pytest.raises(BrokerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            open_spool(load_settings(broker_url=url)).outstanding()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert b"".join(received) == b""


def everything_stored(url: str) -> str:
    """Return every row of every table as text."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = [name for (name,) in connection.execute(query).fetchall()]
        rows = [connection.execute(f"SELECT t::text FROM {t} t").fetchall() for t in tables]
    return str(rows)


def everything_in(client: Any) -> bytes:
    """Return every key of a Redis with its value, as Redis itself would write them to disk."""
    return b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())
