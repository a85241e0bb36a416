"""A change as one HTML page: figures, fields and sections on top, then the lines.

The template is `diff.html.j2`, which a team may replace. The page loads no other file and runs no script.
Jinja escapes all text of documents, after `visible` has made control characters harmless. `diff --html` calls
this.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from worker.cli.diffs import side_date, side_name
from worker.cli.words import Pair, Side, pair_lines
from worker.domain.seeds.visible import visible
from worker.errors import ConfigurationError
from worker.messages.digest import open_templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.settings.model import Settings

TEMPLATE = "diff.html.j2"
#: Browsers show this many lines without delay.
_MOST_LINES = 20_000


def page(diff: Mapping[str, Any], settings: Settings, *, now: datetime) -> str:
    """Return the page of a `diff`, with times in the team's zone.

    Raises `ConfigurationError` if the team's own template fails.
    """
    hunks, left_out = _hunks(diff["hunks"])
    values = {
        "path": visible(diff["path"]),
        "title": visible(diff["title"]),
        "change": diff["change"],
        "risk": diff["risk"],
        "reasons": [visible(reason) for reason in diff["reasons"]],
        "old": {
            "name": side_name(diff["from"]),
            "date": visible(side_date(diff["old"], settings.zone)),
        },
        "new": {
            "name": side_name(diff["to"]),
            "date": visible(side_date(diff["new"], settings.zone)),
        },
        "fields": [_harmless(field) for field in diff["fields"]],
        "figures": [_harmless(figure) for figure in diff["figures"]],
        "links": [_harmless(link) for link in diff["links"]],
        "sections": [_harmless(section) for section in diff["sections"]],
        "lines_added": diff["lines_added"],
        "lines_removed": diff["lines_removed"],
        "hunks": hunks,
        "left_out": left_out,
        "made_at": f"{now.astimezone(settings.zone):%Y-%m-%d %H:%M}",
    }
    try:
        return open_templates(settings).get_template(TEMPLATE).render(values)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ConfigurationError(f"template {TEMPLATE}: {error}") from error


def _hunks(given: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    hunks, left, left_out = [], _MOST_LINES, 0
    for hunk, pairs in zip(given, pair_lines(given), strict=True):
        shown = pairs[:left]
        left -= len(shown)
        left_out += len(pairs) - len(shown)
        if shown:
            hunks.append(
                {
                    "old": _lines(hunk["old_start"], hunk["old_lines"]),
                    "new": _lines(hunk["new_start"], hunk["new_lines"]),
                    "pairs": [_visible_pair(pair) for pair in shown],
                }
            )
    return hunks, left_out


def _lines(start: int, number: int) -> str:
    return f"{start}–{start + number - 1}" if number > 1 else str(start)


def _visible_pair(pair: Pair) -> Pair:
    return replace(pair, old=_visible_side(pair.old), new=_visible_side(pair.new))


def _visible_side(side: Side | None) -> Side | None:
    if side is None:
        return None
    segments = tuple((visible(text, lines=True), changed) for text, changed in side.segments)
    return replace(side, segments=segments)


def _harmless(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of the change with each text on one line and visible; numbers stay numbers."""
    return {
        name: value if value is None or isinstance(value, int) else visible(_text(value))
        for name, value in part.items()
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
