"""What changed between two contents of a document: fields, lines, and one class; and what it means.

Lines are compared by libgit2's xdiff (through pygit2), which stays near-linear on hostile input.
Both buffers are held (in a `_Middle`) until the result is read: pygit2 does not hold them itself.
Sections, figures and links are looked for in the changed passages alone, up to the limits below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pygit2 import Patch

from worker.domain.figures import FigureChange, compare_figures, without_moves
from worker.domain.links import Link, LinkChange, compare_links
from worker.domain.outline import read_outline
from worker.domain.overlap import common_end, common_start
from worker.domain.passages import (
    MOST_READ,
    Line,
    Passage,
    find_edits,
    find_passages,
    read_side,
)
from worker.domain.risk import GRAVE_FIELDS, Risk, weigh
from worker.domain.sections import SectionChange, compare_sections

#: Unchanged lines that a hunk shows around a change.
LINES_AROUND = 3
#: Above so many changed lines nothing but the lines is told, and the risk is high.
MOST_LINES = 20_000
#: Sections, figures and links that one change tells, of each at most.
MOST_TOLD = 200


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
    """The difference of two versions; `reasons` say why a risk is high."""

    kind: ChangeClass
    fields: tuple[FieldChange, ...]
    lines_added: int
    lines_removed: int
    sections: tuple[SectionChange, ...] = ()
    figures: tuple[FigureChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    risk: Risk = Risk.LOW
    reasons: tuple[str, ...] = ()

    def fields_json(self) -> list[dict[str, Any]]:
        """Return the fields as the store and `history --json` have them."""
        return [{"field": f.field, "old": f.old, "new": f.new} for f in self.fields]

    def details_json(self) -> dict[str, Any]:
        """Return the sections, figures and links, and the risk, as the store and the commands have them."""
        return {
            "sections": [section.as_json() for section in self.sections],
            "figures": [figure.as_json() for figure in self.figures],
            "links": [link.as_json() for link in self.links],
            "risk": str(self.risk),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What the changed passages say; not `complete` where a limit was reached."""

    sections: tuple[SectionChange, ...] = ()
    figures: tuple[FigureChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """One run of changed lines with three lines around it; lines count from 1."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    lines: tuple[tuple[str, str], ...]  # (" ", "+" or "-", text without its line end)


def first_change(body: str) -> Change:
    """Return the change of a first version: all of it is new content.

    It replaces nothing, so that there is nothing to weigh: no sections, figures or links, and a low risk.
    """
    lines = body.count("\n") + (not body.endswith("\n") and body != "")
    return Change(kind=ChangeClass.CONTENT, fields=(), lines_added=lines, lines_removed=0)


def compare(
    old_metadata: Mapping[str, Any],
    old_body: str,
    new_metadata: Mapping[str, Any],
    new_body: str,
    *,
    review_fields: frozenset[str],
    grave_fields: frozenset[str] = GRAVE_FIELDS,
) -> Change | None:
    """Return what changed, or None when metadata and body are equal.

    `review_fields` are the names of the fields that only say who reviewed, and when; `grave_fields`
    those whose change is a high risk.
    """
    fields = _compare_fields(old_metadata, new_metadata)
    if not fields and old_body == new_body:
        return None
    old, new = old_body.encode(), new_body.encode()
    middle = _cut(old, new)
    kind = _classify(fields, middle, review_fields)
    added, removed, found = _compare_bodies(old, new, middle)
    risk, reasons = weigh(
        slight=kind in {ChangeClass.REVIEW, ChangeClass.COSMETIC},
        fields=[change.field for change in fields],
        grave_fields=grave_fields,
        figures=found.figures,
        sections=found.sections,
        complete=found.complete,
    )
    return Change(
        kind=kind,
        fields=fields,
        lines_added=added,
        lines_removed=removed,
        sections=found.sections[:MOST_TOLD],
        figures=found.figures[:MOST_TOLD],
        links=found.links[:MOST_TOLD],
        risk=risk,
        reasons=reasons,
    )


def hunks(old_body: str, new_body: str) -> tuple[Hunk, ...]:
    """Return the changed lines of two bodies with their surroundings, as a unified diff has them."""
    middle = _cut(old_body.encode(), new_body.encode())
    patch = Patch.create_from(middle.old, middle.new)
    return tuple(
        Hunk(
            old_start=middle.first_line + hunk.old_start,
            old_lines=hunk.old_lines,
            new_start=middle.first_line + hunk.new_start,
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
    fields: tuple[FieldChange, ...], middle: _Middle, review_fields: frozenset[str]
) -> ChangeClass:
    if _words_differ(middle.old, middle.new):
        return ChangeClass.CONTENT
    if not fields:
        return ChangeClass.COSMETIC
    if all(change.field in review_fields for change in fields):
        return ChangeClass.REVIEW
    return ChangeClass.METADATA


def _words_differ(old: bytes, new: bytes) -> bool:
    """Return whether anything but white space differs."""
    if old == new:
        return False
    begin = common_start(old, new)
    begin = max(old.rfind(b" ", 0, begin), old.rfind(b"\n", 0, begin), 0)
    old, new = old[begin:], new[begin:]
    # As a rule the first words tell; the last of them may be cut.
    some, others = (side[:4000].decode(errors="ignore").split()[:-1] for side in (old, new))
    if any(one != other for one, other in zip(some, others, strict=False)):
        return True
    return old.decode().split() != new.decode().split()


def _compare_bodies(old: bytes, new: bytes, middle: _Middle) -> tuple[int, int, _Findings]:
    """Return the lines added and removed, and what the changed passages say."""
    if old == new:
        return 0, 0, _Findings()
    patch = Patch.create_from(middle.old, middle.new)
    _context, added, removed = patch.line_stats
    if added + removed > MOST_LINES:
        return added, removed, _Findings(complete=False)
    changed = [list(_number_lines(hunk, middle.first_line)) for hunk in patch.hunks]
    return added, removed, _examine(old, new, changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Middle:
    """Two bodies without the lines that both begin and end with, but for a few; whole lines."""

    first_line: int  # counted from 0, the same on both sides
    old: bytes
    new: bytes


def _cut(old: bytes, new: bytes) -> _Middle:
    """Leave out what both bodies begin and end with: a comparison of the middle costs less.

    As many lines as a hunk shows around a change stay.
    """
    begin = common_start(old, new)
    end = common_end(old, new, min(len(old), len(new)) - begin)
    for _ in range(LINES_AROUND + 1):
        begin = old.rfind(b"\n", 0, begin) if begin > 0 else -1
    begin += 1
    stop = len(old) - end
    for _ in range(LINES_AROUND + 1):
        found = old.find(b"\n", stop)
        stop = found + 1 if found >= 0 else len(old)
    return _Middle(
        first_line=old.count(b"\n", 0, begin),
        old=old[begin:stop],
        new=new[begin : len(new) - (len(old) - stop)],
    )


def _examine(old_body: bytes, new_body: bytes, changed: list[list[Line]]) -> _Findings:
    old, new = read_outline(old_body), read_outline(new_body)
    complete = old.complete and new.complete
    sections = compare_sections(old, new, find_edits(line for hunk in changed for line in hunk))
    figures: list[FigureChange] = []
    links: tuple[list[Link], list[Link]] = ([], [])
    left = MOST_READ
    for passage in find_passages(changed):
        left -= _size(passage)
        if left < 0:
            complete = False
            break
        before = read_side(passage.old, old.in_fence)
        after = read_side(passage.new, new.in_fence)
        figures.extend(compare_figures(before.blocks, after.blocks))
        links[0].extend(before.links)
        links[1].extend(after.links)
    return _Findings(
        sections=sections,
        figures=without_moves(figures),
        links=compare_links(*links),
        complete=complete,
    )


def _size(passage: Passage) -> int:
    """Return the length of the longer side, in characters."""
    return max(sum(map(len, side.lines)) + len(side.lines) for side in (passage.old, passage.new))


def _number_lines(hunk: Any, first_line: int) -> Iterator[Line]:
    """Yield the lines of a hunk of libgit2, with their numbers on both sides counted from 0."""
    # An empty side is told by the line before it.
    old = first_line + (hunk.old_start - 1 if hunk.old_lines else hunk.old_start)
    new = first_line + (hunk.new_start - 1 if hunk.new_lines else hunk.new_start)
    for line in hunk.lines:
        origin = line.origin
        if origin in {" ", "+", "-"}:
            yield Line(origin=origin, text=line.content.rstrip("\n"), old=old, new=new)
            old += origin != "+"
            new += origin != "-"
