"""A problem: one finding of validation. In every layer a bad seed is a value, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """The effect of a problem: an error refuses the file; with a warning or an info it is published."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A place in a seed. Lines and columns count from 1; the end column is exclusive."""

    line: int
    column: int = 1
    end_line: int
    end_column: int

    @classmethod
    def at_line(cls, line: int) -> Span:
        """Return the span of a line, without its length."""
        return cls(line=line, end_line=line, end_column=1)


FIRST_LINE = Span.at_line(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding: a stable `code` (`CS001`), its `rule` name, the place, the message, and how to fix it."""

    code: str
    rule: str
    severity: Severity
    message: str
    hint: str = ""
    span: Span = FIRST_LINE
    fixable: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the problem as `validate --json` prints it and the store saves it."""
        return {
            "code": self.code,
            "rule": self.rule,
            "severity": str(self.severity),
            "message": self.message,
            "hint": self.hint,
            "fixable": self.fixable,
            **asdict(self.span),
        }


def read_problem(stored: Mapping[str, Any]) -> Problem:
    """Return the problem that `Problem.as_json` wrote."""
    return Problem(
        code=stored["code"],
        rule=stored["rule"],
        severity=Severity(stored["severity"]),
        message=stored["message"],
        hint=stored["hint"],
        fixable=stored["fixable"],
        span=Span(**{name: stored[name] for name in ("line", "column", "end_line", "end_column")}),
    )


def refuses(problems: tuple[Problem, ...]) -> bool:
    """Return whether any problem is an error, which means that the file must not be published."""
    return any(problem.severity is Severity.ERROR for problem in problems)
