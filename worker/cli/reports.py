"""The output of `validate`: text for people, JSON, GitHub's workflow commands, a diff.

SARIF is in `worker.cli.sarif`. Text from documents and file names is made harmless before it is printed.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from worker.cli.output import print_json
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from worker.cli.inspection import CheckedFile
    from worker.domain.seeds.problem import Problem, Span

_LINE_END = re.compile(r"\r\n|\r|\n")
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings that a baseline does not accept, and how many it accepts.

    `effects` says, by path, what stays published of a file with an error, where that is known. `ignored` are
    the names that the service ignores, with the reason.
    """

    findings: Sequence[CheckedFile]
    fixing: bool
    accepted: int | None = None
    effects: Mapping[str, str] = field(default_factory=dict)
    ignored: Sequence[tuple[str, str]] = ()

    @property
    def problems(self) -> Sequence[Problem]:
        """Return the problems of all files."""
        return [problem for finding in self.findings for problem in finding.problems]

    @property
    def fixed(self) -> int:
        """Return the number of places that were fixed."""
        return sum(len(finding.fixed) for finding in self.findings)

    def count(self, severity: str) -> int:
        """Return the number of problems of a severity."""
        return sum(problem.severity == severity for problem in self.problems)


def tell_json(report: Report) -> None:
    """Print JSON, a stable contract; `fixed` only with --fix, `accepted` only with a baseline.

    `ignored` is there only if the service ignores a name.
    """
    answer: dict[str, Any] = {
        "files": len(report.findings),
        "errors": report.count("error"),
        "warnings": report.count("warning"),
        "problems": [
            {"path": finding.path, **problem.as_json()}
            for finding in report.findings
            for problem in finding.problems
        ],
    }
    if report.fixing:
        answer["fixed"] = [
            {
                "path": finding.path,
                "code": edit.code,
                "rule": edit.rule,
                "old": edit.old,
                "new": edit.new,
                **asdict(edit.span),
            }
            for finding in report.findings
            for edit in finding.fixed
        ]
    if report.accepted is not None:
        answer["accepted"] = report.accepted
    if report.ignored:
        answer["ignored"] = [{"path": path, "reason": reason} for path, reason in report.ignored]
    print_json(answer)


def tell_text(report: Report) -> None:
    """Print what was fixed, each finding with its line and carets, the effects, and a summary."""
    from worker.cli import findings as shown
    from worker.cli import text

    for finding in report.findings:
        lines = [text.plain(line, "green") for line in fixed_lines(finding)]
        effect = report.effects.get(finding.path)
        lines += shown.finding_lines(finding.path, finding.data, finding.problems, effect=effect)
        text.show(*lines, hang=2)
    for line in _counts(report):
        text.show(text.plain(line))
    text.show(shown.summary(len(report.findings), report.count("error"), report.count("warning")))


def tell_github(report: Report) -> None:
    """Print a workflow command for each problem: GitHub shows it at its line of a pull request.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    for finding in report.findings:
        for edit in finding.fixed:
            title = f"{edit.code} {edit.rule}"
            _command("notice", finding.path, edit.span, title, f"fixed: {edit.old} -> {edit.new}")
        for problem in finding.problems:
            title = f"{problem.code} {problem.rule}"
            level = _GITHUB_LEVELS[problem.severity]
            _command(level, finding.path, problem.span, title, advice(problem))
    for line in _counts(report):
        sys.stdout.write(f"{line}\n")


def tell_diff(report: Report) -> None:
    """Print what `--fix` would change as a unified diff."""
    for finding in report.findings:
        if not finding.fixed:
            continue
        lines = difflib.unified_diff(
            _lines(finding.before),
            _lines(finding.data),
            f"a/{visible(finding.path)}",
            f"b/{visible(finding.path)}",
            lineterm="",
        )
        sys.stdout.writelines(f"{visible(line, lines=True)}\n" for line in lines)


def fixed_lines(finding: CheckedFile) -> Iterator[str]:
    """Yield a line for each place that was fixed."""
    for edit in finding.fixed:
        place = f"{finding.path}:{edit.span.line}:{edit.span.column}"
        yield visible(f"{place}: fixed {edit.code} {edit.rule}: {edit.old} -> {edit.new}")


def advice(problem: Problem) -> str:
    """Return the message and the hint of a problem as one text."""
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message


def _counts(report: Report) -> Iterator[str]:
    if report.fixed:
        files = sum(bool(finding.fixed) for finding in report.findings)
        yield f"{_plural(report.fixed, 'place')} fixed in {_plural(files, 'file')}"
    if report.accepted:
        yield f"{_plural(report.accepted, 'finding')} accepted by the baseline"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _lines(data: bytes) -> list[str]:
    return _LINE_END.split(data.decode())


def _command(level: str, path: str, span: Span, title: str, message: str) -> None:
    """Print one workflow command; GitHub accepts columns only for a place within one line."""
    properties = {"file": visible(path), "line": str(span.line), "endLine": str(span.end_line)}
    if span.line == span.end_line and span.end_column > span.column:
        properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    properties["title"] = title
    listed = ",".join(f"{name}={_as_property(text)}" for name, text in properties.items())
    sys.stdout.write(f"::{level} {listed}::{_as_data(visible(message))}\n")


def _as_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _as_property(text: str) -> str:
    return _as_data(text).replace(":", "%3A").replace(",", "%2C")
