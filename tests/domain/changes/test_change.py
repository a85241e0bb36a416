"""What changed between two contents, and the class of the change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.change import compare, hunks
from worker.domain.changes.change_record import ChangeClass, first_change
from worker.domain.changes.risk import Risk

REVIEW_FIELDS = frozenset({"lastReviewed", "reviewerName", "reviewStatus"})
OLD = {"title": "Bones", "status": "active", "lastReviewed": "2025-12-30"}
BODY = "# Bones\n\nA picture is taken.\n"

texts = st.text(alphabet="ab \n\té", max_size=60)
metadata = st.dictionaries(st.sampled_from(["title", "status", "tags"]), st.text(max_size=3))


def change(new: dict, body: str = BODY):
    return compare(OLD, BODY, new, body, review_fields=REVIEW_FIELDS)


@pytest.mark.parametrize(
    ("new", "body", "kind"),
    [
        (OLD, BODY + "One more line.\n", ChangeClass.CONTENT),
        (OLD | {"title": "New"}, BODY + "One more line.\n", ChangeClass.CONTENT),
        (OLD | {"status": "deprecated"}, BODY, ChangeClass.METADATA),
        (OLD | {"status": "deprecated"}, BODY + "\n", ChangeClass.METADATA),
        (OLD | {"lastReviewed": "2026-11-24"}, BODY, ChangeClass.REVIEW),
        (OLD | {"reviewerName": "Dr. Rao"}, BODY, ChangeClass.REVIEW),
        (OLD | {"lastReviewed": "2026-11-24", "title": "New"}, BODY, ChangeClass.METADATA),
        (OLD, BODY.replace("\n\n", "\n\n\n"), ChangeClass.COSMETIC),
        (OLD, BODY.rstrip("\n"), ChangeClass.COSMETIC),
    ],
)
def test_a_change_has_the_class_of_its_most_important_part(new, body, kind):
    assert change(new, body).kind is kind


def test_equal_contents_are_not_a_change():
    assert change(dict(OLD)) is None


def test_fields_have_old_and_new_values_and_mark_absent_ones():
    new = {"title": "New", "status": "active", "owner": "Asha"}
    assert change(new).fields_json() == [
        {"field": "lastReviewed", "old": "2025-12-30", "new": None},
        {"field": "owner", "old": None, "new": "Asha"},
        {"field": "title", "old": "Bones", "new": "New"},
    ]


def test_changed_lines_are_counted():
    changed = change(OLD, "# Bones\n\nTwo pictures\nare taken.\n")
    assert (changed.lines_added, changed.lines_removed) == (2, 1)
    assert first_change(BODY).lines_added == 3


@pytest.mark.parametrize(
    ("body", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n", 1), ("a\n\n", 2)]
)
def test_the_lines_of_a_first_version_are_counted_with_an_unended_last_one(body, lines):
    first = first_change(body)
    assert (first.kind, first.lines_added, first.lines_removed) == ("content", lines, 0)


def test_classes_and_risks_are_words_of_the_store():
    assert [str(kind) for kind in ChangeClass] == ["content", "metadata", "review", "cosmetic"]
    assert [str(risk) for risk in Risk] == ["high", "medium", "low"]


def test_hunks_show_the_lines_around():
    old = "".join(f"{n}\n" for n in range(1, 21))
    (hunk,) = hunks(old, old.replace("10\n", "ten\n"))
    assert (hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines) == (7, 7, 7, 7)
    assert ("-", "10") in hunk.lines
    assert ("+", "ten") in hunk.lines
    assert (" ", "7") in hunk.lines


@given(metadata, texts, metadata, texts)
def test_a_change_exists_exactly_where_contents_differ(old, old_body, new, new_body):
    found = compare(old, old_body, new, new_body, review_fields=REVIEW_FIELDS)
    assert (found is None) == (old == new and old_body == new_body)


@given(texts, texts)
def test_the_lines_of_a_diff_rebuild_the_new_body(old: str, new: str):
    lines = old.split("\n")
    for hunk in reversed(hunks(old, new)):
        before = [text for origin, text in hunk.lines if origin != "+"]
        after = [text for origin, text in hunk.lines if origin != "-"]
        start = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        assert lines[start : start + len(before)] == before
        lines[start : start + len(before)] = after
    assert [line for line in lines if line] == [line for line in new.split("\n") if line]


@given(texts, texts)
def test_swapping_sides_swaps_the_counts(old: str, new: str):
    there = compare({}, old, {}, new, review_fields=REVIEW_FIELDS)
    back = compare({}, new, {}, old, review_fields=REVIEW_FIELDS)
    if there is None:
        assert back is None
    else:
        assert (there.lines_added, there.lines_removed) == (back.lines_removed, back.lines_added)
        assert there.kind is back.kind
