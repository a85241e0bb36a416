"""The common start and the common end of two texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.overlap import common_end, common_start

texts = st.text(alphabet="ab", max_size=12)


@given(texts, texts, texts)
def test_the_common_start_ends_at_the_first_difference(start: str, old: str, new: str):
    old, new = start + old, start + new
    equal = common_start(old, new)
    assert equal >= len(start)
    assert old[:equal] == new[:equal]
    assert equal <= min(len(old), len(new))
    assert equal == min(len(old), len(new)) or old[equal] != new[equal]


@given(texts, texts, texts, st.integers(min_value=0, max_value=20))
def test_the_common_end_equals_the_common_start_of_the_reversed_texts(
    old: str, new: str, end: str, most: int
):
    old, new = old + end, new + end
    expected = min(common_start(old[::-1], new[::-1]), most)
    assert common_end(old, new, most) == expected


def test_long_texts_are_compared_to_the_last_character():
    text = b"x" * 1_000_003
    assert common_start(text, text + b"y") == len(text)
    assert common_start(text + b"z", text + b"y") == len(text)
    assert common_end(b"z" + text, b"y" + text, len(text) + 1) == len(text)
