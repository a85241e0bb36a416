"""Fields are set in place, and no other byte changes."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.seeds.edit import NotSet, set_fields
from worker.domain.seeds.seed import parse_seed
from worker.domain.seeds.visible import UNSAFE

HEAD = """\
---
# what the page is
title: "When: you feel sick"   # in the words of readers
lastReviewed:   '2026-10-01'   # by Asha
reviewerName: Asha
owner: "asha@example.org"
tags: [ nausea,  'side-effects' ]
---

# When you feel sick   \n
lastReviewed: 2025-01-01 stands in the text and stays.
"""

CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(" \t\n:#'\"\\,-")
TEXTS = st.text(CHARACTERS, max_size=40)
NAMES = TEXTS.filter(lambda text: text.strip() and not UNSAFE.search(text))


def one_change(data, old, new, **values):
    """Set fields of a text; only the one replacement may be seen."""
    assert data.count(old) == 1
    after = set_fields(data.encode(), values)
    assert not isinstance(after, NotSet), after.reason
    assert after.decode() == data.replace(old, new)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_values_change_between_their_quotes_and_nothing_else(mark, line_end):
    data = mark + HEAD.replace("\n", line_end)
    after = set_fields(
        data.encode(),
        {"lastReviewed": "2026-11-24", "reviewerName": "Dr. Meera", "owner": 'Me "M" ra'},
    )
    assert after.decode() == (
        data.replace("'2026-10-01'", "'2026-11-24'")
        .replace("reviewerName: Asha", "reviewerName: Dr. Meera")
        .replace('"asha@example.org"', r'"Me \"M\" ra"')
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_missing_field_is_added_before_the_closing_fence(line_end):
    data = HEAD.replace("\n", line_end)
    last = f"tags: [ nausea,  'side-effects' ]{line_end}"
    one_change(data, last, f"{last}reviewedBy: Asha Rao{line_end}", reviewedBy="Asha Rao")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("owner: Asha", "owner: Meera"),
        ("owner: Asha # on leave", "owner: Meera # on leave"),
        ("owner:", "owner: Meera"),
        ("owner:   # nobody", "owner: Meera   # nobody"),
        ("owner: ''", "owner: 'Meera'"),
        ('"owner" : "" ', '"owner" : "Meera" '),
        ("owner: Asha\n  Rao", "owner: Meera"),
        ("owner: |-\n  Asha", "owner: Meera"),
        ("owner: >+ # who answers\n  Asha\n\n  Rao\n", "owner: Meera # who answers\n"),
        ("owner: Asha\u00a0", "owner: Meera"),
        ("? owner\n: Asha", "? owner\n: Meera"),
        ("owner:\tAsha\t", "owner:\tMeera\t"),
    ],
)
def test_every_form_of_a_value_can_be_changed(line, expected):
    one_change(f"---\na: 1\n{line}\nz: 2\n---\nx\n", line, expected, owner="Meera")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{title: x}", "{title: x, owner: Meera}"),
        ("{title: x,}", "{title: x, owner: Meera,}"),
        ("{ }", "{owner: Meera }"),
        ("{title: [a, b] # last\n}", "{title: [a, b], owner: Meera # last\n}"),
        ("{owner: Asha, title: x}", "{owner: Meera, title: x}"),
        ("{owner, title: x}", "{owner: Meera, title: x}"),
        ('{"title": "x"}', '{"title": "x", "owner": "Meera"}'),
        (
            "  title: x\n  notes: |\n    one\n\n",
            "  title: x\n  notes: |\n    one\n\n  owner: Meera",
        ),
        ("title: x\n# the end", "title: x\n# the end\nowner: Meera"),
    ],
)
def test_every_form_of_front_matter_can_be_edited(line, expected):
    if expected.endswith("  owner: Meera"):
        line, expected = line.rstrip("\n") + "\n", expected.replace("\n\n", "\n")
        one_change(f"---\n{line}---\nx\n", line, f"{expected}\n", owner="Meera")
    else:
        one_change(f"---\n{line}\n---\nx\n", line, expected, owner="Meera")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Asha Rao", "Asha Rao"),
        ("O'Brien", "O'Brien"),
        ("asha@example.org", "asha@example.org"),
        ("आशा", "आशा"),
        ("@asha", "'@asha'"),
        ("ward: 4", "'ward: 4'"),
        ("ward #4", "'ward #4'"),
        ("'t Hooft", "'''t Hooft'"),
        ("2026-11-24", "'2026-11-24'"),
        ("no", "'no'"),
        ("True", "'True'"),
        ("null", "'null'"),
        ("1:30", "'1:30'"),
        ("- Asha", "'- Asha'"),
        ("---", "'---'"),
        ("Rao, Asha", "'Rao, Asha'"),
        ("back\\slash", "'back\\slash'"),
    ],
)
def test_a_value_gets_quotes_where_some_reader_of_yaml_needs_them(value, written):
    one_change("---\na: 1\n---\nx\n", "a: 1\n", f"a: 1\nowner: {written}\n", owner=value)


def test_a_date_without_quotes_gets_quotes():
    before = "---\nlastReviewed: 2026-10-01\n---\nx\n"
    one_change(before, "2026-10-01", "'2026-11-24'", lastReviewed="2026-11-24")


def test_a_value_that_already_reads_as_intended_stays():
    data = b"---\nlastReviewed: 2026-10-01 \nowner: Asha\n---\nx"
    assert set_fields(data, {"lastReviewed": "2026-10-01", "owner": "Asha"}) == data


@pytest.mark.parametrize(
    ("data", "value", "line", "reason"),
    [
        ("no fence", "Meera", 1, "no front matter"),
        ("---\na: 1\nowner: [\n---\nx\n", "Meera", 4, "not valid YAML"),
        ("---\na: 1\nowner:\n- Asha\n---\nx\n", "Meera", 3, "is a list"),
        ("---\nowner: Asha\n---\nx\n", " ", 1, "one line of text"),
        ("---\nowner: Asha\n---\nx\n", "Me\nera", 1, "one line of text"),
        ("---\nowner: Asha\n---\nx\n", "Me\x1b[31mera", 1, "one line of text"),
        ("---\n? owner\n? b\n---\nx\n", "Meera", 1, "of this form: edit the file"),
        ("---\na: 1\n...\n---\nx\n", "Meera", 1, "of this form: edit the file"),
    ],
)
def test_a_value_that_cannot_be_set_gives_a_reason(data, value, line, reason):
    refused = set_fields(data.encode(), {"owner": value})
    assert isinstance(refused, NotSet)
    assert reason in refused.reason
    assert refused.line == line


@given(
    metadata=st.dictionaries(
        st.sampled_from(["owner", "lastReviewed", "a", "b: c", "reviewerName"]),
        st.one_of(TEXTS, st.lists(TEXTS, max_size=3)),
        min_size=1,
    ),
    owner=NAMES,
    width=st.sampled_from([10, 80]),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    flow=st.booleans(),
    as_json=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    body=TEXTS,
)
def test_only_the_named_fields_change(metadata, owner, width, style, flow, as_json, line_end, body):
    written = (
        json.dumps(metadata, ensure_ascii=False) + "\n"
        if as_json
        else yaml.safe_dump(
            metadata,
            width=width,
            default_style=style,
            default_flow_style=flow,
            allow_unicode=True,
            sort_keys=False,
        )
    )
    data = f"---\n{written}---\n{body}".replace("\n", line_end).encode()
    before = parse_seed(data)
    values = {"owner": owner, "lastReviewed": "2026-11-24"}
    after = set_fields(data, values)
    if isinstance(before, tuple) or isinstance(after, NotSet):
        lists = not isinstance(before, tuple) and any(
            isinstance(before.metadata.get(name), list) for name in values
        )
        # U+FFFE and U+FFFF are no characters of YAML.
        assert isinstance(before, tuple) or lists or "\ufffe" in owner or "\uffff" in owner
        return
    read = parse_seed(after)
    assert read.metadata == {**before.metadata, **values}
    assert list(read.metadata)[: len(before.metadata)] == list(before.metadata)
    assert after.endswith(before.body.replace("\n", line_end).encode()) or "\r" in body
    assert set_fields(after, values) == after, "twice is once"
