"""What changed between two contents of a document: fields, lines, and one class.

Lines are compared by libgit2's xdiff (through pygit2), which stays near-linear on hostile input.
Both buffers are held in variables until the result is read: pygit2 does not hold them itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pygit2 import Patch


class ChangeClass(StrEnum):
    """What kind of change a version is, the weightiest first."""

    CONTENT = "content"
    METADATA = "metadata"
    REVIEW = "review"  # nothing but review dates or the reviewer
    COSMETIC = "cosmetic"  # nothing but white space


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One front-matter field; None where the field is absent on that side."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference of two versions."""

    kind: ChangeClass
    fields: tuple[FieldChange, ...]
    lines_added: int
    lines_removed: int

    def fields_json(self) -> list[dict[str, Any]]:
        """Return the fields as the store and `history --json` have them."""
        return [{"field": f.field, "old": f.old, "new": f.new} for f in self.fields]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """One run of changed lines with three lines around it; lines count from 1."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    lines: tuple[tuple[str, str], ...]  # (" ", "+" or "-", text without its line end)


def first_change(body: str) -> Change:
    """Return the change of a first version: all of it is new content."""
    lines = body.count("\n") + (not body.endswith("\n") and body != "")
    return Change(kind=ChangeClass.CONTENT, fields=(), lines_added=lines, lines_removed=0)


def compare(
    old_metadata: Mapping[str, Any],
    old_body: str,
    new_metadata: Mapping[str, Any],
    new_body: str,
    *,
    review_fields: frozenset[str],
) -> Change | None:
    """Return what changed, or None when metadata and body are equal.

    `review_fields` are the names of the fields that only say who reviewed, and when.
    """
    fields = _compare_fields(old_metadata, new_metadata)
    if not fields and old_body == new_body:
        return None
    added, removed = _count_lines(old_body, new_body)
    return Change(
        kind=_classify(fields, old_body, new_body, review_fields),
        fields=fields,
        lines_added=added,
        lines_removed=removed,
    )


def hunks(old_body: str, new_body: str) -> tuple[Hunk, ...]:
    """Return the changed lines of two bodies with their surroundings, as a unified diff has them."""
    old, new = old_body.encode(), new_body.encode()
    patch = Patch.create_from(old, new)
    return tuple(
        Hunk(
            old_start=hunk.old_start,
            old_lines=hunk.old_lines,
            new_start=hunk.new_start,
            new_lines=hunk.new_lines,
            lines=tuple(
                (line.origin, line.content.rstrip("\n"))
                for line in hunk.lines
                if line.origin in {" ", "+", "-"}  # the rest marks a missing end of the last line
            ),
        )
        for hunk in patch.hunks
    )


def _compare_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(field=name, old=old.get(name), new=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _classify(
    fields: tuple[FieldChange, ...], old_body: str, new_body: str, review_fields: frozenset[str]
) -> ChangeClass:
    if old_body != new_body and old_body.split() != new_body.split():
        return ChangeClass.CONTENT
    if not fields:
        return ChangeClass.COSMETIC
    if all(change.field in review_fields for change in fields):
        return ChangeClass.REVIEW
    return ChangeClass.METADATA


def _count_lines(old_body: str, new_body: str) -> tuple[int, int]:
    if old_body == new_body:
        return 0, 0
    old, new = old_body.encode(), new_body.encode()
    _context, added, removed = Patch.create_from(old, new).line_stats
    return added, removed
