"""Whether two texts differ in more than white space."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.words import MOST_WORDS, same_words

texts = st.text(alphabet="ab \n\t\u00a0é", max_size=40)


@given(texts, texts, texts)
def test_texts_of_the_same_words_are_the_same(start: str, old: str, new: str):
    old, new = start + old, start + new
    assert same_words(old, new) == (old.split() == new.split())


def test_a_word_after_a_long_text_counts():
    text = "some words of a long text, " * 1_000
    assert same_words(f" {text}", f"  {text}")
    assert not same_words(f" {text}", f"  {text}more")


def test_white_space_counts_after_the_compared_words():
    start, rest = "a  b ", "word " * MOST_WORDS
    assert same_words(f"{start}{rest}end", f"a b {rest}end")
    assert not same_words(f"{start}{rest} ", f"a b {rest}")
