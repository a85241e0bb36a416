import base64
import json
import logging
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Message
from worker.messages.channels.webhook import WebhookChannel
from worker.settings.model import Secret
from worker.settings.model import WebhookChannel as WebhookSettings
from worker.settings.reading import read

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 124))).decode()
TOKEN = "t0ken-Zyxwvu987654"
LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11")


def message(**fields):
    given = {
        "id": "0197f3c2-0001",
        "to": (),
        "subject": "Content Sync: 1 file refused",
        "text": "One.\n\nTwo: నమస్తే.\n",
        "data": {"route": "team", "lines": [{"path": "nci/a.md", "days": 3}]},
    }
    return Message(**(given | fields))


def channel(url, *, clock=lambda: datetime.now(UTC), **fields):
    given = {"kind": "webhook", "url": url, "secret": SECRET, "allow_private": ("127.0.0.1",)}
    return WebhookChannel(read(given | fields, WebhookSettings), clock=clock)


def to(web, **fields):
    return channel(f"http://127.0.0.1:{web.port}/in/{TOKEN}?key={TOKEN}", **fields)


def failure(channel, message=message()):  # noqa: B008 - frozen
    with pytest.raises(ChannelError) as caught:
        channel.send(message)
    return caught.value


def test_a_receiver_verifies_the_message_with_the_standardwebhooks_library(web):
    to(web).send(message())

    (request,) = web.requests
    assert request.method == "POST"
    assert request.path == f"/in/{TOKEN}?key={TOKEN}"
    assert request.headers["content-type"] == "application/json"
    verified = Webhook(SECRET).verify(request.body, request.headers)
    assert verified["type"] == "content_sync.digest"
    assert verified["data"] == {
        "route": "team",
        "lines": [{"path": "nci/a.md", "days": 3}],
        "subject": "Content Sync: 1 file refused",
        "text": "One.\n\nTwo: నమస్తే.\n",
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body, request.headers | {"webhook-id": "another"})
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(request.body, request.headers)


def test_the_body_is_compact_json_with_the_time_in_utc(web):
    india = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2026, 3, 30, 11, 30, 0, 250_000, tzinfo=india)
    to(web, clock=lambda: moment).send(message(data={}, text="é"))

    assert web.requests[0].body.decode() == (
        '{"type":"content_sync.digest","timestamp":"2026-03-30T06:00:00.250000Z",'
        '"data":{"subject":"Content Sync: 1 file refused","text":"é"}}'
    )
    assert web.requests[0].headers["webhook-timestamp"] == str(int(moment.timestamp()))


def test_a_repeat_has_the_same_id_and_a_new_time(web):
    now = datetime.now(UTC)
    times = [now - timedelta(seconds=90)] * 2 + [now] * 2
    repeated = to(web, clock=lambda: times.pop(0))
    repeated.send(message())
    repeated.send(message())

    first, second = web.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "0197f3c2-0001"
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    for request in web.requests:
        Webhook(SECRET).verify(request.body, request.headers)


def test_an_old_message_cannot_be_replayed(web):
    to(web, clock=lambda: datetime.now(UTC) - timedelta(minutes=6)).send(message())
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(web.requests[0].body, web.requests[0].headers)


def test_both_secrets_verify_while_one_replaces_the_other(web):
    to(web, old_secret=OLD_SECRET).send(message())
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(web.requests[0].body, web.requests[0].headers)


@pytest.mark.parametrize("size", [24, 25, 26, 64])
def test_a_secret_may_omit_its_padding(web, size):
    secret = ("whsec_" + base64.b64encode(b"\xff" * size).decode()).rstrip("=")
    to(web, secret=secret).send(message())
    Webhook(secret).verify(web.requests[0].body, web.requests[0].headers)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2secret",
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_hunter2secret!",
        "whsec_" + base64.b64encode(b"only 23 bytes: too few").decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
@pytest.mark.parametrize("name", ["secret", "old_secret"])
def test_an_invalid_secret_is_refused_and_not_shown(name, secret):
    with pytest.raises(ConfigurationError, match=f"`{name}` is not `whsec_`") as caught:
        channel("https://example.org/x", **{name: secret})
    assert "hunter2secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://example.org/", "https://", "https://[::1/"])
def test_an_invalid_url_cannot_be_opened(url):
    with pytest.raises(ConfigurationError, match="`url` cannot be used"):
        channel(url)


def test_plain_http_is_allowed_only_to_named_hosts(web):
    with pytest.raises(ConfigurationError, match="not https"):
        channel(f"http://hooks.example.org/{TOKEN}")
    channel(f"http://LOCALHOST:{web.port}/", allow_private=("localhost.",)).send(message())
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "224.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00::1]",
        "[fe80::1]",
    ],
)
def test_a_private_address_cannot_be_opened(host):
    with pytest.raises(ConfigurationError, match="not a public address"):
        channel(f"https://{host}/{TOKEN}", allow_private=("127.0.0.2", "example.org"))


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "017700000001"])
def test_a_name_that_resolves_to_a_private_address_gets_no_connection(start_web, server_tls, host):
    web = start_web(tls=server_tls)
    error = failure(channel(f"https://{host}:{web.port}/{TOKEN}"))

    assert "addresses are not allowed" in str(error) or "not found" in str(error)
    assert not error.permanent
    assert not web.requests


def test_the_connection_uses_the_checked_address(web, monkeypatch):
    """A name that leads elsewhere the second time gains nothing: there is no second time."""
    real = socket.getaddrinfo
    asked = []

    def rebinding(host, port, *args, **options):
        if host != "rebinding.example":
            return real(host, port, *args, **options)
        asked.append(host)
        # At first one public address among private ones, and only private ones from then on.
        answers = ["93.184.215.14", "127.0.0.1"] if len(asked) == 1 else ["127.0.0.1"]
        return [entry for answer in answers for entry in real(answer, port, *args, **options)]

    connected = []

    def connect(address, *args, **options):
        connected.append(address[0])
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    url = f"https://rebinding.example:{web.port}/"

    assert "refused" in str(failure(channel(url)))
    assert connected == ["93.184.215.14"]
    assert asked == ["rebinding.example"]
    assert "addresses are not allowed" in str(failure(channel(url)))
    assert connected == ["93.184.215.14"]


def test_tls_checks_the_certificate_for_the_name_and_not_for_the_address(
    start_web, server_tls, authority, trust
):
    web = start_web(tls=server_tls)
    by_address = channel(f"https://127.0.0.1:{web.port}/")
    assert "CERTIFICATE_VERIFY_FAILED" in str(failure(by_address))

    trust()
    by_address.send(message())
    assert len(web.requests) == 1
    # The same machine by a name that is not in its certificate.
    by_name = channel(f"https://localhost:{web.port}/", allow_private=("localhost",))
    error = failure(by_name)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert not error.permanent
    authority.issue_cert("localhost").configure_cert(server_tls)
    by_name.send(message())
    assert len(web.requests) == 2


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_answer_is_a_success(web, status):
    web.status = status
    to(web).send(message())


@pytest.mark.parametrize("status", [302, 303, 307, 408, 425, 429, 500, 502, 503, 504, 599])
def test_a_failing_receiver_is_tried_again(web, status):
    web.status = status
    error = failure(to(web))
    assert not error.permanent
    assert f"webhook 127.0.0.1: {status}" in str(error)


@pytest.mark.parametrize("status", [301, 304, 308, 400, 401, 403, 404, 410, 413, 422])
def test_a_refusing_receiver_is_not_tried_again(web, status):
    web.status = status
    assert failure(to(web)).permanent


def test_the_reason_is_shown_in_one_line(web):
    web.status, web.answer = 422, b"no such\nroute \x1b[2J" + b"x" * 100_000
    error = str(failure(to(web)))
    assert error.startswith("webhook 127.0.0.1: 422 Unprocessable Entity: no such route \\x1b[2Jx")
    assert len(error) < 300


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(web, status):
    web.status, web.headers = status, {"Location": f"http://127.0.0.1:{web.port}/elsewhere"}
    assert "redirects are not followed" in str(failure(to(web)))
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", None),
        ("-5", None),
        ("999999999999", 86_400),
        ("9" * 5000, None),
        ("Mon, 30 Mar 2026 06:02:00 GMT", 120),
        ("Monday, 30-Mar-26 06:02:00 GMT", 120),
        ("Mon, 30 Mar 2026 06:02:00 -0000", 120),
        ("Mon, 30 Mar 2026 05:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("soon", None),
        ("", None),
    ],
)
def test_the_delay_that_a_receiver_requests_is_returned(web, asked, seconds):
    web.status, web.headers = 429, {"Retry-After": asked}
    now = datetime(2026, 3, 30, 6, 0, tzinfo=UTC)
    assert failure(to(web, clock=lambda: now)).retry_after == seconds


def test_a_retry_after_date_is_counted_from_now(web):
    web.status = 503
    web.headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1))}
    assert 3500 < failure(to(web)).retry_after <= 3600


def test_an_unreachable_receiver_is_tried_again():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = failure(channel(f"http://127.0.0.1:{unused.getsockname()[1]}/{TOKEN}"))
    assert not error.permanent
    assert "refused" in str(error)


def test_an_unresolved_name_is_tried_again():
    error = failure(channel(f"https://nobody.invalid/{TOKEN}"))
    assert not error.permanent
    assert "webhook nobody.invalid: the host was not found" in str(error)


def test_a_silent_receiver_times_out(web):
    web.open.clear()
    error = failure(to(web, timeout_seconds=0.3))
    assert not error.permanent
    assert "timed out" in str(error)


def test_a_slow_receiver_times_out():
    """Each byte comes in time; the answer never ends, and neither would a test that waited for it."""
    stop = threading.Event()

    def drip(server):
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        try:
            error = failure(channel(url, timeout_seconds=0.5))
        finally:
            stop.set()
            thread.join()
    assert "timed out" in str(error)


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 500_000, b"\x16\x03\x01"],
)
def test_an_answer_that_is_not_http_is_tried_again(answer):
    def talk(server):
        connection, _ = server.accept()
        with connection:
            connection.recv(100_000)
            try:
                connection.sendall(answer)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk, args=(server,))
        thread.start()
        error = failure(channel(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        thread.join()
    assert not error.permanent


def test_a_message_is_delivered_even_if_the_rest_of_the_answer_is_lost():
    def talk(server):
        connection, _ = server.accept()
        with connection:
            connection.recv(100_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk, args=(server,))
        thread.start()
        channel(f"http://127.0.0.1:{server.getsockname()[1]}/").send(message())
        thread.join()


def test_the_proxy_of_the_environment_is_not_used(web, start_web, monkeypatch):
    proxy = start_web()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    to(web).send(message())
    assert len(web.requests) == 1
    assert not proxy.requests


def test_an_invalid_message_is_refused_permanently(web):
    for bad in ({"id": "a.b"}, {"id": "x\r\ny: z"}, {"id": ""}, {"id": "é"}):
        assert failure(to(web), message(**bad)).permanent
    for data in ({"x": float("nan")}, {"x": object()}):
        assert failure(to(web), message(data=data)).permanent
    assert not web.requests


def test_a_name_that_is_not_utf8_is_sent_unchanged(web):
    to(web).send(message(data={"path": "nci/\udcff\x00.md"}))
    verified = Webhook(SECRET).verify(web.requests[0].body, web.requests[0].headers)
    assert verified["data"]["path"] == "nci/\udcff\x00.md"


def test_the_url_and_the_secrets_are_in_no_log_and_no_error(web, caplog):
    caplog.set_level(logging.DEBUG)
    ours = to(web, old_secret=OLD_SECRET)
    for name in LOGGERS:  # even if somebody turns them up again
        caplog.set_level(logging.DEBUG, logger=name)

    ours.send(message())
    web.status, web.answer = 500, f"{TOKEN} {SECRET} {OLD_SECRET}".encode()
    web.headers = {"Location": f"https://example.org/{TOKEN}"}
    errors = [str(failure(ours))]
    errors += [str(failure(channel(f"http://127.0.0.1:1/{TOKEN}")))]
    errors += [str(failure(channel(f"https://nobody.invalid/{TOKEN}")))]
    with pytest.raises(ConfigurationError) as refused:
        channel(f"https://10.0.0.1/{TOKEN}")
    errors += [str(refused.value), ours.preview(message())]
    logging.getLogger("httpx").warning("cannot post to /in/%s", TOKEN)

    shown = "\n".join([caplog.text, *errors])
    assert "cannot post to /in/***" in shown
    for secret in (TOKEN, SECRET, OLD_SECRET, SECRET.removeprefix("whsec_")):
        assert secret.lower() not in shown.lower()
    assert not [r for r in caplog.records if r.name in LOGGERS and r.levelno < logging.WARNING]


def test_a_preview_shows_the_request_and_opens_nothing(web):
    url = f"http://127.0.0.1:{web.port}/in/{TOKEN}"
    shown = channel(url, old_secret=OLD_SECRET).preview(message())

    head, _, body = shown.partition("\n\n")
    assert head.splitlines()[0] == f"POST http://127.0.0.1:{web.port}/…"
    assert "webhook-id: 0197f3c2-0001" in head
    assert "webhook-signature: v1,… v1,…" in head
    assert json.loads(body)["data"]["route"] == "team"
    assert not web.requests


def test_the_login_of_a_url_is_used(web):
    channel(f"http://sync:tr0ub4dor@127.0.0.1:{web.port}/").send(message())
    login = base64.b64encode(b"sync:tr0ub4dor").decode()
    assert web.requests[0].headers["Authorization"] == f"Basic {login}"


def test_httpx_is_imported_only_where_a_channel_needs_it():
    code = (
        "import sys; import worker.messages.channels.opening, worker.messages.channels.deadman;"
        "sys.exit('httpx' in sys.modules or 'httpcore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_do_not_show_the_secret():
    settings = WebhookSettings(url=Secret("https://x"), secret=Secret(SECRET))
    assert SECRET not in repr(settings)
