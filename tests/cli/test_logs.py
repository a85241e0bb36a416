"""The log: one line a record, no secret, nothing that steers a terminal."""

import io
import json
import logging
import sys

import pytest

from worker.run import logs
from worker.settings.model import load_settings

log = logging.getLogger("content_sync.test")


def fail(message):
    raise RuntimeError(message)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """Configure the log with settings, and return what it writes to."""
    monkeypatch.chdir(tmp_path)

    def configure(stream=None, *, quiet=False, **settings):
        written = stream if stream is not None else io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        logs.configure(load_settings(**settings), quiet=quiet)
        return written

    return configure


def test_a_line_has_the_time_and_the_message(configured):
    written = configured(review={"timezone": "Asia/Kolkata"})
    record = log.makeRecord(log.name, logging.INFO, "", 0, "stored %s", ("a.md",), None)
    record.created = 1_774_828_800.0  # 2026-03-30T00:00:00Z
    log.handle(record)
    assert written.getvalue() == "05:30:00  stored a.md\n"


def test_a_level_that_is_not_info_has_its_word(configured):
    written = configured()
    log.warning("slow")
    assert written.getvalue()[8:] == "  warning: slow\n"


def test_colour_is_for_terminals_alone(configured):
    written = configured(Terminal())
    log.error("no disk")
    log.info("stored")
    first, second = written.getvalue().splitlines()
    assert first[8:] == "  \x1b[31merror: \x1b[0mno disk"
    assert second[8:] == "  stored"


def test_json_lines_have_the_fields_and_the_extra_ones(configured):
    written = configured(log_format="json")
    log.warning("refused %s", "a.md", extra={"path": "a.md", "count": 3})
    line = json.loads(written.getvalue())
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "content_sync.test",
        "event": "refused a.md",
        "path": "a.md",
        "count": 3,
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_file_name_cannot_forge_a_line_or_steer_the_terminal(configured, log_format):
    written = configured(log_format=log_format)
    log.info(
        "stored %s", "a\n12:00:00  error: fake\x1b[2J\x9b31m\u202e\u2028.md", extra={"path": "\n"}
    )
    text = written.getvalue()
    assert text.count("\n") == 1
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\u2028"}
    assert r"a\n12:00:00" in (text if log_format == "text" else json.loads(text)["event"])


def test_no_line_of_a_traceback_looks_like_a_line_of_the_log(configured):
    written = configured()
    try:
        fail("a\n12:00:00  stored\x1b[2J")
    except RuntimeError:
        log.exception("failed")
    first, *rest = written.getvalue().splitlines()
    assert first[8:] == "  error: failed"
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in written.getvalue()


SECRETS = {
    "store_url": "postgresql+psycopg://cs:st%2Fore-pass@db.example.org/cs",
    "broker_url": "redis://:broker-pass@cache.example.org:6379/0",
    "channels": {
        "mail": {"kind": "email", "password": "mail-pass"},
        "chat": {"kind": "apprise", "url": "slack://TokenA1234/TokenB5678/TokenC91011abc/#care"},
        "hook": {
            "kind": "webhook",
            "url": "https://hooks.example.org/in/HookToken77",
            "secret": "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3",
            "old_secret": "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xk",
        },
    },
    "deadman": {"url": "https://hc.example.org/ping/5a1f2c3d-4e5f"},
    "routes": {},
}


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "secret",
    [
        "st%2Fore-pass",
        "st/ore-pass",
        "broker-pass",
        "mail-pass",
        "slack://TokenA1234/TokenB5678/TokenC91011abc/#care",
        "TokenC91011abc",
        "https://hooks.example.org/in/HookToken77",
        "HookToken77",
        "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3",
        "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xk",
        "5a1f2c3d-4e5f",
    ],
)
def test_no_secret_is_logged(configured, log_format, secret):
    written = configured(log_format=log_format, **SECRETS)
    log.info("message %s", f"see {secret}.", extra={"detail": [secret, {"deep": f"x{secret}"}]})
    try:
        fail(f"cannot reach {secret}")
    except RuntimeError:
        log.exception("failed", extra={"error": RuntimeError(secret)})
    assert secret not in written.getvalue()
    assert written.getvalue().count("***") == (2 if log_format == "text" else 5)


def test_hosts_and_names_stay_readable(configured):
    written = configured(**SECRETS)
    log.info("connecting to %s and %s as cs", SECRETS["store_url"], "cache.example.org")
    assert "postgresql+psycopg://cs:***@db.example.org/cs" in written.getvalue()
    assert "and cache.example.org as cs" in written.getvalue()


def test_a_password_equal_to_the_programs_name_does_not_mask_the_log(configured):
    url = "postgresql+psycopg://content-sync:content-sync@db/content-sync"
    written = configured(store_url=url)
    log.info("run content-sync migrate on %s", url)
    assert (
        "run content-sync migrate on postgresql+psycopg://content-sync:***@db" in written.getvalue()
    )


@pytest.mark.parametrize("name", ["apprise", "httpx", "urllib3.connectionpool"])
def test_libraries_that_log_whole_urls_are_silent_even_for_debug(configured, name):
    written = configured(log_level="DEBUG")
    logging.getLogger(name).debug("POST https://hooks.example.org/secret")
    logging.getLogger(name).info("POST https://hooks.example.org/secret")
    assert written.getvalue() == ""


@pytest.mark.parametrize(
    "name", ["celery.worker", "kombu", "watchdog.observers", "alembic.runtime"]
)
def test_other_libraries_log_warnings_or_everything_for_debug(configured, name):
    written = configured()
    logging.getLogger(name).info("chatter")
    assert written.getvalue() == ""
    logging.getLogger(name).warning("trouble")
    assert "trouble" in written.getvalue()
    written = configured(log_level="DEBUG")
    logging.getLogger(name).info("chatter")
    assert "chatter" in written.getvalue()


def test_a_quiet_command_logs_only_warnings(configured):
    written = configured(quiet=True)
    log.info("stored")
    assert written.getvalue() == ""
    log.warning("slow")
    assert "slow" in written.getvalue()


def test_configuring_twice_does_not_log_twice(configured):
    configured()
    written = configured()
    log.info("stored")
    assert written.getvalue().count("stored") == 1
