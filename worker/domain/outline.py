"""The headings of a body, and its fenced code, as markdown-it-py's block rules find them.

A heading counts when it stands at the top level; those inside lists and quotes belong to the text.
Parsing a megabyte takes 100 ms, so only what leaves a doubt is parsed: a line that begins with `#` is a
heading unless a fence, an HTML block or an underlined heading may begin between the heading before it
and itself. Tests hold the result equal to that of a full parse. Called by `worker.domain.change`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

#: What one outline parses at most, in bytes and lines: about 10 ms. Behind that, lines that
#: begin with `#` count as headings as they stand.
MOST_PARSED = 100_000
MOST_LINES = 4_000
#: Headings and doubts looked at in one body, and the lines of a body that is looked at.
MOST_MARKS = 5_000
MOST_BODY_LINES = 200_000

# Begins with a literal line end, so that the search goes from line to line at the speed of memchr.
_MARK = re.compile(
    rb"\n(?:"
    rb"(?P<hashes>#{1,6})(?=[ \t\n])"
    rb"|[ \t>*+.)\d-]*+(?:`{3}|~{3})"
    rb"| {0,3}(?:<[A-Za-z/!?]|(?P<underline>=++|-++)[ \t]*+(?=\n))"
    rb"| {1,3}#{1,6}(?=[ \t\n])"
    rb")"
)
_PARSER = MarkdownIt("commonmark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading: its first line in the body, counted from 0, its level, and its lines as written."""

    line: int
    level: int
    source: str

    @property
    def title(self) -> str:
        """Return what a reader sees of it, at most 200 characters."""
        tokens = _PARSER.parse(self.source[:1000])
        inline = next((token for token in tokens if token.type == "inline"), None)
        if inline is None:
            return ""
        parts = (child.content or " " for child in inline.children or ())
        return " ".join("".join(parts).split())[:200]


@dataclass(slots=True, kw_only=True)
class Outline:
    """The headings in their order, and the line ranges of fenced code; lines count from 0.

    `complete` is false where a limit was reached.
    """

    headings: list[Heading] = field(default_factory=list)
    fences: list[tuple[int, int]] = field(default_factory=list)
    complete: bool = True

    def in_fence(self, line: int) -> bool:
        """Return whether a line is fenced code, or one of its fences."""
        at = bisect_right(self.fences, (line, 1 << 62)) - 1
        return at >= 0 and line < self.fences[at][1]

    def section(self, line: int) -> int:
        """Return the number of the heading above a line, itself included; -1 before the first."""
        return bisect_right(self.headings, line, key=lambda heading: heading.line) - 1


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that begins with `#` (its level), or one that leaves a doubt (level 0)."""

    at: int
    line: int
    level: int


def read_outline(body: bytes) -> Outline:
    """Return the headings and fences of a body in UTF-8 whose lines end in LF."""
    if body.count(b"\n") > MOST_BODY_LINES:
        return Outline(complete=False)
    text = b"\n%b\n" % body
    outline = Outline()
    start = _Mark(0, 0, 0)  # where the piece begins that is not settled yet
    doubtful, next_try, budget = False, 0, MOST_PARSED
    for count, mark in enumerate(_find_marks(text)):
        if count == MOST_MARKS:
            outline.complete = False
            return outline
        if not mark.level:
            doubtful = True
            continue
        end = text.index(b"\n", mark.at + 1)
        size = end - start.at
        if doubtful and size < next_try:
            continue
        if doubtful and size <= budget and mark.line - start.line <= MOST_LINES:
            budget -= size
            piece = _parse_piece(text[start.at + 1 : end], start.line)
            if not piece.headings or piece.headings[-1].line != mark.line:
                # A fence that is still open swallows the heading; the next try is twice as long.
                next_try = 2 * size
                continue
            _append(outline, piece)
        else:
            outline.complete &= not doubtful
            source = text[mark.at + 1 : end].decode()
            outline.headings.append(Heading(line=mark.line, level=mark.level, source=source))
        start, doubtful, next_try = mark, False, 0
    if doubtful and len(text) - start.at <= budget and text.count(b"\n", start.at) <= MOST_LINES:
        _append(outline, _parse_piece(text[start.at + 1 : -1], start.line))
        doubtful = False
    outline.complete &= not doubtful
    return outline


def _find_marks(text: bytes) -> Iterator[_Mark]:
    line = at = 0
    for match in _MARK.finditer(text):
        here = match.start()
        if match["underline"] and text[here - 1 : here] in {b"\n", b""}:
            continue  # below an empty line it underlines nothing
        line += text.count(b"\n", at, here)
        at = here
        yield _Mark(here, line, len(match["hashes"] or b""))


def _append(outline: Outline, piece: Outline) -> None:
    """Add a piece, whose first heading may be the last one that is known."""
    known = outline.headings[-1].line if outline.headings else -1
    outline.headings.extend(heading for heading in piece.headings if heading.line > known)
    outline.fences.extend(piece.fences)


def _parse_piece(piece: bytes, first_line: int) -> Outline:
    text = piece.decode()
    tokens: list[Token] = []
    _PARSER.block.parse(text, _PARSER, {}, tokens)
    lines = text.split("\n")
    outline = Outline()
    for token in tokens:
        if token.map is None:
            continue
        begin, end = token.map
        if token.type == "heading_open" and token.level == 0:
            outline.headings.append(
                Heading(
                    line=first_line + begin,
                    level=int(token.tag[1:]),
                    source="\n".join(lines[begin:end]),
                )
            )
        elif token.type == "fence":
            outline.fences.append((first_line + begin, first_line + end))
    return outline
