"""Find the sections that an edit touches, from the outlines of both bodies and the changed lines.

A section is a heading and the lines below it, up to the next heading of any level. The lines before
the first heading are a section without a heading, of level 0. Called by `worker.domain.changes.change`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.changes.lines import Edit, Span
from worker.domain.changes.outline import Heading, Outline
from worker.domain.changes.passages import reading_cost

#: The most that one comparison spends on reading headings as Markdown, by their cost: about 10 ms.
MOST_TITLES = 10_000


class SectionStatus(StrEnum):
    """How a section changed; a section that was renamed or moved is changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionChange:
    """One touched section; `heading` is the new heading where it was renamed."""

    heading: str
    level: int
    status: SectionStatus
    lines_added: int
    lines_removed: int

    def as_json(self) -> dict[str, str | int]:
        """Return the change in the form of the store and the commands."""
        return {
            "heading": self.heading,
            "level": self.level,
            "status": str(self.status),
            "lines_added": self.lines_added,
            "lines_removed": self.lines_removed,
        }


def compare_sections(
    old: Outline, new: Outline, edits: Sequence[Edit]
) -> tuple[SectionChange, ...]:
    """Return the touched sections in the order of the new body, then the removed sections.

    A heading is given as a reader sees it, or as it is written if there are too many.
    """
    removed = _count(old, [edit.old for edit in edits])
    added = _count(new, [edit.new for edit in edits])
    partners = _match(old, new, edits)
    sources = {after: before for before, after in partners.items()}
    titles = _Titles()
    changes = [
        _change(
            titles.of(heading),
            heading,
            SectionStatus.CHANGED if number in sources else SectionStatus.ADDED,
            added[number],
            removed[sources[number]] if number in sources else 0,
        )
        for number, heading in enumerate((None, *new.headings), start=-1)
        if number not in sources or added[number] or removed[sources[number]]
    ]
    changes.extend(
        _change(titles.of(heading), heading, SectionStatus.REMOVED, 0, removed[number])
        for number, heading in enumerate(old.headings)
        if number not in partners
    )
    return tuple(changes)


class _Titles:
    """The titles of headings, within a budget: one takes 100 µs to read, and a body may have thousands."""

    def __init__(self) -> None:
        self._left: float = MOST_TITLES

    def of(self, heading: Heading | None) -> str:
        if heading is None:
            return ""
        self._left -= reading_cost(heading.source[:1000])
        return heading.title if self._left >= 0 else heading.source.strip("# \t\n")[:200]


def _change(
    title: str, heading: Heading | None, status: SectionStatus, added: int, removed: int
) -> SectionChange:
    return SectionChange(
        heading=title,
        level=heading.level if heading else 0,
        status=status,
        lines_added=added,
        lines_removed=removed,
    )


def _count(outline: Outline, spans: Sequence[Span]) -> Counter[int]:
    """Return how many of the lines are in each section."""
    counts: Counter[int] = Counter()
    for begin, end in spans:
        at = begin
        while at < end:
            number = outline.section(at)
            following = number + 1
            until = end
            if following < len(outline.headings):
                until = min(end, outline.headings[following].line)
            counts[number] += until - at
            at = until
    return counts


def _match(old: Outline, new: Outline, edits: Sequence[Edit]) -> dict[int, int]:
    """Return the new section of each old section that still exists.

    Sections match first if their heading is on an unchanged line, then if they end with the same
    lines (the heading was renamed), then if they have the same heading (the section was moved or
    rewritten).
    """
    numbers = {heading.line: number for number, heading in enumerate(new.headings)}
    starts = [edit.old[0] for edit in edits]
    partners = {-1: -1}
    for number, heading in enumerate(old.headings):
        line = _new_line(heading.line, edits, starts)
        if line is not None and line in numbers:
            partners[number] = numbers[line]
    taken = set(partners.values())
    for edit in edits:
        before, after = old.section(edit.old[1]), new.section(edit.new[1])
        if (
            before not in partners
            and after not in taken
            and before >= 0
            and after >= 0
            and edit.old[0] <= old.headings[before].line < edit.old[1]
            and edit.new[0] <= new.headings[after].line < edit.new[1]
            and old.headings[before].level == new.headings[after].level
        ):
            partners[before] = after
            taken.add(after)
    waiting: dict[tuple[int, str], deque[int]] = defaultdict(deque)
    for number, heading in enumerate(new.headings):
        if number not in taken:
            waiting[heading.level, heading.source.strip()].append(number)
    for number, heading in enumerate(old.headings):
        if number not in partners and (
            same := waiting.get((heading.level, heading.source.strip()))
        ):
            partners[number] = same.popleft()
    return partners


def _new_line(line: int, edits: Sequence[Edit], starts: Sequence[int]) -> int | None:
    """Return the line in the new body of an old line, or None if it was removed."""
    at = bisect_right(starts, line) - 1
    if at < 0:
        return line
    edit = edits[at]
    if line < edit.old[1]:
        return None
    return line + edit.new[1] - edit.old[1]
