import logging
import socket

import pytest

from worker.messages.channels.deadman import ping

TOKEN = "5a1f2c3d-check-uuid"


def url(web, query=""):
    return f"http://127.0.0.1:{web.port}/ping/{TOKEN}{query}"


def test_good_health_requests_the_url(web):
    web.answer = b"OK"
    assert ping(url(web), ok=True)
    assert [(r.method, r.path) for r in web.requests] == [("GET", f"/ping/{TOKEN}")]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", "/fail"),
        ("/", "/fail"),
        ("?create=1", "/fail?create=1"),
        ("%2Fa%20b", "%2Fa%20b/fail"),
    ],
)
def test_bad_health_requests_the_failure_url(web, query, asked):
    assert ping(url(web, query), ok=False)
    assert web.paths == [f"/ping/{TOKEN}{asked}"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [(404, b"not found"), (500, b""), (301, b""), (200, b"OK (not found)\n")],
)
def test_a_ping_that_the_service_refuses_is_reported(web, caplog, status, answer):
    web.status, web.answer = status, answer
    assert not ping(url(web), ok=True)
    assert f"the ping did not reach 127.0.0.1: {status}" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "bad",
    ["", "nonsense", "ftp://example.org/x", "https://", f"http://[/{TOKEN}", "https://a b/\x00"],
)
def test_an_invalid_url_is_reported_and_stops_nothing(caplog, bad):
    assert not ping(bad, ok=True)
    assert "its URL cannot be used" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("host", ["10.0.0.1", "192.0.2.1", "8.8.8.8"])
def test_plain_http_stays_on_this_machine(caplog, host):
    assert not ping(f"http://{host}/{TOKEN}", ok=True)
    assert f"did not reach {host}: connections to its addresses are not allowed" in caplog.text


def test_https_is_allowed_to_any_configured_host(start_web, server_tls, trust):
    web = start_web(tls=server_tls)
    trust()
    assert ping(f"https://127.0.0.1:{web.port}/{TOKEN}", ok=True)


def test_an_unreachable_or_silent_service_stops_nothing(web, caplog):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not ping(f"http://127.0.0.1:{unused.getsockname()[1]}/{TOKEN}", ok=True)
    web.open.clear()
    assert not ping(url(web), ok=True, seconds=0.2)
    assert "refused" in caplog.text
    assert "timed out" in caplog.text


def test_the_url_is_in_no_log(web, caplog):
    caplog.set_level(logging.DEBUG)
    web.status, web.answer = 500, TOKEN.encode()
    assert not ping(url(web), ok=True)
    assert not ping(f"https://nobody.invalid/{TOKEN}", ok=False)
    assert "nobody.invalid" in caplog.text
    assert TOKEN not in caplog.text
