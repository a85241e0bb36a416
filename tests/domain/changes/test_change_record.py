"""What a change shows a reviewer: sections, figures, links and the risk."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.change import MOST_EDITS, MOST_LINES, MOST_LISTED, compare
from worker.domain.changes.change_record import ChangeClass, first_change
from worker.domain.changes.lines import MOST_COMPARED
from worker.domain.changes.risk import Risk

REVIEW_FIELDS = frozenset({"lastReviewed"})
PAGE = """\
Before the first heading.

# Regorafenib

## Dose

Take 160 mg once daily for 3 weeks.

## What was found

- Half of them lived a median of 4.8 months compared with 0.9 months.[[7](#cit/7)]
- See [the label](https://example.org/label) for more.

```
dose = 5
```

## Side effects

Tell your team.
"""


def change(old: str, new: str, **fields: object):
    found = compare({}, old, fields, new, review_fields=REVIEW_FIELDS)
    assert found is not None
    return found


def edit(before: str, after: str):
    assert before in PAGE
    return change(PAGE, PAGE.replace(before, after))


def reported(found) -> list[tuple[str, str, int, int]]:
    return [(s.heading, str(s.status), s.lines_added, s.lines_removed) for s in found.sections]


def figures(found) -> list[tuple[str | None, str | None]]:
    return [(f.old, f.new) for f in found.figures]


def links(found) -> list[tuple[str, str | None, str | None]]:
    return [(link.text, link.old, link.new) for link in found.links]


# Sections


def test_an_edit_is_reported_with_its_section():
    found = edit("once daily", "each morning")
    assert reported(found) == [("Dose", "changed", 1, 1)]
    assert found.sections[0].level == 2


def test_a_section_is_kept_with_its_level_and_its_lines():
    assert edit("once daily", "each\nmorning").details_json()["sections"] == [
        {"heading": "Dose", "level": 2, "status": "changed", "lines_added": 2, "lines_removed": 1}
    ]


def test_text_before_the_first_heading_is_a_section_without_one():
    assert reported(edit("Before the", "Above the")) == [("", "changed", 1, 1)]


def test_a_new_section_is_added():
    found = edit("## Side effects", "## Storage\n\nKeep it dry.\n\n## Side effects")
    assert reported(found) == [("Storage", "added", 4, 0)]
    assert found.risk is Risk.MEDIUM


def test_a_removed_section_is_a_high_risk():
    found = edit("\n## Side effects\n\nTell your team.\n", "")
    assert ("Side effects", "removed", 0, 3) in reported(found)
    assert found.risk is Risk.HIGH
    assert found.reasons == ("the section “Side effects” is gone",)


def test_a_renamed_section_is_changed():
    found = edit("## Side effects", "## What may trouble you")
    assert reported(found) == [("What may trouble you", "changed", 1, 1)]
    assert found.risk is Risk.MEDIUM


def test_a_section_that_moved_is_changed():
    section = "## Dose\n\nTake 160 mg once daily for 3 weeks.\n\n"
    found = change(PAGE, PAGE.replace(section, "") + "\n" + section)
    assert ("Dose", "changed") in [(s.heading, str(s.status)) for s in found.sections]
    assert "removed" not in [str(s.status) for s in found.sections]
    assert found.figures == ()


def test_a_heading_inside_a_new_fence_is_removed():
    found = change(PAGE, PAGE.replace("dose = 5\n```", "dose = 5"))
    assert ("Side effects", "removed", 0, 0) in reported(found)


def test_sections_with_the_same_name_are_distinguished():
    page = "## Dose\n\nOne.\n\n## Dose\n\nTwo.\n"
    assert reported(change(page, page.replace("Two", "Two, or more"))) == [
        ("Dose", "changed", 1, 1)
    ]


def test_of_two_sections_with_the_same_name_the_deleted_one_is_removed():
    page = "# A\n\n## Dose\n\nOne.\n\n## Dose\n\nTwo.\n"
    found = change(page, "# A\n\n## Dose\n\nTwo.\n")
    assert [str(s.status) for s in found.sections].count("removed") == 1
    assert sum(s.lines_removed for s in found.sections) == 4


def test_sections_with_the_same_name_that_move_together_are_matched_in_order():
    both = "## Dose\n\nOne.\n\n## Dose\n\nTwo.\n\n"
    rest = "".join(f"Line {n} stays.\n" for n in range(12)) + "\n"
    found = change(f"{both}# Rest\n\n{rest}", f"# Rest\n\n{rest}{both}")
    assert "removed" not in [str(s.status) for s in found.sections]
    assert "added" not in [str(s.status) for s in found.sections]


def test_a_section_of_another_level_is_another_section():
    found = change("# A\n\n## Dose\n\nOne.\n", "# A\n\n### Dose\n\nOne.\n")
    assert [(s.heading, s.level, str(s.status)) for s in found.sections] == [
        ("Dose", 3, "added"),
        ("Dose", 2, "removed"),
    ]


# Figures


def test_a_figure_is_reported_with_its_words_and_its_line():
    found = edit("4.8 months", "4.9 months")
    assert found.details_json()["figures"] == [
        {
            "old": "4.8 months",
            "new": "4.9 months",
            "before": "a median of",
            "after": "compared with 0.9",
            "line": 11,
        }
    ]
    assert (found.risk, found.reasons) == (Risk.HIGH, ("a figure changed",))


def test_figures_are_added_and_removed():
    assert figures(edit(" for 3 weeks", "")) == [("3 weeks", None)]
    assert figures(edit("Tell your team.", "Tell your team within 2 days.")) == [(None, "2 days")]


def test_a_figure_continues_over_the_end_of_a_line():
    old = "They lived 4.8\nmonths.\n"
    assert figures(change(old, old.replace("months", "weeks"))) == [("4.8\nmonths", "4.8\nweeks")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("```\ndose = 5\n```\n", "```\ndose = 6\n```\n", id="fenced code"),
        pytest.param("1. One\n2. Two\n", "3. One\n4. Two\n", id="list numbers"),
        pytest.param("[a](https://x.org/1)\n", "[a](https://x.org/2)\n", id="link target"),
        pytest.param("<https://x.org/1>\n", "<https://x.org/2>\n", id="address"),
        pytest.param("See https://x.org/1.\n", "See https://x.org/2.\n", id="bare address"),
        pytest.param("So.[[7](#cit/7)]\n", "So.[[8](#cit/8)]\n", id="citation"),
        pytest.param("![a](x1.png)\n", "![a](x2.png)\n", id="image"),
        pytest.param("A 85% chance.\n", "An 85 percent chance.\n", id="spelling"),
        pytest.param("Take **5 mg**.\n", "Take *5 mg*.\n", id="emphasis"),
        pytest.param("Take 5 mg\nat night.\n", "Take\n5 mg at night.\n", id="wrapping"),
        pytest.param("- 5 mg\n", "    - 5 mg\n", id="indent"),
    ],
)
def test_edits_outside_figures_change_no_figure(old: str, new: str):
    assert change(old, new).figures == ()


def test_figures_in_code_within_a_line_and_over_a_hard_break_count():
    assert figures(change("Take `5 mg` now.\n", "Take `6 mg` now.\n")) == [("5 mg", "6 mg")]
    assert figures(change("Take 5\\\nmg\n", "Take 6\\\nmg\n")) == [("5\nmg", "6\nmg")]
    assert figures(change("1 <https://x.org/1> 5 mg\n", "1 <https://x.org/1> 6 mg\n")) == [
        ("5 mg", "6 mg")
    ]


def test_lines_after_a_distant_opening_fence_are_code():
    page = "```\n" + "line\n" * 50 + "dose = 5\n" + "line\n" * 50 + "```\n"
    assert change(page, page.replace("= 5", "= 6")).figures == ()


def test_figures_of_html_and_of_indented_text_count():
    assert figures(change("<td>5 mg</td>\n", "<td>6 mg</td>\n")) == [("5 mg", "6 mg")]
    assert figures(change("    5 mg\n", "    6 mg\n")) == [("5 mg", "6 mg")]
    assert figures(change("| a | 5 mg |\n|---|---|\n", "| a | 6 mg |\n|---|---|\n")) == [
        ("5 mg", "6 mg")
    ]


def test_the_alternative_text_of_an_image_counts():
    assert figures(change("![up to 50%](a.png)\n", "![up to 60%](a.png)\n")) == [("50%", "60%")]


# Links


def test_a_link_to_another_place_is_retargeted():
    found = edit("example.org/label", "example.org/other")
    assert links(found) == [("the label", "https://example.org/label", "https://example.org/other")]
    assert found.risk is Risk.MEDIUM
    assert found.details_json()["links"] == [
        {
            "text": "the label",
            "old": "https://example.org/label",
            "new": "https://example.org/other",
        }
    ]


def test_links_are_added_and_removed():
    link = ("the label", "https://example.org/label")
    assert links(edit("[the label](https://example.org/label)", "the label")) == [(*link, None)]
    assert links(edit("Tell your team.", "[Call us](tel:1).")) == [("Call us", None, "tel:1")]


def test_a_link_in_a_late_item_of_a_list_is_read():
    others = "    - Other\n" * 4
    old = f"- One\n  - Two\n{others}    - See [it](https://x.org/1).\n{others}"
    assert links(change(old, old.replace("x.org/1", "x.org/2"))) == [
        ("it", "https://x.org/1", "https://x.org/2")
    ]


def test_a_link_definition_with_a_new_target_is_a_changed_link():
    old = "See [the label].\n\n[the label]: https://x.org/1\n"
    found = change(old, old.replace("x.org/1", "x.org/2"))
    assert links(found) == [("THE LABEL", "https://x.org/1", "https://x.org/2")]


def test_a_reworded_or_moved_link_is_not_a_change():
    assert links(edit("[the label]", "[this label]")) == []
    line = "- See [the label](https://example.org/label) for more.\n"
    assert links(change(PAGE, PAGE.replace(line, "") + "\n" + line)) == []


# Risk


@pytest.mark.parametrize(
    ("field", "risk"),
    [
        ("status", Risk.HIGH),
        ("license", Risk.HIGH),
        ("title", Risk.MEDIUM),
        ("lastReviewed", Risk.LOW),
    ],
)
def test_a_field_has_its_risk(field: str, risk: Risk):
    found = change(PAGE, PAGE, **{field: "new"})
    assert found.risk is risk
    assert found.reasons == ((f"{field} changed",) if risk is Risk.HIGH else ())


def test_a_library_may_rename_its_status_field():
    found = compare(
        {}, "", {"state": "old"}, "", review_fields=REVIEW_FIELDS, grave_fields=frozenset({"state"})
    )
    assert found is not None
    assert found.risk is Risk.HIGH


def test_changed_words_are_a_medium_risk_and_white_space_is_a_low_risk():
    assert edit("once daily", "each morning").risk is Risk.MEDIUM
    found = edit("\n\nTell", "\n\n\nTell")
    assert (found.kind, found.risk) == (ChangeClass.COSMETIC, Risk.LOW)


@given(st.integers(min_value=1, max_value=12))
def test_white_space_is_cosmetic_even_before_a_long_text(spaces: int):
    rest = "some words of a long text, " * 400
    found = change(f"One {rest}", f"One {' ' * spaces}{rest}")
    assert found.kind is ChangeClass.COSMETIC


def test_a_first_version_has_no_risk():
    assert first_change(PAGE).details_json() == {
        "sections": [],
        "figures": [],
        "links": [],
        "risk": "low",
    }


# Limits


def test_more_lines_than_the_limit_are_a_high_risk():
    found = change("old\n" * MOST_LINES, "new 5 mg\n" * MOST_LINES)
    assert (found.sections, found.figures, found.risk) == ((), (), Risk.HIGH)
    assert found.reasons == ("too many changes to compare every figure",)
    assert found.lines_added == MOST_LINES


def test_a_line_too_long_to_be_read_is_a_high_risk():
    line = "word " * 100_000
    assert change(line, f"{line}5 mg").reasons == ("too many changes to compare every figure",)


def test_a_summary_is_short_enough_for_a_reviewer():
    old = "".join(f"# {n}\n\nTake {n} mg.\n\n" for n in range(300))
    found = change(old, old.replace(" mg", " g"))
    assert len(found.figures) == len(found.sections) == MOST_LISTED
    assert found.reasons == ("300 figures changed",)


def test_passages_within_the_limit_are_read_after_one_that_is_too_long():
    long = "word " * 100_000
    found = change(f"{long}1\n\nTake 5 mg.\n", f"{long}2\n\nTake 6 mg.\n")
    assert figures(found) == [("5 mg", "6 mg")]
    assert found.reasons == ("a figure changed", "too many changes to compare every figure")


def test_more_edits_than_the_limit_are_a_high_risk():
    old = "".join(f"Line {n} of a long text.\n\n" for n in range(MOST_EDITS + 1))
    found = change(old, old.replace("Line", "Take 5 mg, line"))
    assert (found.lines_added, found.lines_removed) == (MOST_EDITS + 1, MOST_EDITS + 1)
    assert found.reasons == ("too many changes to compare every figure",)


def test_headings_beyond_a_limit_are_shown_as_written():
    old = "".join(f"# The **dose** {n}\n\nOld.\n\n" for n in range(180))
    headings = [s.heading for s in change(old, old.replace("Old", "New")).sections]
    assert headings[0] == "The dose 0"
    assert headings[-1] == "The **dose** 179"


def test_changed_figures_in_a_part_too_long_to_compare_are_a_high_risk():
    draw = random.Random(1)
    old, new = ("".join(draw.choices(["5 mg\n", "6 mg\n"], k=MOST_COMPARED)) for _ in range(2))
    found = change(old, new)
    assert (found.risk, found.reasons) == (Risk.HIGH, ("too many changes to compare every figure",))


# All texts

markup = st.lists(
    st.sampled_from(
        [
            "# A",
            "## B",
            "5 mg",
            "6 mg",
            "text",
            "",
            "- [a](b)",
            "- [a](c)",
            "```",
            "  ",
            "===",
            "<x>",
        ]
    ),
    max_size=12,
).map("\n".join)
values = st.lists(st.integers(min_value=1, max_value=99), min_size=6, max_size=6)


def page_of(numbers: list[int]) -> str:
    return "".join(
        f"## Part {'abcdef'[i]}\n\nThe dose of {'uvwxyz'[i]} is {n} mg.\n\n"
        for i, n in enumerate(numbers)
    )


@given(markup, markup)
def test_the_lines_of_the_sections_add_up_to_the_change(old: str, new: str):
    found = compare({}, old, {}, new, review_fields=REVIEW_FIELDS)
    if found is not None:
        assert sum(s.lines_added for s in found.sections) == found.lines_added
        assert sum(s.lines_removed for s in found.sections) == found.lines_removed


@given(values, values)
def test_figures_come_from_changed_lines_and_swap_with_the_sides(old, new):
    if old == new:
        return
    there, back = change(page_of(old), page_of(new)), change(page_of(new), page_of(old))
    expected = [(f"{a} mg", f"{b} mg") for a, b in zip(old, new, strict=True) if a != b]
    assert figures(there) == expected
    assert figures(back) == [(b, a) for a, b in expected]
    assert reported(there) == reported(back)
    assert there.risk is back.risk


@given(markup)
def test_an_added_line_adds_only_the_figure_in_it(old: str):
    found = change(old, old + "\n\nTell them 77 days before.\n")
    assert set(figures(found)) <= {(None, "77 days")}


def test_a_renamed_first_heading_is_changed_and_not_removed():
    page = "# Regorafenib\n\n## Dose\n\nTake 160 mg once daily.\n"
    found = change(page, page.replace("# Regorafenib\n", "# Stivarga\n", 1))
    assert [(s.heading, str(s.status)) for s in found.sections] == [("Stivarga", "changed")]
    assert found.risk is Risk.MEDIUM


def test_removing_one_of_two_equal_links_is_reported():
    link = "[the label](https://example.org/label)"
    found = change(f"See {link} and {link}.\n", f"See {link}.\n")
    assert links(found) == [("the label", "https://example.org/label", None)]


def test_a_figure_after_a_citation_of_two_lines_has_its_own_line_number():
    old = "Half of them lived longer.[7,\n8](#cit/7)\nThe median was 4.8 months.\n"
    found = change(old, old.replace("4.8", "5.8"))
    assert [(f.old, f.new, f.line) for f in found.figures] == [("4.8 months", "5.8 months", 3)]
