"""Rules that need the previous version: earlier reviews, lower labels, bodies that shrink."""

from dataclasses import replace

import pytest

from worker.domain.rules.context import LEAST_CHARACTERS, check_against
from worker.domain.rules.rules import compile_rules
from worker.domain.seeds import codes
from worker.domain.seeds.problem import Severity, Span
from worker.domain.seeds.seed import Fields, Seed, parse_seed

LONG = "Tell your team when it began. " * 40


def a_version(*, body=LONG, **fields):
    given = {"title": "a", "version": "v2", "status": "active", "lastReviewed": "2026-01-15"}
    lines = [f"{name}: {text}\n" for name, text in {**given, **fields}.items() if text]
    seed = parse_seed(f"---\n{''.join(lines)}---\n\n{body}\n".encode())
    assert isinstance(seed, Seed)
    return seed


def against(before, now, rules):
    return check_against(before.metadata, before.body, now, rules)


def reported(before, now, rules):
    return [(problem.code, problem.severity) for problem in against(before, now, rules)]


def test_an_equal_or_later_version_is_valid(rules):
    before = a_version()
    assert reported(before, a_version(), rules) == []
    later = a_version(version="v3", lastReviewed="2026-02-01", body=LONG + "More.")
    assert reported(before, later, rules) == []


def test_a_review_date_before_the_previous_one_is_a_warning_at_the_date(rules):
    [problem] = against(a_version(), a_version(lastReviewed="2025-12-31"), rules)
    assert (problem.code, problem.severity) == (codes.EARLIER_REVIEW, Severity.WARNING)
    assert (problem.span.line, problem.span.column, problem.span.end_column) == (5, 15, 25)


@pytest.mark.parametrize("reviewed", ["", "2026-01-15", "soon"])
def test_a_missing_or_equal_review_date_is_not_an_earlier_one(rules, reviewed):
    assert reported(a_version(), a_version(lastReviewed=reviewed), rules) == []


@pytest.mark.parametrize(
    ("before", "now", "back"),
    [
        ("v2", "v1", True),
        ("v10", "v9", True),
        ("v2.1", "v2", True),
        ("v2.10", "v2.9", True),
        ("v2", "v2.0", False),
        ("v2", "v2.0.0", False),
        ("v1", "v0", True),
        ("v1", "v0.0", True),
        ("v9", "v10", False),
        ("v2", "v2.0.1", False),
        ("draft", "v1", False),
        ("2026-01", "2025-12", False),
    ],
)
def test_labels_are_compared_as_numbers(rules, before, now, back):
    codes_found = [
        code for code, _ in reported(a_version(version=before), a_version(version=now), rules)
    ]
    assert codes_found == ([codes.EARLIER_LABEL] if back else [])


def test_a_new_body_under_the_same_label_is_a_warning(rules):
    now = a_version(body=LONG + "More.")
    assert reported(a_version(), now, rules) == [(codes.SAME_LABEL, Severity.WARNING)]


def test_a_body_that_shrank_is_reported_at_its_first_line_that_is_not_blank(rules):
    problems = against(a_version(), a_version(body="\n  \n  Little is left."), rules)
    span = next(problem for problem in problems if problem.code == codes.BODY_SHRANK).span
    assert (span.line, span.column, span.end_line, span.end_column) == (10, 1, 10, 18)


def test_white_space_alone_is_not_a_new_body(rules):
    assert reported(a_version(), a_version(body=LONG.replace(". ", ".\n")), rules) == []


def test_a_body_that_lost_more_than_half_is_refused_at_its_beginning(rules):
    problems = against(a_version(), a_version(body=LONG[: len(LONG) // 2 - 9]), rules)
    shrank = next(problem for problem in problems if problem.code == codes.BODY_SHRANK)
    assert shrank.severity is Severity.ERROR
    assert shrank.span.line == 8
    assert "body-shrank" in shrank.hint


def test_a_body_that_lost_half_is_valid(rules):
    kept = LONG[: len(LONG) // 2 + 1]
    assert codes.BODY_SHRANK not in dict(reported(a_version(), a_version(body=kept), rules))


def test_a_short_body_may_shrink(rules):
    before = a_version(body="x" * (LEAST_CHARACTERS - 1))
    assert codes.BODY_SHRANK not in dict(reported(before, a_version(body="x"), rules))
    before = a_version(body="x" * LEAST_CHARACTERS)
    assert codes.BODY_SHRANK in dict(reported(before, a_version(body="x"), rules))


@pytest.mark.parametrize("fields", [{"version": "v3"}, {"status": "deprecated"}])
def test_an_intended_cut_and_a_retraction_are_only_a_warning(rules, fields):
    found = dict(reported(a_version(), a_version(body="Withdrawn.", **fields), rules))
    assert found[codes.BODY_SHRANK] is Severity.WARNING


def test_a_team_decides_how_severe_a_cut_is(schema):
    for severity in (Severity.WARNING, Severity.INFO, None):
        own = compile_rules(schema, Fields(), {codes.BODY_SHRANK: severity, codes.SAME_LABEL: None})
        found = reported(a_version(), a_version(body="Short."), own)
        assert found == ([(codes.BODY_SHRANK, severity)] if severity else [])


def test_renamed_fields_are_compared(schema):
    own = Fields(last_reviewed="checked")
    schema = {**schema, "properties": {**schema["properties"], "checked": {"type": "string"}}}
    rules = compile_rules(schema, own)
    seeds = [a_version(checked=day) for day in ("2026-01-15", "2026-01-14")]
    assert reported(*seeds, rules) == [(codes.EARLIER_REVIEW, Severity.WARNING)]


def test_a_removed_field_is_reported_at_the_fence(rules):
    now = replace(a_version(), front_matter="other: x\n")
    [problem] = check_against({"version": "v3"}, now.body, now, rules)
    assert problem.span.line == now.body_line - 1


@pytest.mark.parametrize(
    ("kept", "shrank"), [(LEAST_CHARACTERS // 2 - 1, True), (LEAST_CHARACTERS // 2, False)]
)
def test_a_body_that_keeps_half_of_its_characters_did_not_shrink(rules, kept, shrank):
    before = a_version(body="x" * LEAST_CHARACTERS)
    found = dict(reported(before, a_version(body="x" * kept), rules))
    assert (codes.BODY_SHRANK in found) is shrank


def test_white_space_around_a_body_is_not_measured(rules):
    before = a_version(body="x" * LEAST_CHARACTERS + "\n" * 2_000)
    assert reported(before, a_version(body="x" * LEAST_CHARACTERS), rules) == []


def test_a_lower_label_is_reported_at_the_label(rules):
    [problem] = against(a_version(version="v3"), a_version(version=" v2"), rules)
    assert (problem.span.line, problem.span.column, problem.span.end_column) == (3, 11, 13)
    assert problem.message == "`version` goes back from v3 to v2"


def test_an_empty_body_is_reported_at_the_fence(rules):
    now = replace(a_version(), body="\n \n")
    shrank = [p for p in against(a_version(), now, rules) if p.code == codes.BODY_SHRANK]
    assert [p.span for p in shrank] == [Span(line=6, column=1, end_line=6, end_column=4)]


def test_the_hint_of_a_cut_names_the_label_to_change(rules):
    found = against(a_version(), a_version(body="Cut."), rules)
    [shrank] = [p for p in found if p.code == codes.BODY_SHRANK]
    assert "change `version: v2`" in shrank.hint
    assert (shrank.span.line, shrank.span.end_column) == (8, 5)
