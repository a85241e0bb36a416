"""Commands that check: `validate` needs no broker and no store, `doctor` looks at every part."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import AsJson, Seeds, read_settings
from worker.cli.output import complain, print_json

if TYPE_CHECKING:
    from worker.domain.problem import Problem
    from worker.domain.rules import Rules
    from worker.settings import Settings

STANDARD_INPUT = "-"
_NOTES_SUFFIX = ".txt"


class Format(StrEnum):
    """How `validate` tells its findings."""

    TEXT = "text"
    JSON = "json"


class Part(StrEnum):
    """The process that `doctor` looks at as its own."""

    WATCHER = "watcher"
    WORKER = "worker"
    BEAT = "beat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file with its problems; `data` is what was read of it, for showing the lines."""

    path: str
    data: bytes
    problems: "tuple[Problem, ...]"


def validate(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Files or folders, or - for standard input. [default: the seeds folder]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Format, typer.Option("--format", help="Text for people, or JSON for programs.")
    ] = Format.TEXT,
    seeds: Seeds = None,
    as_json: AsJson = False,
) -> None:
    """Check documents: what is wrong, where, how to mend it.

    Nothing is stored, and no other service is needed. Exits with 1 when a file has an error.

    Example: content-sync validate seeds/nausea.md
    """
    settings = read_settings(ctx, seeds=seeds)
    from worker.schema_file import load_rules

    named = _existing(paths or [str(settings.seeds)])
    rules = load_rules(settings)
    findings = [
        finding
        for path in dict.fromkeys(_files(named, settings))
        if (finding := _examine(path, rules, settings)) is not None
    ]
    problems = [problem for finding in findings for problem in finding.problems]
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = sum(problem.severity == "warning" for problem in problems)
    if as_json or output is Format.JSON:
        print_json(
            {
                "files": len(findings),
                "errors": errors,
                "warnings": warnings,
                "problems": [
                    {"path": finding.path, **problem.as_json()}
                    for finding in findings
                    for problem in finding.problems
                ],
            }
        )
    else:
        from worker.cli import findings as shown
        from worker.cli import text

        console = text.console()
        for finding in findings:
            if finding.problems:
                for line in shown.finding_lines(finding.path, finding.data, finding.problems):
                    console.print(line, soft_wrap=True)
        text.show(shown.summary(len(findings), errors, warnings))
    if errors:
        raise typer.Exit(1)


def _existing(paths: list[str]) -> list[str]:
    for path in paths:
        if path != STANDARD_INPUT and not os.path.lexists(path):
            raise typer.BadParameter(f"{path} does not exist", param_hint="PATH")
    return paths


def _files(paths: list[str], settings: "Settings") -> Iterator[str]:
    for path in paths:
        if path != STANDARD_INPUT and Path(path).is_dir():
            yield from _seeds_below(path, settings)
        else:
            yield path


def _seeds_below(folder: str, settings: "Settings") -> Iterator[str]:
    """Yield what the watcher would take for a seed, in order."""
    from worker.watch.ignore import seed_names

    # A folder inside the seeds folder is subject to the `.seedignore` there.
    inside = not os.path.relpath(folder, settings.seeds).startswith(os.pardir)
    root = str(settings.seeds) if inside else folder
    names = seed_names(root, settings.watch.suffixes)
    for parent, folders, files in os.walk(folder):
        below = os.path.relpath(parent, root)
        prefix = "" if below == os.curdir else f"{below}/"
        folders[:] = sorted(name for name in folders if names.enters(f"{prefix}{name}"))
        for name in sorted(files):
            path = Path(parent, name)
            if names.is_seed(f"{prefix}{name}") and not path.is_symlink():
                yield str(path)


def _examine(path: str, rules: "Rules", settings: "Settings") -> Finding | None:
    """Return a file with its problems, or None for a plain note, which the service ignores too."""
    from worker.domain.rules import NO_PERMISSION, UNREADABLE, examine, unreadable_problem
    from worker.domain.seed import is_plain_note

    most = settings.intake.max_file_bytes
    shown = "<stdin>" if path == STANDARD_INPUT else path
    try:
        data = _read(path, most + 1)
    except OSError as error:
        code = NO_PERMISSION if isinstance(error, PermissionError) else UNREADABLE
        problem = unreadable_problem(code, error.strerror or str(error))
        return Finding(path=shown, data=b"", problems=(problem,))
    if path.lower().endswith(_NOTES_SUFFIX) and is_plain_note(data):
        complain(f"{path} is a plain note, for it has no front matter: ignored")
        return None
    today = datetime.now(UTC).astimezone(settings.zone).date()
    examined = examine(data, rules=rules, today=today, max_bytes=most)
    kept = data if examined.problems else b""  # a library may be larger than memory
    return Finding(path=shown, data=kept, problems=examined.problems)


def _read(path: str, most_bytes: int) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(most_bytes)
    with Path(path).open("rb") as file:
        return file.read(most_bytes)


def doctor(
    ctx: typer.Context,
    part: Annotated[
        Part | None, typer.Option("--as", help="Check as this part of the service would.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that every part of the service is well.

    The settings, the database, the broker, the folder, and the processes.

    Exits with 1 when something needs a person.

    Example: content-sync doctor
    """
    settings = read_settings(ctx)
    from worker import health

    checks = health.doctor(settings, part.value if part else None)
    ok = all(check.ok for check in checks)
    if as_json:
        listed: list[dict[str, Any]] = [
            {"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks
        ]
        print_json({"ok": ok, "checks": listed})
    else:
        from worker.cli import text

        text.show(text.marks((check.name, check.ok, check.detail) for check in checks))
    if not ok:
        raise typer.Exit(1)
