"""Which words of a changed line changed, and which lines stand beside each other. Text alone.

Lines are paired by their place within a run of changes: the first line removed with the first added.
Whatever would take long is left unmarked: it is still shown as removed and added. Called by
`worker.cli.diffs` and `worker.cli.page`.
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
#: What comparing two lines may cost: the pairs of equal words in them, about 4 µs each at worst.
_MOST_PAIRS = 20_000
#: What marking the words of a whole diff may cost, each line's words counted too.
_BUDGET = 500_000
#: Lines that have less in common are two lines, not one that changed.
_LEAST_IN_COMMON = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One line of the old or of the new text; lines count from 1 in the body."""

    number: int
    segments: Segments

    @property
    def text(self) -> str:
        """Return the line as it is."""
        return "".join(text for text, _ in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An old line and the new one beside it; None where there is none. `same` for an unchanged one."""

    old: Side | None
    new: Side | None
    same: bool


def pair_lines(hunks: Sequence[Mapping[str, Any]]) -> Iterator[list[Pair]]:
    """Yield for each hunk of a `diff` its lines, side by side."""
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
    """Return two lines in segments, the words marked in which they differ, and what that cost.

    Nothing is marked where the lines have little in common, more than 2,000 words, or would cost
    more than `most`.
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
