import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.seeds.visible import one_line, visible, without_password

HOSTILE = "a\x1b[31m\x07\x00\r\u2028\u202e\u2066\x85\x9b\x7f\ud800z"


def test_control_characters_are_shown_escaped():
    assert visible("\x1b[2J\x07") == "\\x1b[2J\\x07"
    assert visible("a\u202eb\u2028c\x9bd") == "a\\u202eb\\u2028c\\x9bd"


def test_line_feeds_stay_on_request():
    assert visible("a\nb", lines=True) == "a\nb"
    assert visible("a\nb") == "a\\nb"


@pytest.mark.parametrize("text", ["क्‍ष", "ర్‌క", "naïve, café", "👩‍⚕️", "a\u200bb"])
def test_letters_and_joiners_of_every_script_stay(text):
    assert visible(text) == text


def test_one_line_folds_white_space_and_truncates():
    assert one_line(" a\r\n\tb\u2028c ", limit=20) == "a b c"
    assert one_line("x" * 30, limit=10) == "x" * 9 + "…"


def test_characters_above_one_byte_are_shown_with_four_digits():
    assert visible("\x7f\x9f\u061c") == "\\x7f\\x9f\\u061c"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://user:se@cret@host/0?password=secret", "redis://user:***@host/0"),
        ("redis://host:6379/0?password=secret", "redis://host:6379/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 10, "x" * 10), ("x" * 11, "x" * 9 + "…"), ("", ""), ("a\x1bb", "a\\x1bb")],
)
def test_one_line_is_cut_only_where_it_is_longer_than_the_limit(text, shown):
    assert one_line(text, limit=10) == shown


def test_tabs_and_line_ends_are_shown_by_their_letters():
    assert visible("a\tb\nc\rd") == "a\\tb\\nc\\rd"
    assert visible("a\tb\nc\rd", lines=True) == "a\tb\nc\\rd"
    assert visible("\x0b\x0c\x1f \xa0", lines=True) == "\\x0b\\x0c\\x1f \xa0"


@given(st.text())
def test_no_text_keeps_a_hidden_character(text):
    for shown in (visible(text + HOSTILE, lines=True), one_line(text + HOSTILE, limit=50)):
        left = {c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}}
        assert left <= {"\n", "\t"}
        shown.encode("utf-8")
    assert "\n" not in one_line(text, limit=50)
