"""Every rule is documented, and a team sets every severity except of rules that protect the store."""

from datetime import date

import pytest

from worker.domain.rules.rule_book import RULE_BOOK, Entry
from worker.domain.rules.rules import compile_rules, examine
from worker.domain.seeds import codes
from worker.domain.seeds.codes import CODES, OFF_BY_DEFAULT, PROTECTED, code_of
from worker.domain.seeds.problem import Severity
from worker.domain.seeds.seed import Fields

VALID = """\
---
title: When you feel sick
version: v1
status: active
source: SCCF
lastReviewed: 2026-10-01
reviewFrequency: quarterly
---

# When you feel sick
"""


def examined(schema, text, severities):
    rules = compile_rules(schema, Fields(), severities)
    return examine(text.encode(), rules=rules, today=date(2026, 11, 24), max_bytes=10**6)


def test_every_code_is_in_the_book_with_a_reason_and_two_examples():
    assert set(RULE_BOOK) == set(CODES)
    for code, entry in RULE_BOOK.items():
        assert len(entry.why) > 20, code
        assert entry.wrong != entry.right, code
        assert len(entry.summary) < 120, code


@pytest.mark.parametrize("name", ["CS032", "cs032", "value-not-allowed", "VALUE_NOT_ALLOWED"])
def test_a_rule_is_known_by_its_code_and_its_name(name):
    assert code_of(name) == codes.NOT_ALLOWED


@pytest.mark.parametrize("name", ["", "CS999", "value", "CS"])
def test_anything_else_is_not_a_rule(name):
    assert code_of(name) is None


def test_rules_that_prevent_reading_a_document_are_protected():
    assert {codes.TOO_LARGE, codes.YAML_ALIAS, codes.CONTROL_CHARACTER} <= PROTECTED
    assert not {codes.YAML_TRAP, codes.MISSING_FIELD, codes.BODY_SHRANK} & PROTECTED


def test_a_rule_made_a_warning_publishes_and_one_made_an_error_refuses(schema):
    text = VALID.replace("status: active", "status: actve")
    assert examined(schema, text, {}).facts is None
    weak = examined(schema, text, {codes.NOT_ALLOWED: Severity.WARNING})
    assert weak.facts is not None
    assert [p.severity for p in weak.problems] == [Severity.WARNING]
    strict = examined(schema, VALID.replace("SCCF", "no"), {codes.YAML_TRAP: Severity.ERROR})
    assert strict.facts is None


def test_a_rule_that_is_off_is_silent(schema):
    text = VALID.replace("source: SCCF", "source: SCCF\nextra: x")
    assert len(examined(schema, text, {}).problems) == 1
    assert examined(schema, text, {codes.UNKNOWN_FIELD: None}).problems == ()


@pytest.mark.parametrize("code", sorted(OFF_BY_DEFAULT))
def test_rules_that_most_pages_break_are_off_by_default(schema, code):
    assert examined(schema, VALID, {}).problems == ()
    result = examined(schema, VALID, {code: Severity.WARNING})
    assert [(p.code, p.severity) for p in result.problems] == [(code, Severity.WARNING)]
    assert result.facts is not None


def test_an_owner_or_a_reviewer_is_an_owner(schema):
    for field in ("owner", "reviewerName"):
        text = VALID.replace("source: SCCF", f"source: SCCF\n{field}: Asha")
        assert examined(schema, text, {codes.MISSING_OWNER: Severity.INFO}).problems == ()


@pytest.mark.parametrize("required", [None, "title version status"])
def test_a_schema_without_a_list_of_required_fields_is_refused_in_one_line(schema, required):
    with pytest.raises(ValueError, match="or no list `required`"):
        compile_rules({**schema, "required": required}, Fields())


def test_a_summary_is_the_first_sentence_without_its_full_stop():
    assert Entry("It is empty. Mostly by v1.2 of it.", "a", "b").summary == "It is empty"
    assert Entry("`v1.2` is no date.", "a", "b").summary == "`v1.2` is no date"
    assert Entry("X marks it.", "a", "b").summary == "X marks it"
    assert Entry("It is MAXX. Yes.", "a", "b").summary == "It is MAXX"
    assert RULE_BOOK[codes.FIELD_NAME].summary == "A field's name is empty or not plain text"
