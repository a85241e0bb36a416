"""Which links were added, removed or retargeted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.links import LinkChange, compare_links


def reported(old, new):
    changes = [change.as_json() for change in compare_links(old, new)]
    return [(change["text"], change["old"], change["new"]) for change in changes]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([], [], []),
        ([("a", "1")], [("a", "1")], []),
        ([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")], []),
        ([("a", "1")], [("other words", "1")], []),
        ([("a", "1")], [("a", "2")], [("a", "1", "2")]),
        ([("a", "1")], [], [("a", "1", None)]),
        ([], [("a", "1")], [("a", None, "1")]),
        ([("a", "1")], [("b", "2")], [("a", "1", None), ("b", None, "2")]),
        # One of two equal links is removed; two links with the same words are paired separately.
        ([("a", "1"), ("a", "1")], [("a", "1")], [("a", "1", None)]),
        ([("a", "1"), ("a", "2")], [("a", "3"), ("a", "4")], [("a", "1", "3"), ("a", "2", "4")]),
        ([("a", "1"), ("a", "2")], [("a", "3")], [("a", "1", "3"), ("a", "2", None)]),
        # Retargeted links come first, then removed ones, then added ones.
        (
            [("gone", "1"), ("a", "2")],
            [("came", "3"), ("a", "4")],
            [("a", "2", "4"), ("gone", "1", None), ("came", None, "3")],
        ),
    ],
)
def test_links_are_paired_by_words_then_by_target(old, new, expected):
    assert reported(old, new) == expected


links = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("12")), max_size=5)


@given(links, links)
def test_swapping_sides_swaps_added_and_removed_links(old, new):
    there, back = compare_links(old, new), compare_links(new, old)
    turned = {LinkChange(text=c.text, old=c.new, new=c.old) for c in back}
    assert {c for c in there if None in {c.old, c.new}} == {
        c for c in turned if None in {c.old, c.new}
    }


@given(links, links)
def test_the_report_accounts_for_every_link(old, new):
    found = compare_links(old, new)
    gone, came = sum(c.new is None for c in found), sum(c.old is None for c in found)
    assert len(old) - gone == len(new) - came
