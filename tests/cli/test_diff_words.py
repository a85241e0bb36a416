"""Which words of two lines are marked: no letter is lost, and no line takes long."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.steps import steps_of

from worker.cli import words
from worker.cli.words import mark_words, pair_lines
from worker.domain.changes.change import hunks

#: Lines of Python that comparing two equal words takes, at most.
STEPS_A_PAIR = 400

LINES = st.lists(st.text("ab é9.,\t", max_size=12), max_size=12)


def marked(segments):
    return [text for text, changed in segments if changed]


def as_json(old, new):
    return [
        {
            "old_start": hunk.old_start, "old_lines": hunk.old_lines,
            "new_start": hunk.new_start, "new_lines": hunk.new_lines,
            "lines": [list(line) for line in hunk.lines],
        }
        for hunk in hunks(old, new)
    ]  # fmt: skip


def test_only_whole_figures_are_marked():
    old, new, _ = mark_words("a median of 4.8 months", "a median of 4.9 months")
    assert marked(old) == ["4.8"]
    assert marked(new) == ["4.9"]


def test_lines_with_little_in_common_are_not_marked():
    old, new, _ = mark_words("Tell the team.", "Rest at home, and drink much.")
    assert not marked(old)
    assert not marked(new)


@given(st.text("ab c9.", max_size=40), st.text("ab c9.", max_size=40))
def test_marking_words_loses_no_letters(old, new):
    before, after, _ = mark_words(old, new)
    assert "".join(text for text, _ in before) == old
    assert "".join(text for text, _ in after) == new
    rest = ["".join(text for text, changed in one if not changed) for one in (before, after)]
    assert rest[0] == rest[1] or (not marked(before) and not marked(after))


@given(LINES, LINES)
def test_pairs_contain_every_line_of_the_hunks_with_its_number(old, new):
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (old, new))
    for pairs in pair_lines(as_json(before, after)):
        for pair in pairs:
            if pair.old is not None:
                assert pair.old.text == old[pair.old.number - 1]
            if pair.new is not None:
                assert pair.new.text == new[pair.new.number - 1]
            assert not pair.same or pair.old.text == pair.new.text


def two_words(number, *, words=900):
    """Return a line of two words in an order that repeats nowhere: the hardest to compare."""
    return " ".join(random.Random(number).choices("ab", k=words))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(two_words(1), two_words(2), id="two words in any order"),
        pytest.param(
            two_words(1, words=190), two_words(2, words=190), id="as many as are compared"
        ),
        pytest.param("a b " * 1000, "b a " * 1000, id="two words, many times"),
        pytest.param("x" * 5_000_000, "x" * 4_999_999 + "y", id="one word of 5 MB"),
        pytest.param("a " * 2_000_000, "b " * 2_000_000, id="four million words"),
    ],
)
def test_a_hostile_line_costs_little(old, new):
    steps_of(lambda: mark_words(old, new), most=STEPS_A_PAIR * 20_000)


def test_many_changed_lines_cost_little_together(monkeypatch):
    monkeypatch.setattr(words, "_BUDGET", 20_000)  # tracing half a million takes a minute
    lines = [f"{number} " + "alpha beta " * 90 for number in range(300)]
    changed = [f"{number} " + "beta gamma alpha " * 60 for number in range(300)]
    given = as_json("\n".join(lines), "\n".join(changed))
    found = []
    steps_of(lambda: found.extend(pair_lines(given)), most=STEPS_A_PAIR * words._BUDGET)
    assert sum(map(len, found)) == 300
    assert marked(found[0][0].new.segments)
    assert not marked(found[-1][-1].new.segments)
