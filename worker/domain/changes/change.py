"""Compare two versions of a document: their fields, lines, sections, figures and links.

Sections, figures and links are compared only in the changed passages. Limits keep the comparison of
any two bodies that intake accepts below 50 ms. When a limit is reached, the change is incomplete and
therefore has a high risk. The result is a `worker.domain.changes.change_record.Change`. Called by
`worker.ingest.rows` and `worker.library.queries`, which import it only for a document that has an
earlier version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.domain.changes.change_record import Change, ChangeClass, FieldChange
from worker.domain.changes.figures import FigureChange, compare_figures, without_moves
from worker.domain.changes.lines import Edit, LineDiff, compare_lines
from worker.domain.changes.links import Link, LinkChange, compare_links
from worker.domain.changes.outline import read_outlines
from worker.domain.changes.passages import (
    LEAST_COST,
    LINES_AROUND,
    MOST_READ,
    Side,
    find_passages,
    read_side,
    reading_cost,
)
from worker.domain.changes.risk import GRAVE_FIELDS, weigh
from worker.domain.changes.sections import SectionChange, compare_sections
from worker.domain.changes.words import same_words

#: With more changed lines, or runs of them, only the lines are reported, and the risk is high.
MOST_LINES = 20_000
MOST_EDITS = 2_000
#: Passages that may be skipped because they exceed the rest of the budget; then the search ends.
_MOST_SKIPPED = 50
#: The most sections, figures and links that one change lists, each.
MOST_LISTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """The findings in the changed passages; not `complete` where a limit was reached."""

    sections: tuple[SectionChange, ...] = ()
    figures: tuple[FigureChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """One run of changed lines, with three lines before and after it; lines count from 1."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    lines: tuple[tuple[str, str], ...]  # (" ", "+" or "-", text without its line end)


def compare(
    old_metadata: Mapping[str, Any],
    old_body: str,
    new_metadata: Mapping[str, Any],
    new_body: str,
    *,
    review_fields: frozenset[str],
    grave_fields: frozenset[str] = GRAVE_FIELDS,
) -> Change | None:
    """Return what changed, or None if metadata and body are equal.

    `review_fields` names the fields that only say who reviewed and when. A change of one of the
    `grave_fields` is a high risk.
    """
    fields = _compare_fields(old_metadata, new_metadata)
    if not fields and old_body == new_body:
        return None
    diff = compare_lines(old_body, new_body)
    kind = _classify(fields, old_body, new_body, diff, review_fields)
    found = _examine(old_body, new_body, diff)
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
        lines_added=diff.added,
        lines_removed=diff.removed,
        sections=found.sections[:MOST_LISTED],
        figures=found.figures[:MOST_LISTED],
        links=found.links[:MOST_LISTED],
        risk=risk,
        reasons=reasons,
    )


def hunks(old_body: str, new_body: str) -> tuple[Hunk, ...]:
    """Return the changed lines of two bodies with the lines around them, as in a unified diff."""
    edits = compare_lines(old_body, new_body).edits
    return tuple(_hunk(old_body, new_body, near) for near in _group(edits))


def _group(edits: Sequence[Edit]) -> Iterator[Sequence[Edit]]:
    """Yield groups of edits that are so near each other that the lines shown around them meet."""
    begin = 0
    for end in range(1, len(edits) + 1):
        if end == len(edits) or edits[end].old[0] - edits[end - 1].old[1] > 2 * LINES_AROUND:
            yield edits[begin:end]
            begin = end


def _hunk(old: str, new: str, edits: Sequence[Edit]) -> Hunk:
    first, last = edits[0], edits[-1]
    at = _go(old, first.old_at[0], -LINES_AROUND)
    end = _go(old, last.old_at[1], LINES_AROUND)
    before = _lines(old[at : first.old_at[0]])
    lines: list[tuple[str, str]] = []
    for edit in edits:
        lines.extend((" ", line) for line in _lines(old[at : edit.old_at[0]]))
        lines.extend(("-", line) for line in _lines(old[slice(*edit.old_at)]))
        lines.extend(("+", line) for line in _lines(new[slice(*edit.new_at)]))
        at = edit.old_at[1]
    after = _lines(old[at:end])
    lines.extend((" ", line) for line in after)
    old_lines = last.old[1] - first.old[0] + len(before) + len(after)
    new_lines = last.new[1] - first.new[0] + len(before) + len(after)
    return Hunk(
        # An empty side has the number of the line before it.
        old_start=first.old[0] - len(before) + (old_lines > 0),
        old_lines=old_lines,
        new_start=first.new[0] - len(before) + (new_lines > 0),
        new_lines=new_lines,
        lines=tuple(lines),
    )


def _go(text: str, at: int, lines: int) -> int:
    """Return where the line begins that is `lines` lines after the one at `at`, or before it."""
    for _ in range(-lines):
        at = text.rfind("\n", 0, max(0, at - 1)) + 1
    for _ in range(lines):
        at = text.find("\n", at) + 1 or len(text)
    return at


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _compare_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(field=name, old=old.get(name), new=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _classify(
    fields: tuple[FieldChange, ...],
    old: str,
    new: str,
    diff: LineDiff,
    review_fields: frozenset[str],
) -> ChangeClass:
    if diff.edits:
        begin, last = diff.edits[0].old_at[0], diff.edits[-1]
        if not same_words(old, new, begin, (last.old_at[1], last.new_at[1])):
            return ChangeClass.CONTENT
    if not fields:
        return ChangeClass.COSMETIC
    if all(change.field in review_fields for change in fields):
        return ChangeClass.REVIEW
    return ChangeClass.METADATA


def _examine(old_body: str, new_body: str, diff: LineDiff) -> _Findings:
    """Return the findings in the changed passages."""
    if not diff.edits:
        return _Findings()
    if diff.added + diff.removed > MOST_LINES or len(diff.edits) > MOST_EDITS:
        return _Findings(complete=False)
    old, new = read_outlines(old_body, new_body, diff.edits)
    complete = old.complete and new.complete and diff.exact
    sections = compare_sections(old, new, diff.edits)
    figures: list[FigureChange] = []
    links: tuple[list[Link], list[Link]] = ([], [])
    left: float = MOST_READ
    skipped = 0
    for passage in find_passages(old_body, diff.edits):
        if left < LEAST_COST or skipped > _MOST_SKIPPED:
            complete = False
            break
        some, other = old_body[slice(*passage.old_at)], new_body[slice(*passage.new_at)]
        cost = max(reading_cost(some), reading_cost(other))
        if cost > left:
            complete = False
            skipped += 1  # a shorter passage may still fit
            continue
        left -= cost
        before = read_side(Side(first=passage.old_first, text=some), old.in_fence)
        after = read_side(Side(first=passage.new_first, text=other), new.in_fence)
        figures.extend(compare_figures(before.blocks, after.blocks))
        links[0].extend(before.links)
        links[1].extend(after.links)
    return _Findings(
        sections=sections,
        figures=without_moves(figures),
        links=compare_links(*links),
        complete=complete,
    )
