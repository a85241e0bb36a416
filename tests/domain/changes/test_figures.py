"""What counts as a figure, which figures are equal, and which changed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.figures import compare_figures, without_moves
from worker.domain.changes.passages import Block


def figures_of(text: str) -> list[str | None]:
    """Return the figures of a new text: each is reported as added."""
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
def test_another_spelling_of_a_value_is_not_a_change(old: str, new: str):
    assert compared(old, new) == ()


#: A unit a line, in every spelling that is read as one.
UNITS = """
%|percent|per cent
mg|mgs|milligram|milligrams
mcg|µg|μg|ug|microgram|micrograms
ng|nanogram|nanograms
pg
kg|kgs|kilogram|kilograms
g|gram|grams
ml|mL|cc|millilitre|millilitres|milliliter|milliliters
dl|dL
l|L|litre|litres|liter|liters
IU|U|unit|units|international units
mmol
mol
mEq
Gy|gray
cGy
mGy
mSv
MBq
mCi
mmHg|mm Hg
mm|millimeter|millimeters|millimetre|millimetres
cm|centimeter|centimeters|centimetre|centimetres
m2|m²
km|kilometers|kilometres
m|meter|meters|metre|metres
inch|inches
feet
lb|lbs|pound|pounds
oz|ounce|ounces
kcal|calorie|calories
°C|degrees C|degrees Celsius
°F|degrees F|degrees Fahrenheit
tablet|tablets
capsule|capsules
pill|pills
drop|drops
puff|puffs
dose|doses
cycle|cycles
session|sessions
tsp|teaspoon|teaspoons
tbsp|tablespoon|tablespoons
cup|cups
glass|glasses
sec|secs|second|seconds
min|mins|minute|minutes
h|hr|hrs|hour|hours
day|days
wk|wks|week|weeks
month|months
yr|yrs|year|years
time|times
fold
hundred
thousand
million
billion
lakh|lakhs
crore|crores
""".strip().split("\n")


@pytest.mark.parametrize("spellings", UNITS)
def test_a_unit_is_the_same_in_all_its_spellings(spellings: str):
    first, *others = spellings.split("|")
    for spelling in (first, *others):
        assert figures_of(f"take 5 {spelling} now") == [f"5 {spelling}"]
        assert compared(f"take 5 {first} now", f"take 5 {spelling} now") == ()


def test_no_two_units_are_the_same():
    for one, other in pairwise(line.split("|")[0] for line in UNITS):
        assert pairs(f"5 {one}", f"5 {other}") == [(f"5 {one}", f"5 {other}")]


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (1, "Jan January"),
        (2, "Feb February"),
        (3, "Mar March"),
        (4, "Apr April"),
        (5, "May"),
        (6, "Jun June"),
        (7, "Jul July"),
        (8, "Aug August"),
        (9, "Sep Sept September"),
        (10, "Oct October"),
        (11, "Nov November"),
        (12, "Dec December"),
    ],
)
def test_a_date_is_the_same_in_words_and_in_numbers(number: int, names: str):
    iso = f"2026-{number:02}-03"
    for name in names.split():
        for written in (
            f"3 {name} 2026",
            f"3rd {name}, 2026",
            f"{name} 3, 2026",
            f"{name}. 3rd 2026",
        ):
            assert figures_of(f"on {written} it was") == [written]
            assert compared(f"on {written} it was", f"on {iso} it was") == ()
        assert figures_of(f"on {name} 3 and in {name} 2026") == [f"{name} 3", f"{name} 2026"]


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


def test_a_figure_is_reported_with_the_words_around_it_and_its_line():
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


def test_two_swapped_figures_are_two_changes():
    old, new = "5 mg of A and 10 mg of B", "10 mg of A and 5 mg of B"
    assert pairs(old, new) == [("5 mg", "10 mg"), ("10 mg", "5 mg")]


def test_extra_figures_on_one_side_are_paired_by_unit():
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
def test_comparing_equal_texts_finds_no_changed_figure(text: str):
    assert compared(text, text) == ()
    assert all(figure in text for figure in figures_of(text))


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_changed_figure_occurs_in_its_text(old: str, new: str):
    for change in compared(old, new):
        assert change.old is not None or change.new is not None
        assert (change.old or "") in old
        assert (change.new or "") in new


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("31 May", "1 May", ("31 May", "1 May")),
        ("May 31", "May 31, 2026", ("May 31", "May 31, 2026")),
        ("2026-05-31", "2026-06-30", ("2026-05-31", "2026-06-30")),
        ("2 mg", "2.0 mg", None),
        ("02 mg", "2 mg", None),
        ("0.50 mg", "0.5 mg", None),
        ("0.5 mg", "5 mg", ("0.5 mg", "5 mg")),
        ("10 mg", "1 mg", ("10 mg", "1 mg")),
        ("1,000.50 mg", "1000.5 mg", None),
        ("1,50 mg", "150 mg", ("1,50 mg", "150 mg")),
        ("12:30", "1230", ("12:30", "1230")),
        ("5 mg/kg/day", "5 mg per kg a day", None),
        ("5 mg/kg/day", "5 mg/kg/week", ("5 mg/kg/day", "5 mg/kg/week")),
        ("every 5 to 7 days", "every 5 - 7 days", None),
        ("every 5 to 7 days", "every 57 days", ("5 to 7 days", "57 days")),
        ("Rs. 500", "$500", ("Rs. 500", "$500")),
        ("+5 mg", "5 mg", ("+5 mg", "5 mg")),
    ],
)
def test_figures_are_compared_by_value(old: str, new: str, change):
    assert pairs(f"take {old} now", f"take {new} now") == ([change] if change else [])


def test_only_changed_figures_are_reported():
    old = "Take 5 mg for 3 weeks, then 10 mg for 2 weeks."
    assert pairs(old, old.replace("10 mg", "20 mg")) == [("10 mg", "20 mg")]
    assert pairs(old, old.replace(", then 10 mg for 2 weeks", "")) == [
        ("10 mg", None),
        ("2 weeks", None),
    ]


def test_the_first_figure_of_a_unit_is_paired_when_one_side_has_fewer():
    assert pairs("It is 1 mg, 2 mg, 3 days.", "It was 9 days.") == [
        ("1 mg", None),
        ("2 mg", None),
        ("3 days", "9 days"),
    ]
    assert pairs("It was 9 days.", "It is 1 mg, 2 mg, 3 days.") == [
        (None, "1 mg"),
        (None, "2 mg"),
        ("9 days", "3 days"),
    ]


def test_the_context_of_a_figure_is_three_words_from_its_block():
    old = [Block(line=4, text="one two three four 5 mg six seven eight nine")]
    new = [Block(line=6, text="one two three four 6 mg six seven eight nine")]
    (change,) = compare_figures(old, new)
    assert (change.before, change.after, change.line) == (
        "two three four",
        "six seven eight",
        7,
    )
    (gone,) = compare_figures(old, [Block(line=6, text="one two three four six seven")])
    assert (gone.old, gone.new, gone.line) == ("5 mg", None, 5)


def test_equal_blocks_at_both_ends_are_skipped():
    def page(*doses: int) -> list[Block]:
        return [Block(line=2 * n, text=f"Take {dose} mg.") for n, dose in enumerate(doses)]

    reported = compare_figures(page(1, 2, 3, 4), page(1, 7, 3, 4))
    assert [(c.old, c.new, c.line) for c in reported] == [("2 mg", "7 mg", 3)]
    reported = compare_figures(page(1, 2, 3), page(1, 2, 9, 3))
    assert [(c.old, c.new, c.line) for c in reported] == [(None, "9 mg", 5)]


def test_a_moved_figure_does_not_hide_an_added_one():
    here = compared("", "Take 5 mg at night.")
    twice = (*compared("Take 5 mg at night.", ""), *here, *here)
    assert without_moves(twice) == here
    changed = compared("Take 5 mg.", "Take 6 mg.")
    assert without_moves(changed) == changed
