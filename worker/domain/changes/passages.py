"""Find the changed passages of two bodies: the paragraphs that an edit touches, as a reader sees them.

A passage is a run of changed lines and up to three lines before and after it, as far as the next
empty line. A long unchanged line is a paragraph and is left out. markdown-it-py parses the passage
on both sides, to distinguish list numbers, link targets and code from text. Each passage is parsed
alone, so a reference link stays text if its definition is elsewhere, and so does an indented code
block. Called by `worker.domain.changes.change`; other modules compare figures and links.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from textwrap import dedent

from markdown_it import MarkdownIt
from markdown_it.token import Token

from worker.domain.changes.lines import Edit, Span

#: The most that is read, by its cost: about 25 ms, or 60,000 characters of prose.
MOST_READ = 22_000
#: Unchanged lines before and after a change in a hunk or a passage.
LINES_AROUND = 3
#: A longer line is not wrapped text: no figure or link continues on the next line.
WRAPPED = 200

#: The cost of reading a passage on both sides, in about microseconds: for a passage, for one with
#: Markdown, for each character, word and line, for each line that begins with a mark or a number, for
#: each number and mark, and for these marks.
LEAST_COST, _MARKDOWN, _CHARACTER, _WORD, _LINE, _MARKED_LINE = 30, 50, 0.1, 1.4, 6, 20
_NUMBER, _MARK = 4, 1.2
_MARKS = {"[": 14, "!": 14, "*": 6, "_": 6, "`": 3, "<": 5, "&": 9, "\\": 6, ">": 3}
_MARKED_UP = Counter(_MARKS)
_COSTLY = re.compile(r"[^\w\s]|_|\d++")
_MARKED = re.compile(r"^[^\S\n]*+(?:[^\w\s]|\d)", re.MULTILINE)

_PARSER = MarkdownIt("commonmark")
_PARSER.normalizeLink = str  # type: ignore[assignment] # keep targets as they are written
_TAG = re.compile(r"<[^<>]*+>")
#: A line without Markdown: an empty line, or words that do not begin a list.
_PLAIN = re.compile(
    r"[ \t]*|(?![0-9]{1,9}[.)](?:[ \t]|\Z))[^\W_](?:[^\\`*_\[\]<>&!\n]*[^\s\\`*_\[\]<>&!])?"
)
_CITATION = re.compile(r"[\s\d.,;–-]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a passage as written; `first` is the number of its first line, counted from 0."""

    first: int
    text: str


@dataclass(slots=True)
class Passage:
    """The same place on both sides: its span in each body, and its first lines, counted from 0."""

    old_at: Span
    new_at: Span
    old_first: int
    new_first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph, a list item or a heading as read; `line` is its first line, counted from 0."""

    line: int
    text: str


@dataclass(slots=True, kw_only=True)
class Reading:
    """One side of a passage as a reader sees it: its text, and its links as (text, target)."""

    blocks: list[Block] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def find_passages(old: str, edits: Iterable[Edit]) -> Iterator[Passage]:
    """Yield the changed passages; an unchanged line that is empty or long separates two of them."""
    last: Passage | None = None
    for edit in edits:
        lines, begin = _lines_before(old, edit.old_at[0])
        passage = Passage(
            (begin, _end_of_lines_after(old, edit.old_at[1])),
            (0, 0),
            edit.old[0] - lines,
            edit.new[0] - lines,
        )
        # The text around an edit is the same on both sides.
        passage.new_at = (
            edit.new_at[0] - (edit.old_at[0] - begin),
            edit.new_at[1] + passage.old_at[1] - edit.old_at[1],
        )
        if last is not None and begin <= last.old_at[1]:
            last.old_at = (last.old_at[0], passage.old_at[1])
            last.new_at = (last.new_at[0], passage.new_at[1])
            continue
        if last is not None:
            yield last
        last = passage
    if last is not None:
        yield last


def _lines_before(text: str, at: int) -> tuple[int, int]:
    """Return how many lines before an edit belong to its passage, and where they begin."""
    for lines in range(LINES_AROUND):
        begin = text.rfind("\n", max(0, at - WRAPPED - 2), max(0, at - 1)) + 1
        if (begin == 0 and at > WRAPPED + 1) or not text[begin:at].strip():
            return lines, at
        at = begin
    return LINES_AROUND, at


def _end_of_lines_after(text: str, at: int) -> int:
    for _ in range(LINES_AROUND):
        end = text.find("\n", at, at + WRAPPED + 1) + 1
        if end == 0 and len(text) - at <= WRAPPED:
            end = len(text)
        if not text[at:end].strip():
            break
        at = end
    return at


def reading_cost(text: str) -> float:
    """Return about how many microseconds it takes to read both sides of a passage and their figures."""
    cost = LEAST_COST + _CHARACTER * len(text) + _WORD * text.count(" ") + _LINE * text.count("\n")
    if cost > MOST_READ:
        return cost
    marked_lines = len(_MARKED.findall(text))
    marks = Counter(_COSTLY.findall(text))
    for mark, number in marks.items():
        cost += number * _MARKS.get(mark, _NUMBER if mark[0].isalnum() else _MARK)
    return cost + _MARKED_LINE * marked_lines + _MARKDOWN * bool(marked_lines or marks & _MARKED_UP)


def read_side(side: Side, in_fence: Callable[[int], bool]) -> Reading:
    """Return the text and the links of one side; `in_fence` tests whether a line of the body is code."""
    lines = [
        "" if in_fence(side.first + n) else line for n, line in enumerate(side.text.split("\n"))
    ]
    if all(map(_PLAIN.fullmatch, lines)):
        return Reading(blocks=list(_plain_blocks(lines, side.first)))
    text = dedent("\n".join(lines))
    reading = Reading()
    if not text.strip():
        return reading
    environment: dict[str, dict[str, dict[str, str]]] = {}
    for token in _PARSER.parse(text, environment):
        line = side.first + (token.map[0] if token.map else 0)
        if token.type == "inline":
            reading.blocks.append(
                Block(line=line, text=_read_inline(token.children or (), reading.links))
            )
        elif token.type == "code_block":
            reading.blocks.append(Block(line=line, text=token.content))
        elif token.type == "html_block":
            reading.blocks.append(Block(line=line, text=_TAG.sub(" ", token.content)))
    for label, reference in environment.get("references", {}).items():
        reading.links.append((label, reference["href"]))
    return reading


def _plain_blocks(lines: Iterable[str], first: int) -> Iterator[Block]:
    """Yield the paragraphs of lines without Markdown."""
    paragraph: list[str] = []
    for number, line in enumerate([*lines, ""], start=first):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield Block(line=number - len(paragraph), text="\n".join(paragraph))
            paragraph = []


def _read_inline(tokens: Iterable[Token], links: list[tuple[str, str]]) -> str:
    parts: list[str] = []
    target, start = None, 0
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "image":  # an image gives its alternative text
                parts.append(token.content)
            case "softbreak" | "hardbreak":
                parts.append("\n")
            case "link_open":
                target, start = str(token.attrGet("href")), len(parts)
            case "link_close" if target is not None:
                words = "".join(parts[start:])
                links.append((" ".join(words.split()), target))
                # A bare number as a link is a citation, and an address is not text.
                if token.info == "auto" or _CITATION.fullmatch(words):
                    del parts[start:]
                    parts.append("\n" * words.count("\n"))
                target = None
    return "".join(parts)
