"""Which lines differ between two bodies: the runs taken out and put in, exact up to a limit.

Equal text is passed over without being looked at line by line: behind a difference the comparison
goes on where a stretch of whole lines, the only one of its kind nearby, stands on both sides. What
lies between goes to libgit2's xdiff (through pygit2), at most `MOST_COMPARED` lines: for lines that
repeat at random it takes half a minute for 5 MiB. A longer rest is compared line with line where both
sides have as many, and else counts as replaced as a whole: that, too, turns the old body into the new
one, but tells more lines than need be.
Called by `worker.domain.changes.change`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from pygit2 import Patch

from worker.domain.changes.overlap import common_end, common_start

#: Lines of both sides that xdiff gets for one comparison: at most about 15 ms.
MOST_COMPARED = 20_000
#: A stretch where both sides go on alike has so many characters at least.
_STRETCH = 64
#: It is looked for so many characters ahead, and a few times farther.
_NEARBY = 4_000
_FAR = 64_000
_MOST_FAR = 8
#: Differences that one comparison passes over in that way; what follows is left to xdiff.
_MOST_STEPS = 500
#: Where xdiff will not do, a stretch that repeats has to do so many times.
_MOST_UNSURE = 50
#: Lines of one side that are compared with those of the same number where xdiff will not do, and
#: how many runs of them may differ: at most about 15 ms.
_MOST_IN_STEP = 80_000
_MOST_RUNS = 8_000

Span = tuple[int, int]


class Edit(NamedTuple):
    """A run of changed lines: `old` was taken out, `new` put in; half-open, counted from 0.

    `old_at` and `new_at` are the same runs in characters of the bodies; each begins where a line does.
    A tuple, for a comparison makes thousands.
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
        """Return how many lines were put in."""
        return sum(edit.new[1] - edit.new[0] for edit in self.edits)

    @property
    def removed(self) -> int:
        """Return how many lines were taken out."""
        return sum(edit.old[1] - edit.old[0] for edit in self.edits)


def compare_lines(old: str, new: str) -> LineDiff:
    """Return the runs of lines that differ; a last line without its end differs from one with it."""
    edits: list[Edit] = []
    left = MOST_COMPARED
    old_line = new_line = done = 0  # the lines before that character of the old body
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
            edits.append(region)  # nothing in it can be alike
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
    """Return how many lines lie there; a last one may lack its end."""
    return text.count("\n", begin, end) + (end > begin and text[end - 1] != "\n")


def _find_regions(old: str, new: str) -> Iterator[tuple[Span, Span]]:
    """Yield the regions of whole lines, in characters, outside of which both bodies are equal."""
    i = j = 0  # where lines begin, after which nothing is yielded yet
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
            following = _find_alike(old, new, (i, old_stop), (j, new_stop), _NEARBY)
            if following is None and far:
                far -= 1
                following = _find_alike(old, new, (i, old_stop), (j, new_stop), _FAR)
            if following is None and unsure < 0:
                many = old.count("\n") + new.count("\n") > MOST_COMPARED
                unsure = _MOST_UNSURE if many else 0
            if following is None and unsure:
                unsure -= 1
                following = _find_alike(
                    old, new, (i, old_stop), (j, new_stop), _NEARBY, unsure=True
                )
        if following is None:
            yield (i, old_stop), (j, new_stop)
            return
        yield (i, following[0]), (j, following[1])
        i, j = following


def _stop(old: str, new: str, begin: int) -> Span:
    """Return where the lines begin that both bodies end with; they are alike up to `begin`."""
    end = common_end(old, new, min(len(old), len(new)) - begin)
    if not _begins_line(old, new, end):
        found = old.find("\n", len(old) - end)
        end = len(old) - found - 1 if found >= 0 else 0
    return len(old) - end, len(new) - end


def _begins_line(old: str, new: str, end: int) -> bool:
    """Return whether the last `end` characters begin with a line on both sides."""
    return all(len(text) == end or text[len(text) - end - 1] == "\n" for text in (old, new))


def _line_start(text: str, begin: int, equal: int) -> int:
    """Return where the line begins that the first different character is in, not before `begin`."""
    found = text.rfind("\n", begin, begin + equal)
    return found + 1 if found >= 0 else begin


def _find_alike(
    old: str, new: str, old_at: Span, new_at: Span, within: int, *, unsure: bool = False
) -> Span | None:
    """Return where both sides go on alike behind a difference, with the least text passed over."""
    (i, old_stop), (j, new_stop) = old_at, new_at
    place, there = (i, min(old_stop, i + within)), (j, min(new_stop, j + within))
    old_next = old.find("\n", *place) + 1
    new_next = new.find("\n", *there) + 1
    found: list[Span] = []
    if old_next:
        at = _find_stretch(old, place, old_next, new, there, unsure=unsure)
        if at is not None:
            if at == new_next:
                return old_next, at  # as a rule one line took the place of one
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
    """Return where the stretch that begins with a line at `begin` stands in the other text.

    None where it stands nowhere, or where a place holds it more than once and it has to be sure.
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
    # libgit2 does not hold the buffers itself: both stay in variables until the result is read.
    one, other = before.encode(), after.encode()
    patch = Patch.create_from(one, other, context_lines=0)
    edit = _edits_of(region, before.split("\n"), after.split("\n"))
    for hunk in patch.hunks:
        # An empty side is told by the line before it.
        i = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        j = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
        yield edit((i, i + hunk.old_lines), (j, j + hunk.new_lines))


def _compare_in_step(old: str, new: str, region: Edit) -> list[Edit] | None:
    """Return the runs of lines that differ from those of the same number; None where most do."""
    number = region.old[1] - region.old[0]
    if number != region.new[1] - region.new[0] or number > _MOST_IN_STEP:
        return None
    before = old[slice(*region.old_at)].split("\n")
    after = new[slice(*region.new_at)].split("\n")
    pairs = zip(before, after, strict=False)
    differ = [k for k, (one, other) in enumerate(pairs) if one != other]
    if len(before) != len(after) and differ[-1:] != [number - 1]:
        differ.append(number - 1)  # the same but for the end of the last line
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
    """Return a function that makes an edit of lines of a region, counted from its first ones."""
    (old, new), (old_begin, old_end), (new_begin, new_end) = (
        (region.old[0], region.new[0]),
        region.old_at,
        region.new_at,
    )
    # Without the ends of the lines, of which the last one may be missing.
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
