"""Composes one message for all pending notices of a route: subject, text, HTML and data.

The words are in the `digest*.j2` templates, which a team may replace. Text from documents is only ever a
value in a template, and is cleaned before a template sees it. This module sends nothing and writes nothing
to the store. Called by `worker.messages.deliver`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from jinja2.runtime import Macro
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from worker.domain.reviews.policy import Policy
from worker.domain.reviews.route import Route
from worker.errors import ConfigurationError
from worker.messages.digest_sections import REVIEWS, STAGES, Section, read_sections, shown_path
from worker.settings.model import Settings, packaged_config
from worker.store import epochs, library
from worker.store import notices as table
from worker.store import since as store
from worker.store.engine import Connection

#: The news that a digest counts beside its notices, each with the kind of event that is counted.
NEWS = {
    "stored": "version.stored",
    "moved": "document.moved",
    "retired": "document.retired",
    "refused": "seed.refused",
}
#: How many paths a digest names of what was cleared since the last message.
CLEARED_NAMED = 5
#: The length of the snooze in the example, unless `review.max_snooze_days` is less.
EXAMPLE_SNOOZE_DAYS = 7

_TEXT_TEMPLATE = "digest.txt.j2"
_HTML_TEMPLATE = "digest.html.j2"
_SUBJECT_TEMPLATE = "digest_subject.txt.j2"
_WORDS_TEMPLATE = "digest_words.j2"
#: A path with one of these may have been shortened or escaped.
_MARKS_OF_CHANGE = re.compile(r"[…\\]")
_CODE = re.compile(r"`([^`]+)`")
_CODE_STYLE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:90%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The parts of a `worker.messages.channels.Message` other than its id and recipients."""

    subject: str
    text: str
    html: str
    thread: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was resolved since the route's last message: paths of recorded reviews and of fixed files."""

    reviews: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The content of a message. `personal` is true if the route has `owners`.

    `checkpoint` is the newest event with its hash, which a message keeps outside the store.
    `news` counts what happened since the route's last message, as `{"stored": 1425, "retired": 3}`.
    """

    route: str
    sections: tuple[Section, ...]
    personal: bool = False
    news: Mapping[str, int] = field(default_factory=dict)
    cleared: Cleared = Cleared()
    checkpoint: str | None = None


def compose_digest(
    connection: Connection,
    route: Route,
    owed: Sequence[table.Leased],
    *,
    templates: Environment,
    settings: Settings,
    policy: Policy,
    today: date,
    now: datetime,
) -> Composed:
    """Return the message about the pending notices of a route and the news since its last message.

    Runs a bounded number of queries. `today` is a date in the team's zone, `now` is aware. Raises
    `ConfigurationError` when a template is missing or fails, and `ValueError` for a notice of an unknown
    kind.
    """
    sections = read_sections(
        connection,
        route,
        owed,
        policy=policy,
        today=today,
        zone=settings.zone,
        digest_lines=settings.delivery.digest_lines,
    )
    since = table.last_sent(connection, route.name)
    happened = library.count_events(connection, since=since)
    digest = Digest(
        route=route.name,
        sections=tuple(sections),
        personal=bool(route.owners),
        news={word: count for word, kind in NEWS.items() if (count := happened.get(kind, 0))},
        cleared=_cleared(connection, route.name, since, owed, policy.fields.last_reviewed),
        checkpoint=str(newest) if (newest := epochs.checkpoint(connection)) is not None else None,
    )
    snooze_days = min(EXAMPLE_SNOOZE_DAYS, settings.review.max_snooze_days)
    subject, text, html = write_digest(
        digest, today=today, snooze_until=today + timedelta(days=snooze_days), templates=templates
    )
    return Composed(
        subject=subject,
        text=text,
        html=html,
        thread=_thread(owed),
        data=_data(digest, today=today, now=now),
    )


def write_digest(
    digest: Digest, *, today: date, snooze_until: date, templates: Environment
) -> tuple[str, str, str]:
    """Return subject, text and HTML; raise `ConfigurationError` when a template fails.

    `snooze_until` is the day in the example of a snooze.
    """
    values = _values(digest, today=today, snooze_until=snooze_until) | {"words": _words(templates)}
    subject = " ".join(_render(templates, _SUBJECT_TEMPLATE, values).split())
    text = _render(templates, _TEXT_TEMPLATE, values).strip("\n") + "\n"
    html = _render(templates, _HTML_TEMPLATE, values | {"subject": subject})
    return subject, text, html.strip() + "\n"


def open_templates(settings: Settings) -> Environment:
    """Return the template environment; it looks in the team's folder first, then in the package."""
    given = settings.templates or settings.beside("templates")
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([given, packaged_config() / "templates"]),
        undefined=StrictUndefined,
        # Only HTML templates escape; text messages show `&` as it is.
        autoescape=lambda name: name is not None and name.endswith((".html", ".html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = counted
    environment.filters["code"] = code
    environment.globals["last_reviewed"] = settings.fields.last_reviewed
    environment.globals["owner_field"] = settings.fields.owner
    return environment


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as `1 file` or `1,349 files`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def code(text: str) -> Markup:
    """Return text as escaped HTML; words in backquotes become code."""
    return Markup(_CODE.sub(rf'<code style="{_CODE_STYLE}">\1</code>', str(escape(text))))  # noqa: S704 - escaped


def _values(digest: Digest, *, today: date, snooze_until: date) -> dict[str, Any]:
    """Return the values for the templates; text from documents is already clean."""
    return {
        "route": digest.route,
        "today": today,
        "sections": digest.sections,
        "total": dict.fromkeys(STAGES, 0) | {s.stage: s.total for s in digest.sections},
        "personal": digest.personal,
        "news": digest.news,
        "cleared": {
            "reviews": _named(digest.cleared.reviews),
            "refusals": _named(digest.cleared.refusals),
        },
        "checkpoint": digest.checkpoint,
        "example": _example(digest.sections),
        "snooze_until": snooze_until,
    }


def _cleared(
    connection: Connection,
    route: str,
    since: datetime | None,
    owed: Iterable[table.Leased],
    date_field: str,
) -> Cleared:
    """Return what was resolved since the last message, except reviews that are pending again."""
    if since is None:
        return Cleared()
    open_ids = {notice.document_id for notice in owed if notice.kind == "review"}
    reviewed = store.reviewed_since(connection, route, since=since, date_field=date_field)
    return Cleared(
        reviews=tuple(path for id_, path in reviewed.items() if id_ not in open_ids),
        refusals=tuple(store.fixed_since(connection, route, since=since)),
    )


def _named(paths: Sequence[str]) -> dict[str, Any]:
    named = [shown_path(path) for path in paths[:CLEARED_NAMED]]
    return {"total": len(paths), "paths": named}


def _example(sections: Iterable[Section]) -> str | None:
    """Return the path of the first review, quoted for a shell, for the example commands; or None.

    Skips paths that may be shown shortened or escaped, and paths that look like an option.
    """
    for section in sections:
        for line in section.lines if section.stage in REVIEWS else ():
            if not line.path.startswith("-") and not _MARKS_OF_CHANGE.search(line.path):
                return shlex.quote(line.path)
    return None


def _thread(owed: Iterable[table.Leased]) -> str | None:
    """Return the thread of a message about a single document, else None."""
    ids = {notice.document_id for notice in owed}
    return f"document-{ids.pop()}" if len(ids) == 1 and None not in ids else None


def _data(digest: Digest, *, today: date, now: datetime) -> dict[str, Any]:
    """Return the digest for programs, ready for JSON."""
    return {
        "route": digest.route,
        "today": today.isoformat(),
        "composed_at": now.isoformat(timespec="seconds"),
        "sections": [
            {
                "state": section.stage,
                "total": section.total,
                "documents": [_json_ready(asdict(line)) for line in section.lines],
            }
            for section in digest.sections
        ],
        "checkpoint": digest.checkpoint,
        "news": dict(digest.news),
        "cleared": {
            "reviews": _named(digest.cleared.reviews),
            "refusals": _named(digest.cleared.refusals),
        },
    }


def _json_ready(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line with dates as text, and without `stage`, which its section has."""
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in line.items()
        if name != "stage"
    }


def _words(templates: Environment) -> dict[str, Callable[..., str]]:
    """Return the shared macros as functions that return plain text, which HTML templates then escape.

    Jinja takes the result of a macro for escaped HTML, but text macros do not escape.
    """
    with _failing_as_configuration_error(_WORDS_TEMPLATE):
        module = templates.get_template(_WORDS_TEMPLATE).module
    macros = {name: made for name, made in vars(module).items() if isinstance(made, Macro)}
    return {name: _plain(macro) for name, macro in macros.items()}


def _plain(macro: Macro) -> Callable[..., str]:
    return lambda *values: str(macro(*values))


def _render(templates: Environment, name: str, values: dict[str, Any]) -> str:
    with _failing_as_configuration_error(name):
        return templates.get_template(name).render(values)


@contextmanager
def _failing_as_configuration_error(name: str) -> Iterator[None]:
    """Raise template errors as a `ConfigurationError` of one line, for the author of the template."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise ConfigurationError(
            f"template {error.name or name}, line {error.lineno}: {error.message}"
        ) from error
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ConfigurationError(f"template {name}: {error}") from error
