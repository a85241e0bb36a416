"""Rules that need many files: a shared address, body or review date."""

import pytest

from worker.domain.rules.library_rules import MANY_FILES, LibraryEntry, check_library
from worker.domain.rules.rules import compile_rules
from worker.domain.seeds import codes
from worker.domain.seeds.problem import Severity
from worker.domain.seeds.seed import Fields


def an_entry(path, *, body="", **metadata):
    text = "".join(f"{name}: {value}\n" for name, value in metadata.items())
    return LibraryEntry(
        path=path,
        metadata=metadata,
        body_sha256=body or path,
        front_matter=text,
        body_line=len(metadata) + 3,
    )


def many(number, day="2025-12-30", start=0):
    return [an_entry(f"{n:04}.md", lastReviewed=day) for n in range(start, start + number)]


def test_files_that_share_nothing_are_valid(rules):
    entries = [an_entry("a.md", url="https://a.org/1"), an_entry("b.md", url="https://a.org/2")]
    assert check_library([*entries, an_entry("c.md"), an_entry("d.md")], rules) == {}


def test_a_shared_address_is_reported_at_each_document(rules):
    entries = [an_entry(f"{n}.md", title="x", url="https://a.org/1") for n in range(5)]
    reported = check_library(entries, rules)
    assert set(reported) == {f"{n}.md" for n in range(5)}
    [problem] = reported["1.md"]
    assert (problem.code, problem.severity) == (codes.SAME_URL, Severity.WARNING)
    assert (problem.span.line, problem.span.column, problem.span.end_column) == (3, 6, 21)
    assert problem.message.endswith("0.md, 2.md, 3.md and 1 more")


def test_a_shared_body_is_reported_at_each_document(rules):
    reported = check_library([an_entry("a.md", body="s"), an_entry("b.md", body="s")], rules)
    assert [p.code for problems in reported.values() for p in problems] == [codes.SAME_BODY] * 2
    assert reported["a.md"][0].message.endswith("b.md")
    assert reported["a.md"][0].span.line == 3


@pytest.mark.parametrize(
    ("same", "others", "suspicious"),
    [
        (MANY_FILES + 1, 0, True),
        (MANY_FILES + 1, MANY_FILES, True),
        (MANY_FILES + 1, MANY_FILES + 1, False),
        (MANY_FILES, 0, False),
    ],
)
def test_a_date_on_most_of_many_files_is_reported_once(rules, same, others, suspicious):
    rest = [an_entry(f"x{n}.md", lastReviewed=f"20{n % 90 + 10}-01-01") for n in range(others)]
    reported = check_library([*many(same), *rest], rules)
    found = [(path, p.code) for path, problems in reported.items() for p in problems]
    assert found == ([("0000.md", codes.SAME_REVIEW_DATE)] if suspicious else [])


def test_a_team_decides_how_severe_a_shared_address_is(schema):
    entries = [an_entry("a.md", body="s"), an_entry("b.md", body="s")]
    for severity in (Severity.ERROR, None):
        rules = compile_rules(schema, Fields(), {codes.SAME_BODY: severity})
        reported = check_library(entries, rules)
        assert [p.severity for problems in reported.values() for p in problems] == (
            [severity] * 2 if severity else []
        )


def test_a_renamed_address_field_is_compared(schema):
    rules = compile_rules(schema, Fields(url="source_url"))
    entries = [an_entry(f"{n}.md", source_url="https://a.org/1") for n in range(2)]
    assert len(check_library(entries, rules)) == 2


@pytest.mark.parametrize(
    ("number", "others"),
    [
        (2, "1.md"),
        (4, "1.md, 2.md, 3.md"),
        (5, "1.md, 2.md, 3.md and 1 more"),
        (1205, "1.md, 2.md, 3.md and 1,201 more"),
    ],
)
def test_at_most_three_other_documents_are_named(rules, number, others):
    reported = check_library([an_entry(f"{n}.md", body="s") for n in range(number)], rules)
    assert reported["0.md"][0].message == f"the body is the same as in {others}"


def test_an_address_is_compared_without_the_blanks_around_it(rules):
    entries = [an_entry("a.md", url="https://a.org"), an_entry("b.md", url=" https://a.org ")]
    assert set(check_library(entries, rules)) == {"a.md", "b.md"}
    empty = [an_entry("a.md", url=""), an_entry("b.md", url=""), an_entry("c.md", url=["x"])]
    assert check_library(empty, rules) == {}


def test_a_finding_without_front_matter_is_at_the_first_line(rules):
    entries = [
        LibraryEntry(path=path, metadata={"url": "https://a.org"}, body_sha256=path)
        for path in ("a.md", "b.md")
    ]
    [problem] = check_library(entries, rules)["a.md"]
    assert (problem.span.line, problem.span.column) == (1, 1)


def test_a_date_of_many_files_is_reported_at_the_date(rules):
    [problem] = check_library(many(1_201), rules)["0000.md"]
    assert problem.message == "1,201 of 1,201 files have the review date 2025-12-30"
    assert (problem.span.line, problem.span.column, problem.span.end_column) == (2, 15, 25)


def test_fifty_files_of_one_date_are_not_yet_suspicious(rules):
    assert check_library(many(50), rules) == {}
    assert set(check_library(many(51), rules)) == {"0000.md"}


def test_a_shared_body_is_reported_at_its_first_line(rules):
    [problem] = check_library([an_entry("a.md", body="s"), an_entry("b.md", body="s")], rules)[
        "a.md"
    ]
    span = problem.span
    assert (span.line, span.column, span.end_line, span.end_column) == (3, 1, 3, 1)
