"""Which document a new file continues: the most similar one with enough equal lines, and each only once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.changes.similarity import (
    LEAST_ALONE,
    LEAST_NAMED,
    Content,
    find_moves,
    similarity,
)

LINES = [f"Line {number} of the page says something of its own." for number in range(40)]
FIELDS = ("title", "url")


def page(path: str, lines: list[str], **metadata: object) -> Content:
    return Content(path=path, metadata=metadata, body="".join(f"{line}\n\n" for line in lines))


def edited(lines: list[str], number: int) -> list[str]:
    """Return the lines with so many of them written anew, spread over the page."""
    anew = {place * len(lines) // number for place in range(number)} if number else set()
    return [f"Anew {n}" if n in anew else line for n, line in enumerate(lines)]


def moves(new: list[Content], old: list[Content]) -> dict[str, str]:
    contents = {content.path: content for content in [*new, *old]}
    candidates = {content.path: [other.path for other in old] for content in new}
    found = find_moves(candidates, contents, identity_fields=FIELDS)
    return {path: match.source for path, match in found.items()}


def test_similarity_is_the_share_of_lines_that_both_have():
    old, new = page("a.md", LINES), page("b.md", edited(LINES, 4))
    assert similarity(old, new) == 0.9
    assert similarity(old, new, least=0.95) == 0.0
    assert similarity(old, page("b.md", LINES)) == 1.0


def test_blank_lines_do_not_make_pages_similar():
    other = [f"Quite another sentence, number {number}." for number in range(40)]
    assert similarity(page("a.md", LINES), page("b.md", other)) == 0.0


def test_two_empty_bodies_have_nothing_in_common():
    empty = Content(path="a.md", metadata={"title": "A"}, body="\n\n")
    assert similarity(empty, empty) == 0.0
    assert moves([Content(path="b.md", metadata={"title": "A"}, body="")], [empty]) == {}


def test_half_the_lines_are_enough_with_an_equal_title_address_or_name():
    half = edited(LINES, 20)
    old = page("old/a.md", LINES, title="A", url="https://example.org/a")
    assert moves([page("b.md", half, title="A")], [old]) == {"b.md": "old/a.md"}
    assert moves([page("b.md", half, url="https://example.org/a")], [old]) == {"b.md": "old/a.md"}
    assert moves([page("new/a.md", half, title="B")], [old]) == {"new/a.md": "old/a.md"}
    assert moves([page("b.md", half, title="B")], [old]) == {}
    assert moves([page("b.md", edited(LINES, 8), title="B")], [old]) == {"b.md": "old/a.md"}


def test_an_equal_title_and_address_are_never_enough():
    same = {"title": "A", "url": "https://example.org/a"}
    other = [f"Quite another sentence, number {number}." for number in range(40)]
    assert moves([page("new/a.md", other, **same)], [page("old/a.md", LINES, **same)]) == {}
    assert moves([page("new/a.md", edited(LINES, 21), **same)], [page("a.md", LINES, **same)]) == {}


def test_a_short_body_must_be_more_similar():
    old = page("old/a.md", LINES[:5], title="A")
    assert moves([page("new/a.md", edited(LINES[:5], 1), title="A")], [old]) == {
        "new/a.md": "old/a.md"
    }
    assert moves([page("new/a.md", edited(LINES[:5], 2), title="A")], [old]) == {}


def test_a_body_of_ten_lines_is_long_enough_for_its_title_to_count():
    old = page("old/a.md", LINES[:10], title="A")
    new = page("new/b.md", edited(LINES[:10], 4), title="A")
    assert moves([new], [old]) == {"new/b.md": "old/a.md"}
    old = page("old/a.md", LINES[:9], title="A")
    assert moves([page("new/b.md", edited(LINES[:9], 4), title="A")], [old]) == {}


def test_the_more_similar_of_two_files_takes_the_document():
    old = page("a.md", LINES, title="A")
    new = [page("b.md", edited(LINES, 6), title="A"), page("c.md", edited(LINES, 2), title="A")]
    assert moves(new, [old]) == {"c.md": "a.md"}


def test_the_other_file_takes_its_next_best_document():
    olds = [page("1.md", LINES, title="A"), page("2.md", edited(LINES, 10), title="A")]
    new = [page("b.md", edited(LINES, 6), title="A"), page("c.md", edited(LINES, 2), title="A")]
    assert moves(new, olds) == {"c.md": "1.md", "b.md": "2.md"}


def test_metadata_decide_between_equal_bodies():
    olds = [page("1.md", LINES, title="A", owner="x"), page("2.md", LINES, title="A", owner="y")]
    assert moves([page("b.md", LINES, title="A", owner="y")], olds) == {"b.md": "2.md"}
    olds = [page("1.md", LINES, title="A"), page("2.md", LINES, title="B")]
    assert moves([page("b.md", LINES, title="B")], olds) == {"b.md": "2.md"}


def test_metadata_on_one_side_only_counts_against_a_document():
    less, more = page("1.md", LINES, a=1), page("2.md", LINES, a=1, b=2, c=3)
    assert moves([page("new.md", LINES, a=1, b=2, c=9)], [less, more]) == {"new.md": "2.md"}
    less, more = page("1.md", LINES, a=1, b=2), page("2.md", LINES, a=1, b=2, c=3, d=4)
    assert moves([page("new.md", LINES, a=1, b=2)], [more, less]) == {"new.md": "1.md"}


def test_of_indistinguishable_documents_the_likeliest_continues():
    olds = [page("2.md", LINES), page("1.md", LINES)]
    assert moves([page("new.md", LINES)], olds) == {"new.md": "2.md"}


def test_of_equal_documents_the_one_with_the_same_file_name_continues():
    olds = [page(f"old/{n}.md", LINES, title="A") for n in range(12)]
    new = [page(f"new/{n}.md", LINES, title="A") for n in reversed(range(12))]
    assert moves(new, olds) == {f"new/{n}.md": f"old/{n}.md" for n in range(12)}


_contents = st.builds(
    Content,
    path=st.just(""),
    metadata=st.fixed_dictionaries({"title": st.sampled_from("AB")}),
    body=st.lists(st.sampled_from(LINES[:12]), max_size=16).map("\n".join),
)


@given(old=st.lists(_contents, max_size=5), new=st.lists(_contents, max_size=5))
def test_each_document_is_used_once_and_each_match_is_similar_enough(old, new):
    olds = [Content(path=f"old/{n}", metadata=t.metadata, body=t.body) for n, t in enumerate(old)]
    news = [Content(path=f"new/{n}", metadata=t.metadata, body=t.body) for n, t in enumerate(new)]
    contents = {content.path: content for content in [*olds, *news]}
    found = find_moves(
        {t.path: [o.path for o in olds] for t in news}, contents, identity_fields=FIELDS
    )
    sources = [match.source for match in found.values()]
    assert len(sources) == len(set(sources))
    for path, match in found.items():
        assert match.similarity >= LEAST_NAMED
        assert match.similarity == similarity(contents[match.source], contents[path])


@given(old=_contents, new=_contents)
def test_a_threshold_only_removes_matches(old, new):
    share = similarity(old, new)
    assert 0 <= share <= 1
    assert similarity(old, new, least=LEAST_ALONE) == (share if share >= LEAST_ALONE else 0)


def test_the_quick_count_never_drops_a_similar_document():
    old = page("a.md", LINES[:10])
    new = page("b.md", LINES[:5] + [f"Anew {n}" for n in range(5)])
    assert similarity(old, new, least=0.5) == 0.5
    # The same lines in another order share less than their count says.
    assert similarity(old, page("b.md", LINES[9::-1]), least=0.5) == 0.0
