"""Summarise the change of a version in a few words, the figures first, because a wrong one does harm.

It works on the JSON of a version, as in `history`. Called by `worker.library.timeline`, the digests
and the text of `history`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_FIGURES = 3
_MOST_FIELDS = 3
_MOST_SECTIONS = 3
_MOST_CHARACTERS = 60


def changes_in_words(version: Mapping[str, Any]) -> list[tuple[str, str | None, str | None]]:
    """Return the changes of a version as (what, old, new), the most important first.

    `what` is a field's name, or empty for a figure. Where old and new are None, it is the whole text.
    """
    words: list[tuple[str, str | None, str | None]] = []
    figures, fields = version.get("figures") or [], version.get("fields") or []
    words += [("", figure["old"], figure["new"]) for figure in figures[:_MOST_FIGURES]]
    if len(figures) > _MOST_FIGURES:
        words.append((_count(len(figures) - _MOST_FIGURES, "more figure"), None, None))
    words += [(f["field"], _value(f["old"]), _value(f["new"])) for f in fields[:_MOST_FIELDS]]
    if len(fields) > _MOST_FIELDS:
        words.append((_count(len(fields) - _MOST_FIELDS, "more field"), None, None))
    sections = version.get("sections") or []
    for status in ("removed", "added"):
        words += [
            (f"section {status}: {_short(section['heading'] or 'the beginning')}", None, None)
            for section in sections
            if section["status"] == status
        ][:_MOST_SECTIONS]
    if links := version.get("links") or []:
        words.append((_count(len(links), "link"), None, None))
    if version["lines_added"] or version["lines_removed"]:
        words.append(
            (f"+{version['lines_added']:,} −{version['lines_removed']:,} lines", None, None)
        )
    return words


def in_words(what: str, old: str | None, new: str | None) -> str:
    """Return one change as text: `4.8 months → 4.9 months`, `status active → inactive`."""
    if old is None and new is None:
        return what
    if old is None:
        return f"{what} {new} is new".strip()
    return f"{what} {old} is gone".strip() if new is None else f"{what} {old} → {new}".strip()


def _value(value: Any) -> str | None:
    match value:
        case None:
            return None
        case list():
            return _short(f"[{', '.join(map(str, value))}]")
    return _short(str(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 1]}…"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
