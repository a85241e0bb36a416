"""The log: lines for people on a terminal, JSON lines for containers, on standard error.

The command line and the Celery application call `configure` once in each process. Every secret of the
settings is replaced in each record, and control characters (of file names, for example) are made visible, so
that no record can forge a second line. This module does not decide what is worth logging.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import unquote, urlsplit

from worker.domain.seeds.visible import visible
from worker.settings.model import AppriseChannel, EmailChannel, Secret, Settings, WebhookChannel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


#: Libraries that log whole URLs with credentials below WARNING: hidden even with DEBUG.
_TALKATIVE = ("apprise", "httpcore", "httpx", "requests", "urllib3")
#: Libraries whose INFO lines do not help operators; DEBUG shows them.
_NOISY = ("alembic", "amqp", "celery", "kombu", "sqlalchemy", "watchdog")
#: It warns about each transaction that lost a race with another worker; the store reports real failures.
_WORRIED = "psycopg"

_COLOURS = {
    logging.DEBUG: "2",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "31",
}
_STANDARD_ATTRIBUTES = frozenset(
    (*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message")
)
#: A shorter secret is hidden only in URLs: replacing every "abc" would make the log unreadable.
_LEAST_SECRET_LENGTH = 6


def configure(settings: Settings, *, quiet: bool = False) -> None:
    """Send the service's log to standard error as the settings say; a second call replaces the first.

    `quiet` is for commands that print an answer and end: nothing below WARNING, unless DEBUG is set.
    """
    level = logging.getLevelName(settings.log_level)
    if quiet and level > logging.DEBUG:
        level = max(level, logging.WARNING)
    debug = level <= logging.DEBUG
    handler = _StandardError()
    handler.setFormatter(_JsonLines() if settings.log_format == "json" else _Lines(settings.zone))
    handler.addFilter(_Redact(secrets_of(settings)))
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _StandardError)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("content_sync").setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger(_WORRIED).setLevel(logging.DEBUG if debug else logging.ERROR)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`, so that a progress bar can stay below the log."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        """Return the current standard error."""
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:  # noqa: ARG002 - the name is that of `logging`
        raise AttributeError("this handler always writes to sys.stderr")


class _Lines(logging.Formatter):
    """Formats `HH:MM:SS  message` in the team's zone, with the level unless it is INFO."""

    def __init__(self, zone: tzinfo) -> None:
        super().__init__()
        self._zone = zone

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, self._zone)
        word = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        colour = _COLOURS.get(record.levelno)
        if word and colour and sys.stderr.isatty():
            word = f"\x1b[{colour}m{word}\x1b[0m"
        line = f"{at:%H:%M:%S}  {word}{visible(record.getMessage())}"
        # Indented, so that no line of a traceback looks like a line of the log.
        details = visible(_traceback_of(record), lines=True).splitlines()
        return "\n".join((line, *(f"    {detail}" for detail in details)))


class _JsonLines(logging.Formatter):
    """Formats one JSON object a record: `ts` in UTC, `level`, `logger`, `event`, then the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": visible(record.getMessage()),
        }
        line |= {name: value for name, value in _extra_of(record) if name not in line}
        if details := _traceback_of(record):
            line["exception"] = details
        return json.dumps(line, default=str)


def _extra_of(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    for name, value in vars(record).items():
        if name not in _STANDARD_ATTRIBUTES and not name.startswith("_"):
            yield name, value


def _traceback_of(record: logging.LogRecord) -> str:
    if record.exc_text is None and record.exc_info and record.exc_info[0] is not None:
        record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return record.exc_text or ""


class _Redact(logging.Filter):
    """Replaces every secret with `***` in the message, the extra fields and the traceback."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        # The longest first: a whole URL may be a secret, and its password another one.
        ordered = sorted(set(secrets), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place and keep it."""
        if self._pattern is not None:
            record.msg, record.args = self._hide(record.getMessage()), None
            for name, value in list(_extra_of(record)):
                setattr(record, name, self._hide_in(value))
            if _traceback_of(record):
                record.exc_text = self._hide(_traceback_of(record))
        return True

    def _hide(self, text: str) -> str:
        return self._pattern.sub(_stars, text) if self._pattern else text

    def _hide_in(self, value: Any) -> Any:
        match value:
            case str():
                return self._hide(value)
            case dict():
                return {name: self._hide_in(item) for name, item in value.items()}
            case list() | tuple():
                return [self._hide_in(item) for item in value]
            case None | bool() | int() | float():
                return value
        return self._hide(str(value))


def _stars(match: re.Match[str]) -> str:
    in_url = match[0].startswith(":") and match[0].endswith("@")
    return ":***@" if in_url else "***"


def secrets_of(settings: Settings) -> set[str]:
    """Return every string of the settings that must never be shown: passwords, tokens, whole URLs."""
    secrets: set[str] = set()
    for url in (settings.store_url, settings.broker_url, settings.stream.url):
        if url is not None:
            secrets |= _url_passwords(url.value)
    for channel in settings.channels.values():
        match channel:
            case EmailChannel(password=Secret() as password):
                secrets.add(password.value)
            case AppriseChannel():
                secrets |= _tokens(channel.url.value)
            case WebhookChannel():
                secrets |= _tokens(channel.url.value)
                for key in (channel.secret, channel.old_secret):
                    secrets |= {key.value} if key is not None else set()
    if settings.deadman.url is not None:
        secrets |= _tokens(settings.deadman.url.value)
    return {secret for secret in secrets if secret}


def _url_passwords(url: str) -> set[str]:
    """Return a URL's password, quoted and unquoted, with `:` before and `@` after it.

    The bare word is added only if it is long enough, and not the name of the user or the database.
    """
    parts = urlsplit(url)
    if not parts.password:
        return set()
    known = {parts.username, parts.path.strip("/"), "content-sync", "content_sync"}
    forms = {parts.password, unquote(parts.password)}
    bare = {form for form in forms if len(form) >= _LEAST_SECRET_LENGTH and form not in known}
    return bare | {f":{form}@" for form in forms}


def _tokens(url: str) -> set[str]:
    """Return the secrets of a URL that is itself secret: the URL, the part after the scheme, its tokens.

    A token is a part with at least eight characters and a digit that is not a dotted host name.
    """
    _, _, rest = url.partition("://")
    host = urlsplit(url).hostname or ""
    parts = {form for part in re.split(r"[/@:?&=#]", rest) for form in (part, unquote(part))}
    tokens = {
        part
        for part in parts
        if len(part) >= 8 and re.search(r"\d", part) and not ("." in part and part.lower() == host)
    }
    return _url_passwords(url) | tokens | {url, rest}
