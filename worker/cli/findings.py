"""How `validate` shows a finding: where, what, the line with carets, and how to mend it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from worker.cli.text import console, count, plain
from worker.domain.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.domain.problem import Problem, Span

SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_INDENT = "    "
_LINE_END = re.compile(r"\r\n|\r|\n")
_WIDTH_OF_PIPES = 120
#: Characters shown before the place, where a line is too long to be shown whole.
_BEFORE_THE_PLACE = 30


def finding_lines(path: str, data: bytes, problems: Sequence[Problem]) -> Iterator[Text]:
    """Yield the lines that tell of a file's problems, in the order of the file."""
    source = _LINE_END.split(data.decode("utf-8-sig", errors="replace"))
    width = console().width if sys.stdout.isatty() else _WIDTH_OF_PIPES
    for problem in sorted(problems, key=lambda one: (one.span.line, one.span.column)):
        style = SEVERITY_STYLES[problem.severity]
        yield Text.assemble(
            plain(f"{path}:{problem.span.line}:{problem.span.column}: ", "bold"),
            plain(problem.severity, style),
            plain(f" {problem.code} {problem.rule}: {problem.message}"),
        )
        yield from _source_lines(source, problem.span, style, width - len(_INDENT))
        if problem.hint:
            yield Text(_INDENT) + plain(problem.hint, "green")


def _source_lines(source: Sequence[str], span: Span, style: str, width: int) -> Iterator[Text]:
    """Yield the line of a span and its carets, cut where it is too long; none for a blank line."""
    line = source[span.line - 1] if span.line <= len(source) else ""
    if not line.strip():
        return
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    cut = max(0, start - _BEFORE_THE_PLACE) if cell_len(visible(line)) > width else 0
    before, marked = visible(line[cut:start]), visible(line[start : max(start, end)])
    shown = Text("…" if cut else "") + Text(before + visible(line[max(cut, start) :]))
    offset = cell_len(before) + (1 if cut else 0)
    shown.truncate(width, overflow="ellipsis")
    yield Text(_INDENT) + shown
    # A span without an end means the whole line: carets would say nothing.
    carets = min(cell_len(marked), width - offset)
    if carets > 0:
        yield Text(_INDENT + " " * offset) + Text("^" * carets, style=style)


def summary(files: int, errors: int, warnings: int) -> Text:
    """Return the last line of `validate`."""
    found = f"{count(files, 'file')}: {count(errors, 'error')}, {count(warnings, 'warning')}"
    return Text(found, style="red" if errors else "yellow" if warnings else "green")
