"""Which lines differ: any result turns the old body into the new one, whatever limit was reached."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygit2 import Patch

from worker.domain.changes import lines as module
from worker.domain.changes.lines import MOST_COMPARED, LineDiff, compare_lines

LONG = [f"{letter} line that is long enough to be known again {letter * 30}" for letter in "abcdef"]
bodies = st.lists(st.sampled_from(["", "x", "y", "a line", *LONG]), max_size=30).map("\n".join)
unique = [f"Line {n} says what no other line says, at some length, {n}.\n" for n in range(30_000)]


def rebuilt(old: str, new: str, diff: LineDiff) -> str:
    """Return what the edits make of the old body; they say the same in lines and in characters."""
    old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    parts, at = [], 0
    for edit in diff.edits:
        assert "".join(old_lines[slice(*edit.old)]) == old[slice(*edit.old_at)]
        assert "".join(new_lines[slice(*edit.new)]) == new[slice(*edit.new_at)]
        parts += [old[at : edit.old_at[0]], new[slice(*edit.new_at)]]
        at = edit.old_at[1]
    return "".join([*parts, old[at:]])


def length_by_xdiff(old: str, new: str) -> int:
    one, other = old.encode(), new.encode()
    _same, added, removed = Patch.create_from(one, other).line_stats
    return added + removed


@given(bodies, bodies)
def test_the_edits_turn_the_old_body_into_the_new_one(old: str, new: str):
    assert rebuilt(old, new, compare_lines(old, new)) == new


few = st.lists(st.sampled_from(["", "x", "y", *LONG]), max_size=4)


@given(st.lists(st.tuples(few, few, few), max_size=6), *2 * [st.sampled_from(["", "\n"])])
@settings(max_examples=300)
def test_the_edits_are_right_between_bodies_that_share_most_lines(parts, end: str, ends: str):
    old = "\n".join(line for both, some, _ in parts for line in (*both, *some)) + end
    new = "\n".join(line for both, _, others in parts for line in (*both, *others)) + ends
    assert rebuilt(old, new, compare_lines(old, new)) == new


@pytest.mark.parametrize(("end", "ends"), [("", "\n"), ("\n", ""), ("", "")])
def test_the_last_line_may_have_no_line_end(end: str, ends: str):
    old, new = f"a\nb\nc{end}", f"x\nb\nd{ends}"
    diff = compare_lines(old, new)
    assert rebuilt(old, new, diff) == new
    assert (diff.edits[-1].old_at[1], diff.edits[-1].new_at[1]) == (len(old), len(new))


def test_a_repeated_stretch_is_compared_exactly():
    long = LONG[0]
    old = "\n".join([*[long] * 3, "end"])
    new = "\n".join(["new", *[long] * 6, "end"])
    diff = compare_lines(old, new)
    assert (diff.added, diff.removed) == (4, 0)
    assert rebuilt(old, new, diff) == new


@pytest.mark.parametrize("limit", ["MOST_COMPARED", "_MOST_STEPS", "_MOST_IN_STEP", "_MOST_FAR"])
@given(old=bodies, new=bodies)
@settings(max_examples=50)
def test_the_edits_are_right_beyond_any_limit(limit: str, old: str, new: str):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, limit, 0)
        patched.setattr(module, "MOST_COMPARED", 3)
        diff = compare_lines(old, new)
    assert rebuilt(old, new, diff) == new


def test_distant_edits_are_found_separately_and_are_no_longer_than_xdiffs():
    changed = list(unique)
    changed[10:11] = ["Another line.\n"]
    changed[2_000:2_000] = [f"Put in {n}.\n" for n in range(300)]
    del changed[15_000:15_400]
    changed[29_000:29_003] = ["One for three.\n"]
    old, new = "".join(unique), "".join(changed)
    diff = compare_lines(old, new)
    assert diff.exact
    assert len(diff.edits) == 4
    assert rebuilt(old, new, diff) == new
    assert diff.added + diff.removed == length_by_xdiff(old, new)


def test_many_lines_changed_in_place_are_found_without_xdiff():
    changed = list(unique)
    changed[::5] = [f"5 mg {line}" for line in changed[::5]]
    old, new = "".join(unique), "".join(changed)
    diff = compare_lines(old, new)
    assert (diff.exact, diff.added, diff.removed) == (True, 6_000, 6_000)
    assert rebuilt(old, new, diff) == new


def test_a_last_line_without_a_line_end_differs_in_place_too():
    changed = ["5 mg\n" if n % 4 == 0 else line for n, line in enumerate(unique)]
    old, new = "".join(unique), "".join(changed).removesuffix("\n")
    diff = compare_lines(old, new)
    assert rebuilt(old, new, diff) == new
    assert diff.edits[-1].new == (len(unique) - 1, len(unique))


def test_one_line_added_among_many_equal_ones_is_one_added_line():
    lines = "the same line again\n" * 30_000
    diff = compare_lines(lines, f"5 mg\n{lines}6 mg\n")
    assert diff.exact
    assert diff.added - diff.removed == 2
    assert diff.added < 10


def test_bodies_too_large_to_compare_count_as_replaced_and_are_marked():
    draw = random.Random(1)
    old, new = ("".join(draw.choices(["a\n", "b\n"], k=MOST_COMPARED)) for _ in range(2))
    diff = compare_lines(old, new)
    assert not diff.exact
    assert rebuilt(old, new, diff) == new
    assert diff.added > MOST_COMPARED / 2


def test_lines_up_to_the_limit_are_compared_exactly():
    draw = random.Random(1)
    old, new = ("".join(draw.choices(["a\n", "b\n"], k=MOST_COMPARED // 2)) for _ in range(2))
    diff = compare_lines(old, new)
    assert diff.exact
    assert diff.added + diff.removed <= length_by_xdiff(old, new)
