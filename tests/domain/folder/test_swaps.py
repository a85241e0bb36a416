"""Documents that swap their paths."""

from __future__ import annotations

from worker.domain.folder.swaps import find_swaps


def test_two_pages_with_each_others_bytes_swapped():
    assert find_swaps({"a": "1", "b": "2"}, {"a": "2", "b": "1"}) == {"a": "b", "b": "a"}


def test_three_pages_swap_in_a_circle_beside_an_edit():
    old = {"a": "1", "b": "2", "c": "3", "d": "4"}
    new = {"a": "2", "b": "3", "c": "1", "d": "5"}
    assert find_swaps(old, new) == {"a": "b", "b": "c", "c": "a"}


def test_a_page_with_the_bytes_of_another_that_was_edited_is_an_edit():
    assert find_swaps({"a": "1", "b": "2"}, {"a": "2", "b": "3"}) == {}


def test_a_page_that_leads_into_a_circle_is_no_part_of_it():
    old = {"a": "1", "b": "2", "c": "3"}
    assert find_swaps(old, {"a": "2", "b": "3", "c": "2"}) == {"b": "c", "c": "b"}


def test_bytes_that_two_pages_had_come_from_neither():
    assert find_swaps({"a": "1", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "1"}) == {}
