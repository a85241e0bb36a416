"""The changed passages of two bodies: the paragraphs that an edit touches, as a reader reads them.

A passage is a run of changed lines with the lines around it up to the next empty one, three at most;
a long line is a paragraph of its own, and is not taken along. It is a stretch of both bodies.
markdown-it-py reads it, so that list numbers, link targets and code are told from text. A passage is
read by itself: a reference link whose definition lies elsewhere stays text, and so does an indented
code block. Called by `worker.domain.changes.change`; figures and links are compared elsewhere.
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

#: What is read at most, by its cost: about 25 ms, or 60,000 characters of prose.
MOST_READ = 22_000
#: Unchanged lines that a hunk and a passage have around a change.
LINES_AROUND = 3
#: Longer lines are not wrapped text, so that no figure and no link goes on in the next one.
WRAPPED = 200

#: What reading a passage costs on both sides, in about microseconds: itself, that it is Markdown, a
#: character, a word, a line, one that begins with a mark or a number, a number, a mark, these marks.
LEAST_COST, _MARKDOWN, _CHARACTER, _WORD, _LINE, _MARKED_LINE = 30, 50, 0.1, 1.4, 6, 20
_NUMBER, _MARK = 4, 1.2
_MARKS = {"[": 14, "!": 14, "*": 6, "_": 6, "`": 3, "<": 5, "&": 9, "\\": 6, ">": 3}
_MARKED_UP = Counter(_MARKS)
_COSTLY = re.compile(r"[^\w\s]|_|\d++")
_MARKED = re.compile(r"^[^\S\n]*+(?:[^\w\s]|\d)", re.MULTILINE)

_PARSER = MarkdownIt("commonmark")
_PARSER.normalizeLink = str  # type: ignore[assignment] # a target is told as it is written
_TAG = re.compile(r"<[^<>]*+>")
#: A line that is the same with Markdown and without it: an empty one, or words that begin no list.
_PLAIN = re.compile(
    r"[ \t]*|(?![0-9]{1,9}[.)](?:[ \t]|\Z))[^\W_](?:[^\\`*_\[\]<>&!\n]*[^\s\\`*_\[\]<>&!])?"
)
_CITATION = re.compile(r"[\s\d.,;–-]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a passage as written; its first line is line `first`, counted from 0."""

    first: int
    text: str


@dataclass(slots=True)
class Passage:
    """The same place on both sides: from where to where in each body, and its first lines from 0."""

    old_at: Span
    new_at: Span
    old_first: int
    new_first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph, an item or a heading as read; `line` is its first, counted from 0."""

    line: int
    text: str


@dataclass(slots=True, kw_only=True)
class Reading:
    """What a reader finds in one side of a passage: its text, and (text, target) of its links."""

    blocks: list[Block] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def find_passages(old: str, edits: Iterable[Edit]) -> Iterator[Passage]:
    """Yield the changed passages; an unchanged line that is empty or long parts two of them."""
    last: Passage | None = None
    for edit in edits:
        lines, begin = _lines_before(old, edit.old_at[0])
        passage = Passage(
            (begin, _end_of_lines_behind(old, edit.old_at[1])),
            (0, 0),
            edit.old[0] - lines,
            edit.new[0] - lines,
        )
        # What stands around an edit is the same on both sides.
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
    """Return how many lines before a place go with it, and where they begin."""
    for lines in range(LINES_AROUND):
        begin = text.rfind("\n", max(0, at - WRAPPED - 2), max(0, at - 1)) + 1
        if (begin == 0 and at > WRAPPED + 1) or not text[begin:at].strip():
            return lines, at
        at = begin
    return LINES_AROUND, at


def _end_of_lines_behind(text: str, at: int) -> int:
    for _ in range(LINES_AROUND):
        end = text.find("\n", at, at + WRAPPED + 1) + 1
        if end == 0 and len(text) - at <= WRAPPED:
            end = len(text)
        if not text[at:end].strip():
            break
        at = end
    return at


def reading_cost(text: str) -> float:
    """Return about how many microseconds it takes to read a text, its other side, and the figures."""
    cost = LEAST_COST + _CHARACTER * len(text) + _WORD * text.count(" ") + _LINE * text.count("\n")
    if cost > MOST_READ:
        return cost
    marked_lines = len(_MARKED.findall(text))
    marks = Counter(_COSTLY.findall(text))
    for mark, number in marks.items():
        cost += number * _MARKS.get(mark, _NUMBER if mark[0].isalnum() else _MARK)
    return cost + _MARKED_LINE * marked_lines + _MARKDOWN * bool(marked_lines or marks & _MARKED_UP)


def read_side(side: Side, in_fence: Callable[[int], bool]) -> Reading:
    """Return the text and the links of one side; `in_fence` says which lines of the body are code."""
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
    """Yield the paragraphs of lines that are the same with Markdown and without it."""
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
            case "text" | "code_inline" | "image":  # of an image the words that stand for it
                parts.append(token.content)
            case "softbreak" | "hardbreak":
                parts.append("\n")
            case "link_open":
                target, start = str(token.attrGet("href")), len(parts)
            case "link_close" if target is not None:
                words = "".join(parts[start:])
                links.append((" ".join(words.split()), target))
                # A bare number under a link is a citation, and an address is no text.
                if token.info == "auto" or _CITATION.fullmatch(words):
                    del parts[start:]
                    parts.append("\n" * words.count("\n"))
                target = None
    return "".join(parts)
