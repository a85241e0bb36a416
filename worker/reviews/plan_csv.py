"""Plans of reviews as CSV, which people open, sort and edit in a spreadsheet.

The file is UTF-8 with a byte-order mark, without which Excel takes Hindi and Telugu titles for
something else. Titles and owners come from documents, so text that a spreadsheet would run as a
formula is written with an apostrophe in front, and read back without it. Commas, semicolons and tabs
are understood as separators, for spreadsheets write what their country uses. Nothing here knows the
store. Called by the command `due`.
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
#: What begins a formula in some spreadsheet, the wide forms of East Asian keyboards included.
_FORMULA = re.compile(r"'|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """What a plan says of one document; without `planned_on`, that nothing is planned for it."""

    line: int
    path: str
    due_on: date | None
    planned_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan as it was read: its lines, and what is wrong with others, as (line, message)."""

    lines: tuple[PlanLine, ...]
    problems: tuple[tuple[int, str], ...]


def write_plan(file: Path, rows: Iterable[Mapping[str, Any]], *, replace: bool) -> None:
    """Write a plan, a row a document with the keys of `COLUMNS`: whole, or not at all.

    Raises `ConfigurationError` when it cannot be written, or is there already and `replace` is false.
    """
    if not replace and file.exists():
        raise ConfigurationError(
            f"{file} is there already, and somebody may have worked on it: name another with "
            "--plan, or say --yes to replace it"
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
    """Read a plan; the file may have been sorted, cut and given more columns.

    Raises `ConfigurationError` when it cannot be read or is no plan at all.
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
    """Yield rows with the number of the line on which each begins; a cell may hold line ends."""
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
            problems.append((number, "there is no path"))
            continue
        if path in seen:
            problems.append((number, f"{path} is on line {seen[path]} already"))
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
    raise ValueError(f"{text!r} is not a date; write it as 2026-03-30")


def _harmless(value: Any) -> str:
    """Return a value as a cell that no spreadsheet runs; `_as_written` is the way back."""
    cell = "" if value is None else str(value)
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _as_written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
