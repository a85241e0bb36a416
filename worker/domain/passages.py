"""The changed passages of two bodies: the paragraphs that an edit touches, as a reader reads them.

A passage is a run of changed lines with the lines around it up to the next empty one, three at most;
a long line is a paragraph of its own, and is not taken along.
markdown-it-py reads it, so that list numbers, link targets and code are told from text. A passage is
read by itself: a reference link whose definition lies elsewhere stays text, and so does an indented
code block. Called by `worker.domain.change`; figures and links are compared elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from textwrap import dedent

from markdown_it import MarkdownIt
from markdown_it.token import Token

#: What is read of one side at most, in characters: about 30 ms.
MOST_READ = 64_000
#: Longer lines are not wrapped text, so that no figure and no link goes on in the next one.
WRAPPED = 200

_PARSER = MarkdownIt("commonmark")
_TAG = re.compile(r"<[^<>]*+>")
_CITATION = re.compile(r"[\s\d.,;–-]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A run of changed lines: `old` was taken out, `new` put in; half-open, counted from 0."""

    old: tuple[int, int]
    new: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a hunk: its origin (" ", "+" or "-"), its text, and its number on either side."""

    origin: str
    text: str
    old: int
    new: int


@dataclass(slots=True, kw_only=True)
class Side:
    """One side of a passage: its lines as written; the first is line `first`, counted from 0."""

    first: int = 0
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The same place on both sides."""

    old: Side
    new: Side


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


def find_edits(lines: Iterable[Line]) -> tuple[Edit, ...]:
    """Return the runs of changed lines, in their order."""
    edits: list[Edit] = []
    for line in lines:
        if line.origin == " ":
            continue
        last = edits[-1] if edits else None
        old = (line.old, line.old + (line.origin == "-"))
        new = (line.new, line.new + (line.origin == "+"))
        if last is not None and (last.old[1], last.new[1]) == (line.old, line.new):
            edits[-1] = Edit(old=(last.old[0], old[1]), new=(last.new[0], new[1]))
        else:
            edits.append(Edit(old=old, new=new))
    return tuple(edits)


def find_passages(hunks: Iterable[Iterable[Line]]) -> Iterator[Passage]:
    """Yield the changed passages; an unchanged line that is empty or long parts two of them."""
    for hunk in hunks:
        passage, changed = None, False
        for line in hunk:
            if line.origin == " " and (len(line.text) > WRAPPED or not line.text.strip()):
                if passage is not None and changed:
                    yield passage
                passage, changed = None, False
                continue
            if passage is None:
                passage = Passage(old=Side(first=line.old), new=Side(first=line.new))
            changed |= line.origin != " "
            if line.origin != "+":
                passage.old.lines.append(line.text)
            if line.origin != "-":
                passage.new.lines.append(line.text)
        if passage is not None and changed:
            yield passage


def read_side(side: Side, in_fence: Callable[[int], bool]) -> Reading:
    """Return the text and the links of one side; `in_fence` says which lines of the body are code."""
    text = dedent(
        "\n".join("" if in_fence(side.first + n) else line for n, line in enumerate(side.lines))
    )
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
