"""Review plans as CSV files, which people open, sort and edit in a spreadsheet.

The file is UTF-8 with a byte-order mark, because Excel garbles Hindi and Telugu titles without one. Titles
and owners come from documents, so a value that a spreadsheet would run as a formula gets an apostrophe in
front, which is dropped on reading. Commas, semicolons and tabs all work as separators, because spreadsheets
write what their locale uses. This module does not know the store. Called by the command `due`.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from worker.atomic_write import replace_whole
from worker.errors import ConfigurationError

COLUMNS = ("path", "title", "owner", "risk", "last_reviewed", "due_on", "planned_on")
REQUIRED = ("path", "due_on", "planned_on")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: What begins a formula in some spreadsheet, including the wide forms of East Asian keyboards.
_FORMULA = re.compile(r"'|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """What a plan says of one document. Without `planned_on` no review is planned for it."""

    line: int
    path: str
    due_on: date | None
    planned_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan as read from a file: its valid lines, and (line, message) for each of the others."""

    lines: tuple[PlanLine, ...]
    problems: tuple[tuple[int, str], ...]


def write_plan(file: Path, rows: Iterable[Mapping[str, Any]], *, replace: bool) -> None:
    """Write a plan atomically; each row is one document and has the keys of `COLUMNS`.

    Raises `ConfigurationError` when the file cannot be written, or exists and `replace` is false.
    """
    if not replace and file.exists():
        raise ConfigurationError(
            f"{file} already exists, and somebody may have edited it: name another file with "
            "--plan, or replace it with --yes"
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(row[name]) for name in COLUMNS] for row in rows)
    try:
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            replace_whole(folder, file.name, text.getvalue().encode("utf-8-sig", "replace"))
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error


def read_plan(file: Path) -> Plan:
    """Read a plan. People may have sorted it, shortened it or added columns.

    Raises `ConfigurationError` when the file cannot be read or is not a plan.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not UTF-8: save it as “CSV UTF-8”") from error
    try:
        numbered = list(_numbered(text))
    except csv.Error as error:
        raise ConfigurationError(f"{file} is not CSV: {error}") from error
    header = [cell.strip().lower() for cell in numbered[0][1]] if numbered else []
    if missing := [name for name in REQUIRED if name not in header]:
        raise ConfigurationError(
            f"{file} is not a plan: its first line has no column {', '.join(missing)}; "
            "make one with content-sync due --spread"
        )
    return _read_rows(header, numbered[1:])


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its first line; a cell may hold line ends."""
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    before = 0
    for row in reader:
        yield before + 1, row
        before = reader.line_num


def _read_rows(header: list[str], numbered: Iterable[tuple[int, list[str]]]) -> Plan:
    lines: list[PlanLine] = []
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for number, row in numbered:
        cells = dict(zip(header, (_as_written(cell) for cell in row), strict=False))
        path = cells.get("path", "")
        if not any(cell.strip() for cell in row):
            continue
        if not path.strip():
            problems.append((number, "the path is missing"))
            continue
        if path in seen:
            problems.append((number, f"{path} is already on line {seen[path]}"))
            continue
        seen[path] = number
        days: dict[str, date | None] = {}
        for name in ("due_on", "planned_on"):
            try:
                days[name] = _read_date(cells.get(name, "").strip())
            except ValueError as error:
                problems.append((number, f"{name} {error}"))
        if len(days) == 2:
            lines.append(PlanLine(line=number, path=path, **days))
    return Plan(lines=tuple(lines), problems=tuple(problems))


def _read_date(text: str) -> date | None:
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a date; write it as YYYY-MM-DD")


def _harmless(value: Any) -> str:
    """Return a value as a cell that no spreadsheet runs; `_as_written` is the inverse."""
    cell = "" if value is None else str(value)
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _as_written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
