"""Find the headings and the fenced code of a body, as markdown-it-py's block rules do.

Only headings at the top level count; those inside lists and quotes are part of the text. Parsing a
megabyte takes 100 ms, so only doubtful parts are parsed: a line that begins with `#` is a heading
unless a fence, an HTML block or an underlined heading may begin between it and the previous heading.
Of two bodies, the text that both have is searched once. Tests check that the result equals that of a
full parse. Called by `worker.domain.changes.change`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.token import Token

from worker.domain.changes.lines import Edit

#: The most characters and lines that one outline parses: about 10 ms. After that, every line that
#: begins with `#` counts as a heading.
MOST_PARSED = 100_000
MOST_LINES = 4_000
#: The most headings and doubtful lines read in one body, and the most lines of a body that is read.
MOST_MARKS = 5_000
MOST_BODY_LINES = 200_000

# Begins with a literal line end, so that the search jumps quickly from line to line.
_MARK = re.compile(
    r"\n(?:"
    r"(?P<hashes>#{1,6})(?=[ \t\n]|\Z)"
    r"|[ \t>*+.)0-9-]*+(?:`{3}|~{3})"
    r"| {0,3}(?:<[A-Za-z/!?]|(?P<underline>=++|-++)[ \t]*+(?=\n|\Z))"
    r"| {1,3}#{1,6}(?=[ \t\n]|\Z)"
    r")"
)
_PARSER = MarkdownIt("commonmark")
#: A heading that Markdown reads exactly as it is written.
_PLAIN_HEADING = re.compile(r"#{1,6}[ \t]+((?:[^\W_]|[ ,.;:()'\"?/%–’-])*[^\W_])\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading: its first line in the body (counted from 0), its level, and its lines as written."""

    line: int
    level: int
    source: str

    @property
    def title(self) -> str:
        """Return the heading as a reader sees it, at most 200 characters."""
        return _title_of(self.source[:1000])


@lru_cache(maxsize=1024)  # most sections keep their heading
def _title_of(source: str) -> str:
    if plain := _PLAIN_HEADING.fullmatch(source):
        return " ".join(plain[1].split())[:200]
    tokens = _PARSER.parse(source)
    inline = next((token for token in tokens if token.type == "inline"), None)
    if inline is None:
        return ""
    parts = (child.content or " " for child in inline.children or ())
    return " ".join("".join(parts).split())[:200]


@dataclass(slots=True, kw_only=True)
class Outline:
    """The headings in order, and the line ranges of fenced code; lines count from 0.

    `complete` is false where a limit was reached.
    """

    headings: list[Heading] = field(default_factory=list)
    fences: list[tuple[int, int]] = field(default_factory=list)
    complete: bool = True
    _lines: list[int] = field(default_factory=list, compare=False, repr=False)

    def in_fence(self, line: int) -> bool:
        """Return whether a line is fenced code or a fence."""
        at = bisect_right(self.fences, (line, 1 << 62)) - 1
        return at >= 0 and line < self.fences[at][1]

    def section(self, line: int) -> int:
        """Return the number of the heading at or above a line, or -1 before the first heading."""
        if len(self._lines) != len(self.headings):
            self._lines = [heading.line for heading in self.headings]
        return bisect_right(self._lines, line) - 1


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that begins with `#` (with its level), or a doubtful line (level 0)."""

    at: int
    line: int
    level: int


_Pieces = dict[str, "Outline"]


def read_outline(body: str) -> Outline:
    """Return the headings and fences of a body whose lines end in LF."""
    if body.count("\n") > MOST_BODY_LINES:
        return Outline(complete=False)
    return _read(body, _find_marks(body), {})


def read_outlines(old: str, new: str, edits: Sequence[Edit]) -> tuple[Outline, Outline]:
    """Return the outlines of two bodies; `edits` holds every difference between them, in order."""
    lines = old.count("\n")
    longer = sum(edit.new[1] - edit.new[0] - edit.old[1] + edit.old[0] for edit in edits)
    if max(lines, lines + longer) > MOST_BODY_LINES:
        return read_outline(old), read_outline(new)
    marks, pieces = list(islice(_find_marks(old), MOST_MARKS + 1)), _Pieces()
    known = marks if len(marks) <= MOST_MARKS else None
    others = _find_marks(new) if known is None else _carry_over(known, new, edits)
    return _read(old, marks, pieces), _read(new, others, pieces)


def _read(body: str, marks: Iterable[_Mark], pieces: _Pieces) -> Outline:
    """Return the outline of a body with these marks; `pieces` caches the pieces already parsed."""
    outline = Outline()
    start = _Mark(0, 0, 0)  # where the undecided piece begins
    doubtful, next_try, budget = False, 0, MOST_PARSED
    for count, mark in enumerate(marks):
        if count == MOST_MARKS:
            outline.complete = False
            return outline
        if not mark.level:
            doubtful = True
            continue
        end = _line_end(body, mark.at)
        size = end - start.at
        if doubtful and size < next_try:
            continue
        if doubtful and size <= budget and mark.line - start.line <= MOST_LINES:
            budget -= size
            piece = _parse_piece(body[start.at : end], pieces)
            if not piece.headings or start.line + piece.headings[-1].line != mark.line:
                # The heading is inside an open fence; the next try is twice as long.
                next_try = 2 * size
                continue
            _append(outline, piece, start.line)
        else:
            outline.complete &= not doubtful
            source = body[mark.at : end]
            outline.headings.append(Heading(line=mark.line, level=mark.level, source=source))
        start, doubtful, next_try = mark, False, 0
    if doubtful and len(body) - start.at <= budget and body.count("\n", start.at) < MOST_LINES:
        _append(outline, _parse_piece(body[start.at :], pieces), start.line)
        doubtful = False
    outline.complete &= not doubtful
    return outline


def _line_end(body: str, at: int) -> int:
    end = body.find("\n", at)
    return end if end >= 0 else len(body)


def _find_marks(body: str) -> Iterator[_Mark]:
    return _find_some_marks(body, 0, len(body), 0)


def _find_some_marks(body: str, begin: int, end: int, line: int) -> Iterator[_Mark]:
    """Yield the marks in a stretch of whole lines that begins at line `line`."""
    if begin == 0:  # the first line has no line end before it, and cannot underline another
        first = _MARK.match("\n" + body[: _line_end(body, 0)])
        if first is not None and not first["underline"]:
            yield _Mark(0, 0, len(first["hashes"] or ""))
    at = begin
    for match in _MARK.finditer(body, max(begin - 1, 0), end):
        here = match.start()
        if match["underline"] and body[here - 1 : here] in {"\n", ""}:
            continue  # below an empty line it is not an underline
        line += body.count("\n", at, here + 1)
        at = here + 1
        yield _Mark(at, line, len(match["hashes"] or ""))


def _carry_over(marks: Sequence[_Mark], new: str, edits: Sequence[Edit]) -> Iterator[_Mark]:
    """Yield the marks of a new body; only the lines of the edits are searched.

    The line after an edit is searched too: it may underline the new line before it.
    """
    number = 0  # of the next old mark
    lines = characters = 0  # how far it has moved
    for edit in edits:
        while number < len(marks) and marks[number].line < edit.old[0]:
            mark = marks[number]
            yield _Mark(mark.at + characters, mark.line + lines, mark.level)
            number += 1
        begin, end = edit.new_at
        yield from _find_some_marks(new, begin, _line_end(new, end), edit.new[0])
        while number < len(marks) and marks[number].line <= edit.old[1]:
            number += 1
        lines = edit.new[1] - edit.old[1]
        characters = edit.new_at[1] - edit.old_at[1]
    for mark in marks[number:]:
        yield _Mark(mark.at + characters, mark.line + lines, mark.level)


def _append(outline: Outline, piece: Outline, first_line: int) -> None:
    """Append a piece; its first heading may repeat the last heading of the outline."""
    known = outline.headings[-1].line if outline.headings else -1
    outline.headings.extend(
        Heading(line=first_line + heading.line, level=heading.level, source=heading.source)
        for heading in piece.headings
        if first_line + heading.line > known
    )
    outline.fences.extend((first_line + begin, first_line + end) for begin, end in piece.fences)


def _parse_piece(piece: str, pieces: _Pieces) -> Outline:
    """Return the outline of a piece, with lines counted from its first line."""
    if (known := pieces.get(piece)) is not None:
        return known
    tokens: list[Token] = []
    _PARSER.block.parse(piece, _PARSER, {}, tokens)
    lines = piece.split("\n")
    outline = pieces[piece] = Outline()
    for token in tokens:
        if token.map is None:
            continue
        begin, end = token.map
        if token.type == "heading_open" and token.level == 0:
            source = "\n".join(lines[begin:end])
            outline.headings.append(Heading(line=begin, level=int(token.tag[1:]), source=source))
        elif token.type == "fence":
            outline.fences.append((begin, end))
    return outline
