"""Front matter read by one pattern: the same result as from the YAML parser, or none."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.domain.seeds.front_matter import FrontMatterError, SeedHandler
from worker.domain.seeds.plain_fields import read_plain_fields

#: What decides over a value, and what is easily taken for something else.
PIECES = st.sampled_from(
    (
        *"abz09:#-'\"[]{},&*!|>%@`?.~=\\ \t\n\r_/+<^",
        *(": ", " #", "- ", "\n- ", "\n  - ", "\n  ", "---", "...", "<<", "''", '""', "\\n"),
        *("\x07", "\x7f", "\x85", "\xa0", "\u2028", "\u202e", "\ufeff", "\ufffe", "\ud800"),
        *("é", "\U0001f600", "2025-12-30", "no", "null", "https://a.b/c#d"),
    )
)
VALUES = st.lists(PIECES, max_size=6).map("".join)
ITEMS = st.sampled_from(["a", "b c", "'d'", '"e"', "f: g", "- h", "[i]", "", "j #k", "2", "~"])
NAMES = st.sampled_from(["a", "b", "title", "lastReviewed", "a-b", "no", "<<", "1", "é", "a b", ""])
FIELDS = st.one_of(
    st.builds("{}: {}\n".format, NAMES, VALUES),
    st.builds("{}: '{}'\n".format, NAMES, VALUES),
    st.builds('{}: "{}"\n'.format, NAMES, VALUES),
    st.builds(lambda n, v: f"{n}: [{', '.join(v)}]\n", NAMES, st.lists(ITEMS, max_size=3)),
    st.builds(
        lambda n, begin, v: f"{n}:\n" + "".join(f"{begin}- {item}\n" for item in v),
        NAMES,
        st.sampled_from(["", "  ", " "]),
        st.lists(ITEMS, max_size=3),
    ),
    VALUES,
)


def read_events(front_matter):
    try:
        return SeedHandler().load_events(front_matter)
    except FrontMatterError:
        return None


@given(st.lists(FIELDS, max_size=4).map("".join))
@example("a: b\n- c\n")
@example("a: ''\n- c\n")
@example("a:\n- c\n  - d\n")
@example("a:\n- c\nb: d\n- e\n")
@example("- a\n")
@example("a: b: c\n")
@example("a: b \n")
@example("a: b:\n")
@example("a: b\n\n")
@example("a: b\n c\n")
@example("a: b\na: c\n")
@example("a: [b, c]\nd: []\n")
@example("a: b\n...\n")
@example("a: b")
@example("")
@settings(max_examples=1500, deadline=None)
def test_the_pattern_reads_what_the_parser_reads(front_matter):
    plainly = read_plain_fields(front_matter)
    if plainly is not None:
        assert list(plainly.items()) == list((read_events(front_matter) or {}).items())


@pytest.mark.parametrize(
    ("front_matter", "fields"),
    [
        ("title: Nausea at home (1/2), no#1\n", {"title": "Nausea at home (1/2), no#1"}),
        ("title: 'It''s plain'\n", None),
        ("title: 'Nausea: at home'\nurl: https://a.org/#b\n",
         {"title": "Nausea: at home", "url": "https://a.org/#b"}),
        ("tags: [a, b c]\nother: []\n", {"tags": ["a", "b c"], "other": []}),
        ("tags:\n- a\n- 'b: c'\nowner:\n", {"tags": ["a", "b: c"], "owner": ""}),
        ("tags:\n  - a\n  - b\n", {"tags": ["a", "b"]}),
        ('title: "जी मिचलाना"\n', {"title": "जी मिचलाना"}),
    ],
)  # fmt: skip
def test_the_fields_of_most_pages_need_no_parser(front_matter, fields):
    if fields is not None:
        assert read_plain_fields(front_matter) == fields
    assert SeedHandler().load(front_matter) == (fields or {"title": "It's plain"})


def test_very_long_lists_are_left_to_the_parser():
    assert read_plain_fields("tags:\n" + "- a\n" * 626) is None
    assert read_plain_fields(f"tags: [{', '.join('a' * 836)}]\n") is None
