"""Composes the one message that a route gets about many notices.

The words are in `digest.txt.j2` and `digest_subject.txt.j2`; a team may put files of its own in their
place. Text from documents is a value in them, never a template, and is made harmless before any
template sees it. Nothing is read or sent here but the templates. Called by the delivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from jinja2.sandbox import SandboxedEnvironment

from worker.domain.visible import one_line
from worker.errors import ConfigurationError
from worker.settings import Settings, packaged_config

#: The stages in the order in which they are told: what cannot wait comes first.
STAGES = ("held", "refused", "overdue", "due", "upcoming")

_BODY_TEMPLATE = "digest.txt.j2"
_SUBJECT_TEMPLATE = "digest_subject.txt.j2"
_PATH_CHARACTERS = 500
_TITLE_CHARACTERS = 120
_DETAIL_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLine:
    """One fact about one path; `stage` is one of `STAGES`.

    `days` counts from the due date to today: 3 is three days overdue, -3 is due in three days.
    `detail` says what is wrong, and for what is held, how much; `line` and `hint` are a problem's.
    """

    path: str
    stage: str
    title: str = ""
    due_on: date | None = None
    days: int | None = None
    detail: str = ""
    line: int | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a route is told.

    `totals` are by stage, where they are more than the lines given; `news` counts what happened
    since the route's last message, as `{"stored": 1425, "changed": 3}`.
    """

    route: str
    lines: tuple[DigestLine, ...]
    totals: Mapping[str, int] = field(default_factory=dict)
    news: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a template gets of one stage: the lines that are named, and how many there are."""

    stage: str
    total: int
    lines: tuple[DigestLine, ...]


def compose(
    digest: Digest, *, today: date, templates: Environment, digest_lines: int
) -> tuple[str, str] | None:
    """Return subject and text, or None when there is nothing to answer: news alone are no message.

    At most `digest_lines` of each stage are named; reviews come oldest first. Raises
    `ConfigurationError` when a template is missing or fails, and `ValueError` for an unknown stage.
    """
    sections = _sections(digest, digest_lines)
    if not sections:
        return None
    values = {
        "route": digest.route,
        "today": today,
        "sections": sections,
        "total": dict.fromkeys(STAGES, 0) | {s.stage: s.total for s in sections},
        "news": {word: count for word, count in digest.news.items() if count},
    }
    subject = " ".join(_render(templates, _SUBJECT_TEMPLATE, values).split())
    return subject, _render(templates, _BODY_TEMPLATE, values).strip("\n") + "\n"


def open_templates(settings: Settings) -> Environment:
    """Return the environment of the message templates: the team's folder, then the packaged one."""
    given = settings.templates or settings.beside("templates")
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([given, packaged_config() / "templates"]),
        undefined=StrictUndefined,
        # Text messages show `&` as it is; a template for HTML would escape.
        autoescape=lambda name: name is not None and name.endswith((".html", ".html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = counted
    environment.globals["last_reviewed"] = settings.fields.last_reviewed
    return environment


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as `1 file` or `1,349 files`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def _sections(digest: Digest, digest_lines: int) -> list[Section]:
    by_stage: dict[str, list[DigestLine]] = {stage: [] for stage in STAGES}
    for line in digest.lines:
        if line.stage not in by_stage:
            raise ValueError(f"{line.stage!r} is no stage of a digest")
        by_stage[line.stage].append(line)
    return [
        Section(
            stage=stage,
            total=max(digest.totals.get(stage, 0), len(lines)),
            lines=tuple(_harmless(line) for line in sorted(lines, key=_order)[:digest_lines]),
        )
        for stage, lines in by_stage.items()
        if lines
    ]


def _order(line: DigestLine) -> tuple[date, str]:
    return line.due_on or date.max, line.path


def _harmless(line: DigestLine) -> DigestLine:
    """Return a line whose texts hold no control character and no line end."""
    return replace(
        line,
        path=one_line(line.path, limit=_PATH_CHARACTERS),
        title=one_line(line.title, limit=_TITLE_CHARACTERS),
        detail=one_line(line.detail, limit=_DETAIL_CHARACTERS),
        hint=one_line(line.hint, limit=_DETAIL_CHARACTERS),
    )


def _render(templates: Environment, name: str, values: dict[str, Any]) -> str:
    """Render a template; what goes wrong in it is for the person who wrote it."""
    try:
        return templates.get_template(name).render(values)
    except TemplateSyntaxError as error:
        raise ConfigurationError(
            f"template {name}, line {error.lineno}: {error.message}"
        ) from error
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ConfigurationError(f"template {name}: {error}") from error
