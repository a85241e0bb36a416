"""A problem as the store keeps it and `validate --json` prints it: a stable contract."""

from __future__ import annotations

import pytest

from worker.domain.seeds.problem import Problem, Severity, Span, read_problem, refuses

PROBLEM = Problem(
    code="CS032",
    rule="value-not-allowed",
    severity=Severity.ERROR,
    message="`status` may not be actve",
    hint='did you mean "active"?',
    span=Span(line=4, column=9, end_line=4, end_column=14),
    fixable=True,
)
STORED = {
    "code": "CS032",
    "rule": "value-not-allowed",
    "severity": "error",
    "message": "`status` may not be actve",
    "hint": 'did you mean "active"?',
    "fixable": True,
    "line": 4,
    "column": 9,
    "end_line": 4,
    "end_column": 14,
}


def a_problem(severity):
    return Problem(code="CS001", rule="x", severity=severity, message="x")


def test_a_problem_survives_storing_and_reading():
    assert PROBLEM.as_json() == STORED
    assert read_problem(STORED) == PROBLEM


@pytest.mark.parametrize("severity", ["error", "warning", "info"])
def test_a_severity_is_a_word(severity):
    stored = STORED | {"severity": severity}
    assert read_problem(stored).as_json()["severity"] == severity


def test_a_problem_without_a_place_is_at_the_first_line_and_cannot_be_fixed():
    built = a_problem(Severity.INFO)
    assert built.span == Span(line=1, column=1, end_line=1, end_column=1) == Span.at_line(1)
    assert (built.hint, built.fixable) == ("", False)


@pytest.mark.parametrize(
    ("severities", "refused"),
    [
        ((), False),
        ((Severity.INFO, Severity.WARNING), False),
        ((Severity.ERROR,), True),
        ((Severity.WARNING, Severity.ERROR), True),
    ],
)
def test_only_an_error_refuses_a_file(severities, refused):
    assert refuses(tuple(map(a_problem, severities))) is refused
