"""What counts as a figure, which figures are equal, and which changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.figures import compare_figures, without_moves
from worker.domain.passages import Block


def figures_of(text: str) -> list[str | None]:
    """Return the figures of a text that is new: each of them is told as added."""
    return [found.new for found in compare_figures([], [Block(line=0, text=text)])]


def compared(old: str, new: str):
    return compare_figures([Block(line=0, text=old)], [Block(line=0, text=new)])


def pairs(old: str, new: str) -> list[tuple[str | None, str | None]]:
    return [(change.old, change.new) for change in compared(old, new)]


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("a median of 4.8 months, or 21 weeks", ["4.8 months", "21 weeks"]),
        ("take 5 mg, 2.5 mg/kg or 160mg", ["5 mg", "2.5 mg/kg", "160mg"]),
        ("400 mg per day, 4 times a day", ["400 mg per day", "4 times a day"]),
        ("70 mL/min, 50 µg, 120/80 mmHg, 2 Gy", ["70 mL/min", "50 µg", "120/80 mmHg", "2 Gy"]),
        ("85% or 85 percent or 85 per cent", ["85%", "85 percent", "85 per cent"]),
        ("for 2–4 weeks, 5 to 10 mg, 5%–10%", ["2–4 weeks", "5 to 10 mg", "5%–10%"]),
        ("a 30-day course, the 3rd day", ["30-day", "3rd"]),
        ("<5% and ≥ 65 years, −3 °C, -3 °C", ["<5%", "≥ 65 years", "−3 °C", "-3 °C"]),
        ("1,000 of 12000 (n=7)", ["1,000", "12000", "7"]),
        ("$5 million, ₹1,00,000, Rs. 500", ["$5 million", "₹1,00,000", "Rs. 500"]),
        ("on 2025-12-30, at 12:30", ["2025-12-30", "12:30"]),
        ("30 December 2025, December 30, 2025", ["30 December 2025", "December 30, 2025"]),
        ("in May 2026, on 1st June", ["May 2026", "1st June"]),
        ("4.8\nmonths", ["4.8\nmonths"]),
        ("५ mg", ["५ mg"]),
        ("COVID-19, HER2, CYP3A4, B12, v1.2, PD-1, 18F, section_1.20, 1.18F", []),
        ("https://example.org/12?page=5 and www.example.org/7", []),
        ("twice, two, half", []),
    ],
)
def test_figures_are_read_with_their_sign_and_unit(text: str, figures: list[str]):
    assert figures_of(text) == figures


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("85 percent", "85%"),
        ("1,000 people", "1000 people"),
        ("1,00,000 people", "100,000 people"),
        ("4.80 months", "4.8 month"),
        ("5mg", "5 mg"),
        ("a 30-day course", "a 30 days course"),
        ("50 µg", "50 mcg"),
        ("2-4 weeks", "2 to 4 weeks"),
        ("400 mg per day", "400 mg a day"),
        ("30 December 2025", "December 30, 2025"),
        ("2025-12-30", "30 Dec. 2025"),
        ("take 5 mg in the morning", "in the morning, take 5 mg"),
    ],
)
def test_another_spelling_of_one_value_is_no_change(old: str, new: str):
    assert compared(old, new) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<5% of them", ">5% of them", ("<5%", ">5%")),
        ("5 mg", "5 mcg", ("5 mg", "5 mcg")),
        ("400 mg per day", "400 mg per week", ("400 mg per day", "400 mg per week")),
        ("at 5 °C", "at -5 °C", ("5 °C", "-5 °C")),
        ("2–4 weeks", "2–6 weeks", ("2–4 weeks", "2–6 weeks")),
        ("May 2025", "June 2025", ("May 2025", "June 2025")),
        ("1:10", "1:100", ("1:10", "1:100")),
        ("take 5 mg", "take it", ("5 mg", None)),
        ("take it", "take 5 mg", (None, "5 mg")),
        ("10 mg", "1 0 mg", None),
    ],
)
def test_a_change_of_sign_number_or_unit_is_a_change(old: str, new: str, expected):
    found = pairs(old, new)
    assert found == [expected] if expected else found


def test_a_figure_is_told_with_the_words_around_it_and_its_line():
    (change,) = compared(
        "People lived\na median of 4.8 months compared with 3 months.",
        "People lived\na median of 4.9 months compared with 3 months.",
    )
    assert change.as_json() == {
        "old": "4.8 months",
        "new": "4.9 months",
        "before": "a median of",
        "after": "compared with 3",
        "line": 2,
    }


def test_two_figures_that_change_places_are_two_changes():
    old, new = "5 mg of A and 10 mg of B", "10 mg of A and 5 mg of B"
    assert pairs(old, new) == [("5 mg", "10 mg"), ("10 mg", "5 mg")]


def test_where_one_side_has_more_figures_those_of_one_unit_are_a_pair():
    old = "It takes 3 weeks."
    new = "It takes 20 mg for 4 weeks."
    assert ("3 weeks", "4 weeks") in pairs(old, new)
    assert (None, "20 mg") in pairs(old, new)


def test_a_sentence_that_moved_changes_no_figure():
    gone = compared("Take 5 mg at night.", "")
    came = compared("", "Take 5 mg at night.")
    assert without_moves((*gone, *came)) == ()
    assert without_moves((*gone, *gone, *came)) == gone


numbers = st.integers(min_value=0, max_value=99)
sentences = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5)


@given(sentences)
def test_swapping_sides_swaps_old_and_new(values):
    old = ". ".join(f"Item{'abcde'[i]} has {a} mg left" for i, (a, _) in enumerate(values))
    new = ". ".join(f"Item{'abcde'[i]} has {b} mg left" for i, (_, b) in enumerate(values))
    there, back = compared(old, new), compared(new, old)
    assert [(c.old, c.new) for c in there] == [(c.new, c.old) for c in back]
    assert [(c.old, c.new) for c in there] == [(f"{a} mg", f"{b} mg") for a, b in values if a != b]


@given(st.text(alphabet="0123456789.,:/–-<$% mgtoMay\n", max_size=60))
def test_equal_texts_have_equal_figures_whatever_they_are(text: str):
    assert compared(text, text) == ()
    assert all(figure in text for figure in figures_of(text))


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_changed_figure_stands_in_its_text(old: str, new: str):
    for change in compared(old, new):
        assert change.old is not None or change.new is not None
        assert (change.old or "") in old
        assert (change.new or "") in new
