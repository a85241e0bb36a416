"""Changed passages and what is read of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes import passages
from worker.domain.changes.lines import compare_lines
from worker.domain.changes.passages import Side, find_passages, read_side

words = st.text(alphabet="ab1 .)-=#|~é$5\t", max_size=12)
few = st.lists(
    st.sampled_from(["", "one", "two", "3 mg", " ", "4. list", "long " * 60]), max_size=4
)
stretches = st.lists(st.tuples(few, few, few), min_size=1, max_size=4)


def no_code(_line: int) -> bool:
    return False


@pytest.mark.parametrize(
    "text", ["1. One", "12) Two\n3 mg", "7.", "a\n\n \nb", "a\n  b", "# a", "5.5 mg"]
)
def test_each_kind_of_text_reads_the_same_as_with_the_parser(text: str):
    assert_reads_as_parsed(text)


@given(st.lists(words, max_size=5).map("\n".join))
def test_a_text_without_markup_reads_the_same_as_with_the_parser(text: str):
    assert_reads_as_parsed(text)


def assert_reads_as_parsed(text: str) -> None:
    class Nothing:
        def fullmatch(self, _line: str) -> None:
            return None

    found = read_side(Side(first=3, text=text), no_code)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passages, "_PLAIN", Nothing())
        assert found == read_side(Side(first=3, text=text), no_code)


@given(stretches)
def test_every_edit_is_in_one_passage_that_is_alike_around_it(parts):
    old = "\n".join(line for both, some, _ in parts for line in (*both, *some))
    new = "\n".join(line for both, _, others in parts for line in (*both, *others))
    edits = compare_lines(old, new).edits
    found = list(find_passages(old, edits))
    for edit in edits:
        (around,) = (
            p
            for p in found
            if p.old_at[0] <= edit.old_at[0]
            and edit.old_at[1] <= p.old_at[1]
            and p.new_at[0] <= edit.new_at[0]
            and edit.new_at[1] <= p.new_at[1]
        )
        assert around.old_first == old.count("\n", 0, around.old_at[0])
        assert around.new_first == new.count("\n", 0, around.new_at[0])
    for passage in found:
        inside = [e for e in edits if passage.old_at[0] <= e.old_at[0] <= passage.old_at[1]]
        first, last = inside[0], inside[-1]
        assert old[passage.old_at[0] : first.old_at[0]] == new[passage.new_at[0] : first.new_at[0]]
        assert old[last.old_at[1] : passage.old_at[1]] == new[last.new_at[1] : passage.new_at[1]]


def test_two_edits_with_overlapping_context_are_one_passage():
    lines = [f"Line {n} of it." for n in range(20)]
    old = "\n".join(lines)
    for between, passages_found in ((6, 1), (7, 2)):
        changed = list(lines)
        changed[3], changed[4 + between] = "one", "two"
        edits = compare_lines(old, "\n".join(changed)).edits
        assert len(list(find_passages(old, edits))) == passages_found


def test_a_passage_ends_at_an_empty_line_and_at_a_long_one():
    old = "far\n\nnear\nold\nlong " + "word " * 60 + "\nbehind\n"
    (found,) = find_passages(old, compare_lines(old, old.replace("old", "new")).edits)
    assert old[slice(*found.old_at)] == "near\nold\n"
    assert (found.old_first, found.new_first) == (2, 2)
