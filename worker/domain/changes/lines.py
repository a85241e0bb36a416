"""Find the lines that differ between two bodies: runs of lines removed and added, exact up to a limit.

Equal text is skipped without splitting it into lines. After a difference, the comparison continues
where both sides have the same stretch of whole lines, if it is the only one of its kind nearby. The
text between is compared by libgit2's xdiff (through pygit2), at most `MOST_COMPARED` lines, because
xdiff takes half a minute for 5 MiB of lines that repeat at random. A longer region is compared line by
line if both sides have the same number of lines, and otherwise counts as replaced as a whole. That
also turns the old body into the new one, but reports more lines than necessary.
Called by `worker.domain.changes.change`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from pygit2 import Patch

from worker.domain.changes.overlap import common_end, common_start

#: The most lines of both sides that xdiff compares: about 15 ms.
MOST_COMPARED = 20_000
#: The fewest characters in a stretch that both sides have.
_STRETCH = 64
#: How many characters ahead the search for such a stretch goes, and how often it may go farther.
_NEARBY = 4_000
_FAR = 64_000
_MOST_FAR = 8
#: The most differences found in this way; the rest of the bodies is left to xdiff.
_MOST_STEPS = 500
#: How often a stretch that repeats is accepted, where there are too many lines for xdiff.
_MOST_UNSURE = 50
#: The most lines of one side that are compared by number, where there are too many for xdiff, and
#: the most runs of them that may differ: about 15 ms.
_MOST_IN_STEP = 80_000
_MOST_RUNS = 8_000

Span = tuple[int, int]


class Edit(NamedTuple):
    """A run of changed lines: `old` was removed, `new` added; half-open, counted from 0.

    `old_at` and `new_at` are the same runs in characters of the bodies; each begins at a line start.
    A tuple, because a comparison makes thousands.
    """

    old: Span
    new: Span
    old_at: Span
    new_at: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDiff:
    """The edits that turn one body into the other; not `exact` where a limit made them longer."""

    edits: tuple[Edit, ...]
    exact: bool

    @property
    def added(self) -> int:
        """Return how many lines were added."""
        return sum(edit.new[1] - edit.new[0] for edit in self.edits)

    @property
    def removed(self) -> int:
        """Return how many lines were removed."""
        return sum(edit.old[1] - edit.old[0] for edit in self.edits)


def compare_lines(old: str, new: str) -> LineDiff:
    """Return the runs of lines that differ; a line end missing at the end of a body is a difference."""
    edits: list[Edit] = []
    left = MOST_COMPARED
    old_line = new_line = done = 0  # the lines before the character `done` of the old body
    for old_at, new_at in _find_regions(old, new):
        between = old.count("\n", done, old_at[0])
        old_line, new_line = old_line + between, new_line + between
        region = Edit(
            old=(old_line, old_line + count_lines(old, *old_at)),
            new=(new_line, new_line + count_lines(new, *new_at)),
            old_at=old_at,
            new_at=new_at,
        )
        size = region.old[1] - old_line + region.new[1] - new_line
        if min(region.old[1] - old_line, region.new[1] - new_line) == 0 or size == 2:
            edits.append(region)  # no line in it can be equal
        elif size <= left:
            left -= size
            edits.extend(_compare_region(old, new, region))
        elif (found := _compare_in_step(old, new, region)) is not None:
            edits.extend(found)
        else:
            left = -1
            edits.append(region)
        old_line, new_line = region.old[1], region.new[1]
        done = old_at[1]
    return LineDiff(edits=tuple(edits), exact=left >= 0)


def count_lines(text: str, begin: int, end: int) -> int:
    """Return the number of lines between two indexes; the last may have no line end."""
    return text.count("\n", begin, end) + (end > begin and text[end - 1] != "\n")


def _find_regions(old: str, new: str) -> Iterator[tuple[Span, Span]]:
    """Yield regions of whole lines, in characters; outside of them both bodies are equal."""
    i = j = 0  # line starts on both sides: everything before them is compared
    first = common_start(old, new)
    old_stop, new_stop = _stop(old, new, first)
    far, unsure = _MOST_FAR, -1
    for step in range(_MOST_STEPS + 1):
        equal = common_start(old, new, i, j) if step else first
        equal = min(equal, old_stop - i, new_stop - j)
        if i + equal == old_stop and j + equal == new_stop:
            return
        i, j = _line_start(old, i, equal), _line_start(new, j, equal)
        following = None
        if step < _MOST_STEPS:
            following = _find_equal(old, new, (i, old_stop), (j, new_stop), _NEARBY)
            if following is None and far:
                far -= 1
                following = _find_equal(old, new, (i, old_stop), (j, new_stop), _FAR)
            if following is None and unsure < 0:
                many = old.count("\n") + new.count("\n") > MOST_COMPARED
                unsure = _MOST_UNSURE if many else 0
            if following is None and unsure:
                unsure -= 1
                following = _find_equal(
                    old, new, (i, old_stop), (j, new_stop), _NEARBY, unsure=True
                )
        if following is None:
            yield (i, old_stop), (j, new_stop)
            return
        yield (i, following[0]), (j, following[1])
        i, j = following


def _stop(old: str, new: str, begin: int) -> Span:
    """Return where the lines that both bodies end with begin; both are equal up to `begin`."""
    end = common_end(old, new, min(len(old), len(new)) - begin)
    if not _begins_line(old, new, end):
        found = old.find("\n", len(old) - end)
        end = len(old) - found - 1 if found >= 0 else 0
    return len(old) - end, len(new) - end


def _begins_line(old: str, new: str, end: int) -> bool:
    """Return whether the last `end` characters begin at a line start on both sides."""
    return all(len(text) == end or text[len(text) - end - 1] == "\n" for text in (old, new))


def _line_start(text: str, begin: int, equal: int) -> int:
    """Return the start of the line with the first different character, but not before `begin`."""
    found = text.rfind("\n", begin, begin + equal)
    return found + 1 if found >= 0 else begin


def _find_equal(
    old: str, new: str, old_at: Span, new_at: Span, within: int, *, unsure: bool = False
) -> Span | None:
    """Return where both sides are equal again after a difference, skipping as little text as possible."""
    (i, old_stop), (j, new_stop) = old_at, new_at
    place, there = (i, min(old_stop, i + within)), (j, min(new_stop, j + within))
    old_next = old.find("\n", *place) + 1
    new_next = new.find("\n", *there) + 1
    found: list[Span] = []
    if old_next:
        at = _find_stretch(old, place, old_next, new, there, unsure=unsure)
        if at is not None:
            if at == new_next:
                return old_next, at  # usually one line replaces one line
            found.append((old_next, at))
    if (at := _find_stretch(old, place, i, new, there, unsure=unsure)) is not None:
        found.append((i, at))
    begins = (j, new_next) if new_next else (j,)
    found.extend(
        (at, begin)
        for begin in begins
        if (at := _find_stretch(new, there, begin, old, place, unsure=unsure)) is not None
    )
    return min(found, key=lambda at: at[0] - i + at[1] - j, default=None)


def _find_stretch(
    text: str, place: Span, begin: int, other: str, there: Span, *, unsure: bool
) -> int | None:
    """Return where the other text has the stretch of lines that begins at `begin`.

    Return None if it does not have it, or, unless `unsure`, if either side has it more than once.
    """
    end = text.find("\n", begin + _STRETCH - 1, place[1]) + 1
    if not end:
        return None
    stretch = "\n" + text[begin:end]
    found = other.find(stretch, max(there[0] - 1, 0), there[1])
    if found < 0:
        return None
    if not unsure:
        if other.find(stretch, found + 1, there[1]) >= 0:
            return None
        first = text.find(stretch, max(place[0] - 1, 0), place[1])
        if (first >= 0 and first + 1 != begin) or text.find(stretch, begin, place[1]) >= 0:
            return None
    return found + 1


def _compare_region(old: str, new: str, region: Edit) -> Iterator[Edit]:
    before, after = old[slice(*region.old_at)], new[slice(*region.new_at)]
    # libgit2 does not copy the buffers: both must stay in variables until the result is read.
    one, other = before.encode(), after.encode()
    patch = Patch.create_from(one, other, context_lines=0)
    edit = _edits_of(region, before.split("\n"), after.split("\n"))
    for hunk in patch.hunks:
        # An empty side has the number of the line before it.
        i = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        j = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
        yield edit((i, i + hunk.old_lines), (j, j + hunk.new_lines))


def _compare_in_step(old: str, new: str, region: Edit) -> list[Edit] | None:
    """Return the runs of lines that differ from the line of the same number, or None if most do."""
    number = region.old[1] - region.old[0]
    if number != region.new[1] - region.new[0] or number > _MOST_IN_STEP:
        return None
    before = old[slice(*region.old_at)].split("\n")
    after = new[slice(*region.new_at)].split("\n")
    pairs = zip(before, after, strict=False)
    differ = [k for k, (one, other) in enumerate(pairs) if one != other]
    if len(before) != len(after) and differ[-1:] != [number - 1]:
        differ.append(number - 1)  # only the end of the last line differs
    runs: list[list[int]] = []
    for k in differ:
        if runs and runs[-1][1] == k:
            runs[-1][1] = k + 1
        else:
            runs.append([k, k + 1])
    if 2 * len(differ) > number or len(runs) > _MOST_RUNS:
        return None
    edit = _edits_of(region, before, after)
    return [edit((begin, end), (begin, end)) for begin, end in runs]


def _edits_of(
    region: Edit, before: Sequence[str], after: Sequence[str]
) -> Callable[[Span, Span], Edit]:
    """Return a function that makes an edit of a region's lines, counted from its first lines."""
    (old, new), (old_begin, old_end), (new_begin, new_end) = (
        (region.old[0], region.new[0]),
        region.old_at,
        region.new_at,
    )
    # Without line ends, because the last one may be missing.
    old_sizes = list(accumulate(map(len, before), initial=old_begin))
    new_sizes = list(accumulate(map(len, after), initial=new_begin))

    def edit(some: Span, others: Span) -> Edit:
        (i, i_end), (j, j_end) = some, others
        return Edit(
            (old + i, old + i_end),
            (new + j, new + j_end),
            (old_sizes[i] + i, min(old_sizes[i_end] + i_end, old_end)),
            (new_sizes[j] + j, min(new_sizes[j_end] + j_end, new_end)),
        )

    return edit
