"""The headings and fences of a body equal those of a full parse, at a fraction of its cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from worker.domain.changes.lines import compare_lines
from worker.domain.changes.outline import MOST_MARKS, Heading, read_outline, read_outlines

PARSER = MarkdownIt("commonmark")

LINES = [
    "",
    " ",
    "text",
    "  text",
    "    text",
    "# one",
    "## two ##",
    "#",
    "#no",
    " ## in one",
    "  # in two",
    "    # in four",
    "\t# tab",
    "####### seven",
    "===",
    "---",
    "-",
    "--- -",
    "- item",
    "- # in an item",
    "  - below",
    "1. first",
    "> quote",
    "> # in a quote",
    "```",
    "```python",
    "~~~~",
    "  ```",
    "- ```",
    "> ```",
    "<div>",
    "</div>",
    "<!-- said",
    "-->",
    "<pre>",
    "</pre>",
    "<?php",
    "<a href='x'>",
    "[label]: /target",
    "[label]: /target 'a title",
    "| a | b |",
]
bodies = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)


def headings_of_a_full_parse(body: str) -> list[tuple[int, int]]:
    return [
        (token.map[0], int(token.tag[1:]))
        for token in PARSER.parse(body)
        if token.type == "heading_open" and token.level == 0
    ]


@given(bodies)
def test_headings_equal_those_of_a_full_parse(body: str):
    found = [(heading.line, heading.level) for heading in read_outline(body).headings]
    assert found == headings_of_a_full_parse(body)


@given(bodies)
def test_fences_equal_those_of_a_full_parse(body: str):
    expected = [token.map for token in PARSER.parse(body) if token.type == "fence"]
    assert read_outline(body).fences == [tuple(span) for span in expected]


@pytest.mark.corpus
def test_headings_of_the_real_library_equal_those_of_a_full_parse(corpus: Path):
    pages = sorted(corpus.rglob("*.md"))[::20]
    assert pages
    for page in pages:
        body = page.read_text(encoding="utf-8")
        outline = read_outline(body)
        assert outline.complete
        found = [(heading.line, heading.level) for heading in outline.headings]
        assert found == headings_of_a_full_parse(body), page


def test_a_line_of_code_is_not_a_heading():
    outline = read_outline("# Use\n\n```sh\n# no heading\n```\n\n## After\n")
    assert [heading.title for heading in outline.headings] == ["Use", "After"]
    assert [line for line in range(7) if outline.in_fence(line)] == [2, 3, 4]


def test_a_title_is_the_text_that_a_reader_sees():
    heading = Heading(line=0, level=2, source="## The **dose** of [`X`](https://example.org) ##")
    assert heading.title == "The dose of X"
    assert Heading(line=0, level=1, source="Two\nlines\n===").title == "Two lines"
    assert Heading(line=0, level=1, source="#").title == ""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("# a\n" * (MOST_MARKS + 1), id="too many headings"),
        pytest.param("\n" * 300_000, id="too many lines"),
        pytest.param("```\n" + "# a\n" * 200_000, id="a fence that never ends"),
        pytest.param("word\n" * 50_000 + "===\n", id="a heading of too many lines"),
        pytest.param("[a\n" * 50_000 + "===\n", id="brackets"),
    ],
)
def test_a_body_beyond_the_limits_is_marked_as_partly_read(body: str):
    assert not read_outline(body).complete


def test_headings_beyond_the_limits_count_as_written():
    outline = read_outline("<!--\n" + "x\n" * 60_000 + "# a\n" * 3)
    assert [heading.source for heading in outline.headings] == ["# a"] * 3


few = st.lists(st.sampled_from(LINES), max_size=3)
#: What both bodies have, what only the old one has, what only the new one: one after another.
stretches = st.lists(st.tuples(few, few, few), min_size=1, max_size=4)


@given(stretches)
@settings(max_examples=300)
def test_two_outlines_read_together_equal_those_read_alone(parts):
    old = "\n".join(line for both, some, _ in parts for line in (*both, *some))
    new = "\n".join(line for both, _, others in parts for line in (*both, *others))
    both = read_outlines(old, new, compare_lines(old, new).edits)
    assert both == (read_outline(old), read_outline(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text\n===\n\n# a\n", "\n===\n\n# a\n"),
        ("\n===\n\n# a\n", "text\n===\n\n# a\n"),
        ("one\n\n# a\n\n```\n# b\n```\n", "one\ntwo\n\n# a\n\n```\n# b\n```\n"),
        ("```\n# a\n\n# b\n", "# a\n\n# b\n"),
    ],
)
def test_text_after_an_edit_is_read_in_its_new_context(old: str, new: str):
    both = read_outlines(old, new, compare_lines(old, new).edits)
    assert both == (read_outline(old), read_outline(new))


def test_outlines_beyond_the_limits_equal_those_read_alone_too():
    old = "# a\n" * MOST_MARKS + "# b\n"
    new = old.replace("# b", "# c")
    both = read_outlines(old, new, compare_lines(old, new).edits)
    assert both == (read_outline(old), read_outline(new))


WORDS = st.text(st.sampled_from("ab1é ,.;:()'\"?/%–’-_*`[]<>&!#\\~"), min_size=1, max_size=20)


@given(st.integers(1, 6), WORDS)
def test_the_title_of_a_heading_is_the_one_that_markdown_reads(level, words):
    source = f"{'#' * level} {words}\n"
    tokens = MarkdownIt("commonmark").parse(source)
    inline = next(token for token in tokens if token.type == "inline")
    read = "".join(child.content or " " for child in inline.children or ())
    if tokens[0].type == "heading_open":
        assert Heading(line=0, level=level, source=source).title == " ".join(read.split())


def test_a_line_belongs_to_the_section_of_the_heading_above_it():
    outline = read_outline("before\n\n# One\n\ntext\n\n## Two\ntext\n")
    assert [outline.section(line) for line in range(8)] == [-1, -1, 0, 0, 0, 0, 1, 1]


def test_a_body_without_headings_and_fences_has_an_empty_outline():
    outline = read_outline("text\n")
    assert (outline.headings, outline.fences, outline.complete) == ([], [], True)
    assert outline.section(0) == -1
    assert not outline.in_fence(0)


def test_several_fences_are_distinguished():
    outline = read_outline("```\na\n```\ntext\n~~~\nb\n~~~\ntext\n")
    assert [line for line in range(8) if outline.in_fence(line)] == [0, 1, 2, 4, 5, 6]


def test_a_heading_has_its_level_and_its_lines_as_written():
    outline = read_outline("# Schön ##\n\nTwo\nlines\n---\n\n   ### Three\n")
    assert outline.headings == [
        Heading(line=0, level=1, source="# Schön ##"),
        Heading(line=2, level=2, source="Two\nlines\n---"),
        Heading(line=6, level=3, source="   ### Three"),
    ]


def test_a_title_has_two_hundred_characters_at_most():
    assert Heading(line=0, level=1, source="# " + "x" * 201).title == "x" * 200


def test_a_heading_below_much_doubtful_text_is_found():
    far = "<b>x</b>\n\n" * 1000
    outline = read_outline(f"# One\n\n{far}# Two\n\n```\n# no\n```\n\n# Three\n")
    assert [heading.title for heading in outline.headings] == ["One", "Two", "Three"]
    assert [heading.line for heading in outline.headings] == [0, 2002, 2008]
    assert outline.complete
