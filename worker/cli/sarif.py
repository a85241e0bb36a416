"""Findings as SARIF 2.1.0, for code scanning and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from worker import __version__
from worker.cli.baseline import fingerprints
from worker.cli.inspection import identity
from worker.cli.reports import advice
from worker.domain.rules.fix import edits_of
from worker.domain.rules.rule_book import RULE_BOOK
from worker.domain.seeds.codes import CODES, OFF_BY_DEFAULT
from worker.domain.seeds.seed import Seed, parse_seed
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.cli.inspection import CheckedFile
    from worker.cli.reports import Report
    from worker.domain.rules.fix import Edit
    from worker.domain.rules.rules import Rules
    from worker.domain.seeds.problem import Problem, Span
    from worker.settings.model import Settings

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: The version in the name changes when fingerprints are computed in another way.
FINGERPRINT = "contentSync/v1"

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_INDEXES = {code: index for index, code in enumerate(CODES)}


def sarif_log(report: Report, settings: Settings, rules: Rules) -> dict[str, Any]:
    """Return the log of one run: all rules, and a result with its fix for each problem."""
    driver = {"name": "content-sync", "version": __version__, "rules": [*_rules()]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [
                    result
                    for file in report.findings
                    for result in _results(file, identity(file.path, settings), rules)
                ],
            }
        ],
    }


def _rules() -> Iterator[dict[str, Any]]:
    for code, (rule, severity) in CODES.items():
        configuration: dict[str, Any] = {"level": _LEVELS[severity]}
        if code in OFF_BY_DEFAULT:
            configuration["enabled"] = False
        entry = RULE_BOOK[code]
        examples = {"Wrong": entry.wrong, "Right": entry.right}
        plain = [f"{word}:\n{example}" for word, example in examples.items()]
        fenced = [f"{word}:\n\n````\n{example}\n````" for word, example in examples.items()]
        yield {
            "id": code,
            "name": rule,
            "shortDescription": {"text": f"{entry.summary}."},
            "fullDescription": {"text": entry.why},
            "help": {
                "text": "\n\n".join((entry.why, *plain)),
                "markdown": "\n\n".join((entry.why, *fenced)),
            },
            "defaultConfiguration": configuration,
        }


def _results(file: CheckedFile, name: str, rules: Rules) -> Iterator[dict[str, Any]]:
    marks = fingerprints(name, file.data, file.problems)
    fixes = {edit.span: edit for edit in _fixes(file, rules)}
    for problem, mark in zip(file.problems, marks, strict=True):
        result = {
            "ruleId": problem.code,
            "ruleIndex": _INDEXES[problem.code],
            "level": _LEVELS[problem.severity],
            "message": {"text": visible(advice(problem))},
            "locations": [_location(file.path, problem)],
            "partialFingerprints": {FINGERPRINT: mark},
        }
        edit = fixes.get(problem.span)
        if edit is not None and edit.code == problem.code:
            result["fixes"] = [_fix(file.path, edit)]
        yield result


def _fixes(file: CheckedFile, rules: Rules) -> tuple[Edit, ...]:
    if not any(problem.fixable for problem in file.problems):
        return ()
    seed = parse_seed(file.data)
    if not isinstance(seed, Seed):
        return ()
    return edits_of(seed, file.problems, rules, words=True)


def _fix(path: str, edit: Edit) -> dict[str, Any]:
    replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.new}}
    change = {"artifactLocation": {"uri": _uri(path)}, "replacements": [replacement]}
    return {"description": {"text": f"Write {edit.new}"}, "artifactChanges": [change]}


def _location(path: str, problem: Problem) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": _uri(path)}, "region": _region(problem.span)}
    return {"physicalLocation": place}


def _uri(path: str) -> str:
    """Return a reference relative to the working directory, with the bytes of the name."""
    if Path(path).is_absolute():
        return Path(path).as_uri()
    return quote(os.fsencode(os.path.normpath(path)))


def _region(span: Span) -> dict[str, int]:
    """Return the region of a span; one without an end means its whole line."""
    if span.line == span.end_line and span.end_column <= span.column:
        return {"startLine": span.line}
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
