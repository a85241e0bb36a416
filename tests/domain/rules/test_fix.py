"""Fixing changes only the spans and is idempotent."""

import re
import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.domain.rules.fix import edits_of, fix, only_near, unquoted_dates
from worker.domain.seeds.codes import UNQUOTED_DATE
from worker.domain.seeds.seed import Seed, parse_seed

HEAD = """\
---
# what the page is
version:   v1
title: "When: you feel sick"   # in the words of readers
status: active
source: SCCF
lastReviewed: 2026-10-01 # by Asha
reviewFrequency: quarterly
tags: [ nausea,  'side-effects' ]
---

# When you feel sick   \n
lastReviewed: 2025-01-01 stands in the text and stays. Tell your team when it began.
"""


@pytest.fixture
def fixed(examined, rules):
    """Return a function that fixes bytes or a text, as `--fix` does."""

    def take(data, *, words=False):
        data = data.encode() if isinstance(data, str) else data
        result = examined(data)
        if result.seed is None:
            return data
        return fix(data, edits_of(result.seed, result.problems, rules, words=words))

    return take


def test_quotes_round_a_date_are_all_that_changes(fixed):
    expected = HEAD.replace(": 2026-10-01 #", ": '2026-10-01' #")
    assert fixed(HEAD).decode() == expected


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_stay(fixed, line_end, bom):
    text = bom + HEAD.replace("\n", line_end)
    assert fixed(text).decode() == text.replace(": 2026-10-01 #", ": '2026-10-01' #")


@pytest.mark.parametrize(
    "line",
    [
        "lastReviewed: '2026-10-01'",
        'lastReviewed: "2026-10-01"',
        "lastReviewed: |-\n  2026-10-01",
        "lastReviewed: 2026-02-30",
        "lastReviewed: 2026-10-01T12:00:00",
        "lastReviewed: since 2026-10-01",
        "2026-10-01: lastReviewed",
    ],
)
def test_a_quoted_date_and_a_text_around_a_date_stay(fixed, line):
    text = HEAD.replace("lastReviewed: 2026-10-01 # by Asha", line)
    assert fixed(text).decode() == text


def test_dates_in_lists_get_quotes_too(fixed):
    text = HEAD.replace(
        "[ nausea,  'side-effects' ]", "[2026-01-02,2026-01-03]\nseen:\n- 2026-01-04"
    )
    after = fixed(text).decode()
    assert "tags: ['2026-01-02','2026-01-03']\nseen:\n- '2026-01-04'\n" in after


def test_a_date_without_quotes_is_found_with_its_place():
    seed = parse_seed(HEAD.encode())
    assert isinstance(seed, Seed)
    [problem] = unquoted_dates(seed)
    assert (problem.code, problem.severity, problem.fixable) == (UNQUOTED_DATE, "info", True)
    span = problem.span
    assert (span.line, span.column, span.end_line, span.end_column) == (7, 15, 7, 25)


def test_a_word_is_fixed_only_on_request(fixed):
    text = HEAD.replace("quarterly", "quaterly").replace("2026-10-01", "'2026-10-01'")
    assert fixed(text).decode() == text
    assert fixed(text, words=True).decode() == text.replace("quaterly", "quarterly")


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_fixed_word_keeps_its_quotes(fixed, quote):
    text = HEAD.replace("status: active", f"status: {quote}Actve{quote}")
    assert f"status: {quote}active{quote}\n" in fixed(text, words=True).decode()


def test_a_word_in_a_block_is_not_fixed(fixed):
    text = HEAD.replace("status: active", "status: >-\n  actve")
    assert "status: >-\n  actve\n" in fixed(text, words=True).decode()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("quaterly", "quarterly"),
        ("Semi-Annual", "semiannual"),
        ("anual", "annual"),
        ("nannual", "annual"),
        ("daily", None),
        ("", None),
        ("q" * 100_000, None),
    ],
)
def test_a_misspelled_frequency_is_fixed(given, meant):
    words = ("monthly", "quarterly", "semiannual", "annual", "biennial", "as_needed")
    assert only_near(given, words) == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [("actve", "active"), ("Active", "active"), ("inactve", "inactive"), ("nactive", None)],
)
def test_a_status_is_never_guessed_between_two(given, meant):
    assert only_near(given, ("active", "inactive", "deprecated")) == meant


@pytest.mark.parametrize("given", ["cc_by_nc", "cc-by-sa", "ccbync"])
def test_a_licence_is_never_guessed_between_two(given):
    words = ("public_domain", "cc_by_nc_sa", "cc_by", "sccf_owned", "open_access", "public_info")
    assert only_near(given, words) is None


def test_an_edit_that_does_not_fit_fixes_nothing(examined, rules):
    edits = edits_of(examined(HEAD).seed, (), rules, words=False)
    other = HEAD.replace("lastReviewed: ", "lastReviewed:  ").encode()
    assert fix(other, edits) == other


def test_an_edit_names_its_rule(examined, rules):
    [edit] = edits_of(examined(HEAD).seed, (), rules, words=False)
    assert (edit.rule, edit.old, edit.new) == ("unquoted-date", "2026-10-01", "'2026-10-01'")


def test_an_edit_that_would_read_differently_is_not_made(examined, rules):
    [edit] = edits_of(examined(HEAD).seed, (), rules, words=False)
    for wrong in (
        replace(edit, value="2026-10-02"),
        replace(edit, new="'2026"),
        replace(edit, new=""),
    ):
        assert fix(HEAD.encode(), [wrong]) == HEAD.encode()
    assert fix(b"lastReviewed: 2026-10-01\n", [edit]) == b"lastReviewed: 2026-10-01\n"
    assert fix(HEAD.encode(), [edit, edit]) == HEAD.encode()


def test_a_date_in_the_first_field_gets_quotes(fixed):
    first = HEAD.replace("---\n# what", "---\nseen: 2026-01-02\n# what")
    assert "---\nseen: '2026-01-02'\n" in fixed(first).decode()


def test_a_fixable_word_has_at_most_sixty_letters():
    assert only_near("a" * 60, ["a" * 60]) == "a" * 60
    assert only_near("a" * 61, ["a" * 61]) is None
    assert only_near("A-B", ["ab", "a_b"]) is None


def test_a_file_that_is_not_a_seed_is_not_fixed(fixed):
    assert fixed(b"lastReviewed: 2026-10-01\n") == b"lastReviewed: 2026-10-01\n"


SPACES = st.sampled_from([" ", "  ", "\t ", "\u00a0 "]).map(lambda space: f" {space}")
DATES = st.dates().map(str)
WORDS = st.text(string.ascii_letters + "àहिं😀_-", min_size=1, max_size=12)
VALUES = st.one_of(
    DATES,
    DATES.map(lambda date: f"'{date}'"),
    st.lists(DATES | WORDS, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    st.lists(DATES, min_size=1, max_size=3).map(lambda items: "".join(f"\n- {i}" for i in items)),
    WORDS,
    st.sampled_from(["quaterly", '"quaterly"', "|\n  2026-10-01", "{a: 2026-10-01}", "actve"]),
)
COMMENTS = st.sampled_from(["", " # 2026-10-01", "   "])


@st.composite
def files(draw):
    names = draw(st.lists(WORDS, max_size=5, unique=True))
    lines = [f"{name}: {draw(VALUES)}{draw(COMMENTS)}" for name in names]
    lines += [f"{name}:{draw(SPACES)}{draw(VALUES)}" for name in ("status", "reviewFrequency")]
    order = draw(st.permutations(lines))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    bom = draw(st.sampled_from(["", "\ufeff"]))
    text = "---\n" + "".join(f"{line}\n" for line in order) + "---\nText: 2026-10-01\n"
    return (bom + text.replace("\n", end)).encode()


@settings(max_examples=300, deadline=None)
@given(data=files(), words=st.booleans())
def test_only_the_spans_change_and_fixing_is_idempotent(examined, rules, data, words):
    result = examined(data)
    if result.seed is None:
        return
    edits = edits_of(result.seed, result.problems, rules, words=words)
    once = fix(data, edits)
    # An independent way to make the edits: within their lines, from the last one to the first.
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", data.decode().removeprefix("\ufeff"))
    for edit in reversed(edits):
        place, line = edit.span, lines[edit.span.line - 1]
        assert (place.line, line[place.column - 1 : place.end_column - 1]) == (
            place.end_line,
            edit.old,
        )
        lines[place.line - 1] = line[: place.column - 1] + edit.new + line[place.end_column - 1 :]
    assert once.decode().removeprefix("\ufeff") == "".join(lines)
    assert once.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf")

    again = examined(once)
    assert again.seed is not None
    assert fix(once, edits_of(again.seed, again.problems, rules, words=words)) == once
    assert again.seed.body == result.seed.body
    assert list(again.seed.metadata) == list(result.seed.metadata)
    if not words:
        assert again.seed.metadata == result.seed.metadata


@pytest.mark.corpus
def test_fixing_restores_the_quotes_of_a_real_library_byte_for_byte(corpus, fixed):
    pages = sorted(corpus.rglob("*.md"))
    changed = 0
    for path in pages:
        before = path.read_bytes()
        without = re.sub(rb"(?m)^(lastReviewed: )'([0-9-]{10})'", rb"\1\2", before, count=1)
        changed += without != before
        assert fixed(without) == before, path
    assert changed > 0.9 * len(pages)
