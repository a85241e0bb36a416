"""Pairs the lines of a diff, and marks the words that differ in each pair.

Lines are paired by their position in a run of changes: the first removed line with the first added one. Lines
that would take long to compare have no marks; they still show as removed and added. `worker.cli.diffs` and
`worker.cli.page` use this.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Segments = tuple[tuple[str, bool], ...]  # text, and whether it is marked as changed

_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+|\s+|[^\w\s]")
_MOST_WORDS = 2_000
#: The most that comparing two lines may cost, in pairs of equal words: at worst 4 µs each.
_MOST_PAIRS = 20_000
#: The most that a whole diff may cost: the pairs of equal words, plus the words of each line.
_BUDGET = 500_000
#: Two lines with a smaller share of equal letters are different lines, not one line that changed.
_LEAST_IN_COMMON = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One line of the old or the new body; the first has number 1."""

    number: int
    segments: Segments

    @property
    def text(self) -> str:
        """Return the whole line."""
        return "".join(text for text, _ in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An old line and the new line beside it, either of which may be missing; `same` if unchanged."""

    old: Side | None
    new: Side | None
    same: bool


def pair_lines(hunks: Sequence[Mapping[str, Any]]) -> Iterator[list[Pair]]:
    """Yield the lines of each hunk of a `diff` in pairs."""
    left = _BUDGET
    for hunk in hunks:
        pairs: list[Pair] = []
        removed: list[str] = []
        added: list[str] = []
        old, new = hunk["old_start"], hunk["new_start"]
        for sign, line in (*hunk["lines"], (" ", None)):
            if sign == "-":
                removed.append(line)
            elif sign == "+":
                added.append(line)
            else:
                run, cost = _pair_run(removed, added, old, new, left)
                pairs += run
                left -= cost
                old, new = old + len(removed), new + len(added)
                removed, added = [], []
                if line is not None:
                    same = ((line, False),)
                    pairs.append(
                        Pair(
                            old=Side(number=old, segments=same),
                            new=Side(number=new, segments=same),
                            same=True,
                        )
                    )
                    old, new = old + 1, new + 1
        yield pairs


def mark_words(old: str, new: str, *, most: int = _MOST_PAIRS) -> tuple[Segments, Segments, int]:
    """Return the segments of two lines, with the words that differ marked, and the cost.

    No word is marked if the lines have little in common, have more than 2,000 words, or would cost more
    than `most`.
    """
    plain = ((old, False),), ((new, False),)
    before, after = _WORD.findall(old), _WORD.findall(new)
    words = len(before) + len(after)
    if max(len(before), len(after)) > _MOST_WORDS or words > most:
        return *plain, 0
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    rest = min(len(before), len(after)) - start
    while end < rest and before[-1 - end] == after[-1 - end]:
        end += 1
    a, b = before[start : len(before) - end], after[start : len(after) - end]
    there = Counter(b)
    pairs = sum(n * there[word] for word, n in Counter(a).items() if not word.isspace())
    if pairs > min(most, _MOST_PAIRS):
        return *plain, words
    blocks = SequenceMatcher(str.isspace, a, b, autojunk=False).get_matching_blocks()
    common = _letters(before[:start]) + _letters(before[len(before) - end :])
    common += sum(_letters(a[block.a : block.a + block.size]) for block in blocks)
    if 2 * common < _LEAST_IN_COMMON * (_letters(before) + _letters(after)):
        return *plain, words + pairs
    same_a = [(block.a, block.a + block.size) for block in blocks]
    same_b = [(block.b, block.b + block.size) for block in blocks]
    head, tail = before[:start], before[len(before) - end :]
    return _segments(head, a, tail, same_a), _segments(head, b, tail, same_b), words + pairs


def _pair_run(
    removed: Sequence[str], added: Sequence[str], old: int, new: int, most: int
) -> tuple[list[Pair], int]:
    pairs, spent = [], 0
    for index, (before, after) in enumerate(zip_longest(removed, added)):
        a: Segments = ((before or "", False),)
        b: Segments = ((after or "", False),)
        if before is not None and after is not None:
            a, b, cost = mark_words(before, after, most=min(_MOST_PAIRS, most - spent))
            spent += cost
        pairs.append(
            Pair(
                old=None if before is None else Side(number=old + index, segments=a),
                new=None if after is None else Side(number=new + index, segments=b),
                same=False,
            )
        )
    return pairs, spent


def _segments(
    head: Sequence[str], words: Sequence[str], tail: Sequence[str], same: Sequence[tuple[int, int]]
) -> Segments:
    parts = [("".join(head), False)]
    done = 0
    for start, end in same:
        parts += [("".join(words[done:start]), True), ("".join(words[start:end]), False)]
        done = end
    parts += [("".join(words[done:]), True), ("".join(tail), False)]
    merged: list[tuple[str, bool]] = []
    for text, changed in parts:
        if not text:
            continue
        if merged and merged[-1][1] == changed:
            merged[-1] = (merged[-1][0] + text, changed)
        else:
            merged.append((text, changed))
    return tuple(merged)


def _letters(words: Sequence[str]) -> int:
    return sum(len(word) for word in words if not word.isspace())
