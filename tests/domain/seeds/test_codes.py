"""The codes of the rules never change, because settings, reports and baselines of teams contain them."""

from __future__ import annotations

import pytest

from worker.domain.seeds import codes
from worker.domain.seeds.codes import CODES, OFF_BY_DEFAULT, PROTECTED, code_of, found
from worker.domain.seeds.problem import Severity, Span

#: Append to it. A code or a rule's name that was released is never changed, nor given again.
RELEASED = """
CS001 file-too-large error
CS002 no-permission error
CS003 unreadable error
CS004 empty-file error
CS005 not-utf8 error
CS006 nul-byte error
CS007 given-up error
CS008 not-storable error
CS010 no-front-matter error
CS011 unclosed-front-matter error
CS012 front-matter-too-large error
CS013 yaml-syntax error
CS014 front-matter-not-fields error
CS015 front-matter-too-deep error
CS016 yaml-anchor error
CS017 yaml-alias error
CS018 yaml-merge error
CS019 yaml-tag error
CS020 duplicate-field error
CS021 field-name error
CS022 control-character error
CS023 yaml-trap warning
CS030 missing-field error
CS031 wrong-type error
CS032 value-not-allowed error
CS033 wrong-form error
CS034 schema error
CS035 not-a-date error
CS036 date-in-future error
CS037 review-frequency error
CS038 no-review-date warning
CS039 no-review-frequency warning
CS040 unknown-field info
CS041 missing-owner info
CS050 empty-body error
CS051 crawl-stub error
CS052 garbled-text error
CS053 control-in-text warning
CS054 reordered-text warning
CS055 script error
CS056 other-heading info
CS057 relative-link warning
CS058 lost-character warning
CS060 unquoted-date info
CS070 earlier-review warning
CS071 earlier-label warning
CS072 same-label warning
CS073 body-shrank error
CS080 same-url warning
CS081 same-body warning
CS082 same-review-date warning
CS083 conflict-copy error
"""


def test_released_codes_keep_their_names_and_severities():
    table = [(code, rule, str(severity)) for code, (rule, severity) in CODES.items()]
    assert table == [tuple(line.split()) for line in RELEASED.split("\n") if line]


def test_every_constant_is_a_code_of_the_table():
    constants = [value for name, value in vars(codes).items() if name.isupper()]
    assert {value for value in constants if isinstance(value, str)} == set(CODES)


def test_no_setting_changes_rules_that_prevent_reading_a_document():
    assert sorted(PROTECTED) == [code for code in CODES if code < "CS023"]
    assert {CODES[code][1] for code in PROTECTED} == {Severity.ERROR}


def test_rules_that_most_good_pages_break_are_off():
    assert {CODES[code][0] for code in OFF_BY_DEFAULT} == {"missing-owner", "unquoted-date"}


@pytest.mark.parametrize(
    "name", ["CS021", "cs021", " CS021\n", "field-name", "field_name", " Field-Name "]
)
def test_a_rule_is_found_by_any_spelling(name):
    assert code_of(name) == "CS021"


def test_a_problem_has_the_rule_and_severity_of_its_code():
    built = found(codes.UNKNOWN_FIELD, "the field is not known")
    assert (built.code, built.rule, built.severity) == ("CS040", "unknown-field", Severity.INFO)
    assert (built.hint, built.span, built.fixable) == ("", Span.at_line(1), False)
    span = Span(line=2, end_line=2, end_column=5)
    built = found(codes.UNKNOWN_FIELD, "message", hint="hint", span=span, fixable=True)
    assert (built.message, built.hint, built.span, built.fixable) == ("message", "hint", span, True)
