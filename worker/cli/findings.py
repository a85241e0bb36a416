"""The text of a finding: where, what, the line with carets, how to fix it, and what stays published."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from worker.cli.inspection import identity
from worker.cli.store_at_hand import ask_store
from worker.cli.text import console, count, plain
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.cli.inspection import CheckedFile
    from worker.domain.seeds.problem import Problem, Span
    from worker.settings.model import Settings

SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_INDENT = "  "
#: Line numbers are aligned right in this many columns.
_NUMBER_WIDTH = 4
_NOT_PUBLISHED = "not published"
_LINE_END = re.compile(r"\r\n|\r|\n")
_WIDTH_OF_PIPES = 120
#: How many characters before the place are shown of a line that is too long.
_BEFORE_THE_PLACE = 30


def finding_lines(
    path: str, data: bytes, problems: Sequence[Problem], *, effect: str | None = None
) -> Iterator[Text]:
    """Yield the lines that show a file's problems, in the order of the file.

    `effect` says what the problems mean for the published document, such as `not published; version 3 of
    2026-01-12 stays`. It is the last line; without it, the last line of a file with an error says that the
    file is not published.
    """
    source = _LINE_END.split(data.decode("utf-8-sig", errors="replace"))
    width = console().width if sys.stdout.isatty() else _WIDTH_OF_PIPES
    ordered = sorted(problems, key=lambda one: (one.span.line, one.span.column))
    refused = any(problem.severity == "error" for problem in ordered)
    for problem in ordered:
        style = SEVERITY_STYLES[problem.severity]
        yield Text.assemble(
            plain(f"{path}:{problem.span.line}:{problem.span.column}: ", "bold"),
            plain(problem.severity, style),
            plain(f" {problem.code} {problem.rule}: {problem.message}"),
        )
        yield from _source_lines(source, problem.span, style, width)
        if problem.hint:
            yield Text(_INDENT) + plain(problem.hint, "green")
    if refused or (effect and ordered):
        yield Text(f"{_INDENT}effect: ", style="dim") + plain(effect or _NOT_PUBLISHED)


def _source_lines(source: Sequence[str], span: Span, style: str, width: int) -> Iterator[Text]:
    """Yield the line of a span, cut if it is too long, and its carets; nothing for a blank line."""
    line = source[span.line - 1] if span.line <= len(source) else ""
    if not line.strip():
        return
    number = f"{span.line:>{_NUMBER_WIDTH}} | "
    width -= len(number)
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    cut = max(0, start - _BEFORE_THE_PLACE) if cell_len(visible(line)) > width else 0
    before, marked = visible(line[cut:start]), visible(line[start : max(start, end)])
    shown = Text("…" if cut else "") + Text(before + visible(line[max(cut, start) :]))
    offset = cell_len(before) + (1 if cut else 0)
    shown.truncate(width, overflow="ellipsis")
    yield Text(number, style="dim") + shown
    # An empty span means the whole line, which needs no carets.
    carets = min(cell_len(marked), width - offset)
    if carets > 0:
        margin = " " * (len(number) - 2) + "| "
        yield Text(margin, style="dim") + Text(" " * offset) + Text("^" * carets, style=style)


def summary(files: int, errors: int, warnings: int) -> Text:
    """Return the last line of `validate`."""
    found = f"{count(files, 'file')}: {count(errors, 'error')}, {count(warnings, 'warning')}"
    return Text(found, style="red" if errors else "yellow" if warnings else "green")


def effects_of(findings: Sequence[CheckedFile], settings: Settings) -> dict[str, str]:
    """Return what stays published of each file with an error, by the path as it was given.

    `validate` needs no store: without one the result is empty.
    """
    refused = {
        finding.path: identity(finding.path, settings)
        for finding in findings
        if any(problem.severity == "error" for problem in finding.problems)
    }
    if not refused:
        return {}
    hashes = {refused[f.path]: f.sha256 for f in findings if f.path in refused}
    stays = ask_store(settings, lambda reader: reader.what_stays(hashes)) or {}
    return {path: stays[name] for path, name in refused.items() if name in stays}
