"""Unreadable front matter is reported with its place and how to fix it."""

from __future__ import annotations

import pytest

from worker.domain.seeds import codes
from worker.domain.seeds.front_matter import MAX_DEPTH, MAX_ITEMS, FrontMatterError, SeedHandler

HANDLER = SeedHandler()


def refused(text: str) -> FrontMatterError:
    with pytest.raises(FrontMatterError) as caught:
        HANDLER.load(text)
    return caught.value


def not_split(text: str) -> FrontMatterError:
    with pytest.raises(FrontMatterError) as caught:
        HANDLER.split(text)
    return caught.value


def marked(text: str) -> str:
    """Return the part of the text that the error points at."""
    error = refused(text)
    return text[error.start : error.end]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("title: Nausea: what helps\n", "put a value that contains a colon in quotes"),
        ("title: @home\n", "put the value in quotes, and indent with spaces, not tabs"),
        ("title: 'Nausea\n", "add the missing closing quote"),
        ("title: x\nstatus\nsource: y\n", "write a field as `name: value`, with the colon"),
        ("tags: [nausea, pain\n", "add the missing closing bracket of the list"),
        ("tags: {nausea: pain\n", "add the missing closing brace"),
        (
            "title: 'one' two\n",
            "check the indentation, and put a value that contains quotes in quotes",
        ),
        ("title: x\n...\nmore: y\n", "remove the line `...`: front matter is one YAML document"),
        (
            'title: "C:\\work"\n',
            "inside double quotes, write a backslash twice, or use single quotes",
        ),
    ],
)
def test_each_way_to_break_yaml_has_a_hint_that_fixes_it(text, hint):
    error = refused(text)
    assert (error.code, error.hint) == (codes.YAML_SYNTAX, hint)
    assert str(error).startswith("the front matter is not valid YAML: ")
    assert 0 <= error.start < error.end <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("title: &a x\n", codes.YAML_ANCHOR, "&a x"),
        ("title: *a\n", codes.YAML_ALIAS, "*a"),
        ("title: !!str x\n", codes.YAML_TAG, "!!str x"),
        ("tags: [a, &b c]\n", codes.YAML_ANCHOR, "&b c"),
        ("tags: !x [a]\n", codes.YAML_TAG, "!x ["),
        ("a: {b: *c}\n", codes.YAML_ALIAS, "*c"),
        ("<<: x\n", codes.YAML_MERGE, "<<"),
        ("title: x\ntitle: y\n", codes.DUPLICATE_FIELD, "title"),
        ("a: {b: 1, b: 2}\n", codes.DUPLICATE_FIELD, "b"),
        ("'': x\n", codes.FIELD_NAME, "''"),
        ("? [a]\n: x\n", codes.FIELD_NAME, "["),
        ("? *a\n: x\n", codes.YAML_ALIAS, "*a"),
        ('title: "a\\e[2J"\n', codes.CONTROL_CHARACTER, '"a\\e[2J"'),
        ('"a\\x07": x\n', codes.CONTROL_CHARACTER, '"a\\x07"'),
        ("title: a\x07b\n", codes.CONTROL_CHARACTER, "\x07"),
        ("- a\n", codes.NOT_FIELDS, ""),
        ("just text\n", codes.NOT_FIELDS, "just text"),
    ],
)
def test_a_refusal_points_at_its_place(text, code, part):
    assert refused(text).code == code
    assert marked(text) == part


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "the front matter is a list, not fields"),
        ("text\n", "the front matter is plain text, not fields"),
        ("# a remark\n", "the front matter has no fields"),
        ("a: x\n--- \nb: y\n", "the front matter contains more than one YAML document"),
        ("a: x\nb: y\na: z\n", "the field `a` appears twice, first in line 2"),
        ("b: y\na: x\na: z\n", "the field `a` appears twice, first in line 3"),
        (
            f"{'x' * 61}: 1\n{'x' * 61}: 2\n",
            f"the field `{'x' * 59}…` appears twice, first in line 2",
        ),
        (
            f"{'x' * 60}: 1\n{'x' * 60}: 2\n",
            f"the field `{'x' * 60}` appears twice, first in line 2",
        ),
        ("title: a\x1bb\n", "the front matter contains the control character U+001B"),
    ],
)
def test_the_message_shows_what_was_found(text, message):
    assert str(refused(text)) == message


@pytest.mark.parametrize("written", ["'<<': x\n", '"<<": x\n'])
def test_a_merge_key_in_quotes_is_a_name(written):
    assert HANDLER.load(written) == {"<<": "x"}


def test_double_quotes_may_hold_tabs_line_ends_and_next_lines():
    assert HANDLER.load('a: "x\\t\\n\\Ny"\n') == {"a": "x\t\n\x85y"}


def test_lists_and_nesting_are_taken_up_to_their_limits():
    assert len(HANDLER.load(f"tags: [{'x,' * MAX_ITEMS}]\n")["tags"]) == MAX_ITEMS
    error = refused(f"tags: [{'x,' * (MAX_ITEMS + 1)}]\n")
    assert (error.code, str(error)) == (
        codes.FRONT_MATTER_TOO_LARGE,
        "a list has more than 1,000 items",
    )
    # The fields themselves are the first level.
    deep = MAX_DEPTH - 1
    HANDLER.load(f"a: {'[' * deep}{']' * deep}\n")
    HANDLER.load(f"a: {'{b: ' * deep}x{'}' * deep}\n")
    assert refused(f"a: {'[' * (deep + 1)}{']' * (deep + 1)}\n").code == codes.TOO_DEEP
    assert refused(f"a: {'{b: ' * (deep + 1)}x{'}' * (deep + 1)}\n").code == codes.TOO_DEEP


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n---\na: x\n---\n", "the first line is blank"),
        ("----\na: x\n----\n", "the first line is not `---`"),
        ("\u2014\u2014\na: x\n", "the first line is not `---`"),
        ("-\na: x\n", "the file has no front matter"),
        ("# Nausea\n", "the file has no front matter"),
    ],
)
def test_a_text_without_an_opening_fence_is_refused_with_a_reason(text, message):
    error = not_split(text)
    assert (error.code, str(error)) == (codes.NO_FRONT_MATTER, message)
    assert (error.start, error.end) == (0, 0)
    assert not HANDLER.detect(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("---\n---\n", ("", "")),
        ("---\n---", ("", "")),
        ("---\na: x\n---\nbody\n", ("a: x\n", "body\n")),
        ("--- \t\r\na: x\r\n---  \r\nbody", ("a: x\r", "body")),
        ("---\ra: x\r---\rbody", ("a: x\r", "body")),
        ("---\na: x\n---\n---\n", ("a: x\n", "---\n")),
    ],
)
def test_front_matter_is_between_the_fences_and_the_body_after_them(text, parts):
    assert HANDLER.detect(text)
    front_matter, body = HANDLER.split(text)
    assert (front_matter.removesuffix("\n"), body) == (parts[0].removesuffix("\n"), parts[1])


def test_an_unclosed_fence_is_reported_at_its_place():
    error = not_split("---\na: x\n")
    assert (error.code, error.start, error.end) == (codes.UNCLOSED_FRONT_MATTER, 0, 3)


def test_too_large_front_matter_is_refused_with_the_limit():
    error = not_split(f"---\na: {'x' * 70_000}\n---\n")
    assert (error.code, str(error)) == (
        codes.FRONT_MATTER_TOO_LARGE,
        "the front matter is larger than 64 KiB",
    )
