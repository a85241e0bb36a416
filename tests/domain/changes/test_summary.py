"""What a version changed, in a few words: the most important first, up to a limit."""

from __future__ import annotations

import pytest

from worker.domain.changes.summary import changes_in_words

NOTHING = {"lines_added": 0, "lines_removed": 0}


def words(**version):
    return changes_in_words(NOTHING | version)


def figures(*pairs):
    return [{"old": old, "new": new} for old, new in pairs]


def fields(*changes):
    return [{"field": field, "old": old, "new": new} for field, old, new in changes]


def sections(status, *headings):
    return [{"status": status, "heading": heading} for heading in headings]


def test_figures_come_first_then_fields_sections_links_and_lines():
    assert words(
        lines_added=1200,
        lines_removed=3,
        links=[{}, {}],
        sections=[*sections("added", "Storage"), *sections("removed", "Dose")],
        fields=fields(("status", "active", "deprecated")),
        figures=figures(("5 mg", "7 mg")),
    ) == [
        ("", "5 mg", "7 mg"),
        ("status", "active", "deprecated"),
        ("section removed: Dose", None, None),
        ("section added: Storage", None, None),
        ("2 links", None, None),
        ("+1,200 −3 lines", None, None),
    ]


@pytest.mark.parametrize(
    "version", [{}, {"figures": [], "fields": [], "sections": [], "links": []}, {"figures": None}]
)
def test_a_version_without_changes_has_an_empty_summary(version):
    assert words(**version) == []


@pytest.mark.parametrize(
    ("added", "removed", "shown"),
    [(1, 0, "+1 −0 lines"), (0, 1, "+0 −1 lines"), (7, 7, "+7 −7 lines")],
)
def test_lines_are_counted_where_any_were_added_or_removed(added, removed, shown):
    assert words(lines_added=added, lines_removed=removed) == [(shown, None, None)]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (3, []),
        (4, [("1 more figure", None, None)]),
        (5, [("2 more figures", None, None)]),
        (1203, [("1,200 more figures", None, None)]),
    ],
)
def test_three_figures_are_shown_and_the_others_counted(number, shown):
    three = [("", "1 mg", None), ("", "2 mg", None), ("", "3 mg", None)]
    many = figures(*((f"{dose} mg", None) for dose in range(1, number + 1)))
    assert words(figures=many) == [*three, *shown]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(3, []), (4, [("1 more field", None, None)]), (5, [("2 more fields", None, None)])],
)
def test_three_fields_are_shown_and_the_others_counted(number, shown):
    three = [("f1", None, "x"), ("f2", None, "x"), ("f3", None, "x")]
    many = fields(*((f"f{n}", None, "x") for n in range(1, number + 1)))
    assert words(fields=many) == [*three, *shown]


def test_three_added_or_removed_sections_are_named_and_changed_ones_are_not():
    gone = sections("removed", "A", "B", "C", "D")
    came = sections("added", "E", "F", "G", "H")
    shown = [what for what, _, _ in words(sections=[*came, *sections("changed", "I"), *gone])]
    assert shown == [f"section removed: {name}" for name in "ABC"] + [
        f"section added: {name}" for name in "EFG"
    ]


def test_text_before_the_first_heading_is_called_the_beginning():
    assert words(sections=sections("removed", "")) == [
        ("section removed: the beginning", None, None)
    ]


def test_one_link_is_written_in_the_singular():
    assert words(links=[{}]) == [("1 link", None, None)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("", ""),
        ("two\n  lines", "two lines"),
        (["nausea", "pain"], "[nausea, pain]"),
        ([], "[]"),
        (["x" * 70], "[" + "x" * 58 + "…"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ({"a": "b"}, "{'a': 'b'}"),
    ],
)
def test_values_are_shown_on_one_line_of_sixty_characters(value, shown):
    assert words(fields=fields(("tags", value, "x"))) == [("tags", shown, "x")]
    assert words(fields=fields(("tags", "x", value))) == [("tags", "x", shown)]
