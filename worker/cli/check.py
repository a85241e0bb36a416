"""Commands that check: `validate` needs no broker and no store, `doctor` looks at every part."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.effects import effects_of
from worker.cli.inspection import (
    STANDARD_INPUT,
    Inspector,
    Mending,
    Progress,
    existing,
    files_of,
    identity,
)
from worker.cli.options import AsJson, Seeds, read_settings
from worker.cli.output import complain, print_json
from worker.cli.reports import Report, tell_diff, tell_github, tell_json, tell_text

if TYPE_CHECKING:
    from worker.cli.inspection import Finding
    from worker.settings import Settings

#: With fewer files a progress bar would only flash.
_MANY_FILES = 100


class Format(StrEnum):
    """How `validate` tells its findings."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


_TELL = {Format.TEXT: tell_text, Format.JSON: tell_json, Format.GITHUB: tell_github}


class Part(StrEnum):
    """The process that `doctor` looks at as its own."""

    WATCHER = "watcher"
    WORKER = "worker"
    BEAT = "beat"


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
    *,
    output: Annotated[
        Format,
        typer.Option(
            "--format", help="Text for people, or what GitHub, editors and programs read."
        ),
    ] = Format.TEXT,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what is safe: put quotes round dates.")
    ] = False,
    fix_words: Annotated[
        bool,
        typer.Option(
            "--fix-words", help="With --fix: also mend a misspelt word of the vocabulary."
        ),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="With --fix: only show what it would change.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for a warning too.")
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tell only findings that are not recorded in this file."),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Record the findings of today in this file."),
    ] = None,
    stdin_path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="What to call the document on standard input."),
    ] = None,
    seeds: Seeds = None,
    as_json: AsJson = False,
) -> None:
    """Check documents: what is wrong, where, how to mend it.

    Nothing is stored, and no other service is needed. Exits with 1 when a file has an error, or when
    --fix --diff shows a change.

    Example: content-sync validate seeds/nausea.md

    Example: content-sync validate --fix --diff seeds

    Example: content-sync validate --format sarif seeds > findings.sarif
    """
    settings = read_settings(ctx, seeds=seeds)
    from worker.schema_file import load_rules

    output = Format.JSON if as_json else output
    named = existing(paths or [str(settings.seeds)])
    _refuse_mixtures(
        {
            "--fix-words needs --fix": fix_words and not fix,
            "--diff needs --fix": diff and not fix,
            "--diff prints a diff, and no other format": diff and output is not Format.TEXT,
            "--fix cannot mend standard input; --diff shows what it would change": (
                fix and not diff and STANDARD_INPUT in named
            ),
            "--stdin-path needs the path -": stdin_path is not None and STANDARD_INPUT not in named,
            "give --baseline or --write-baseline, not both": bool(baseline and write_baseline),
        }
    )
    accepted = _read_baseline(baseline)
    rules = load_rules(settings)
    inspector = Inspector(
        rules=rules,
        settings=settings,
        mending=Mending(words=fix_words, dry=diff) if fix else None,
        stdin_path=stdin_path,
    )
    files = files_of(named, settings)
    with _progress(len(files)) as moved:
        findings = inspector.inspect(files, moved)
    report = Report(findings=findings, fixing=fix)
    if write_baseline is not None:
        _record(write_baseline, findings, settings)
        return
    if accepted is not None:
        report = _without(accepted, report, settings)
    if output is Format.TEXT:
        report = replace(report, effects=effects_of(report.findings, settings))
    if diff:
        tell_diff(report)
    elif output is Format.SARIF:
        from worker.cli.sarif import sarif_log

        print_json(sarif_log(report, settings, rules))
    else:
        _TELL[output](report)
    failed = report.count("error") or (strict and report.count("warning"))
    if failed or (diff and report.mended):
        raise typer.Exit(1)


def _refuse_mixtures(mixtures: dict[str, bool]) -> None:
    for message, given in mixtures.items():
        if given:
            raise typer.BadParameter(message)


@contextmanager
def _progress(files: int) -> Iterator[Progress]:
    """Show a bar where somebody waits for many files; Rich is loaded only then."""
    if files <= _MANY_FILES or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from worker.cli import text

    with text.progress("Checking the files") as moved:
        yield moved


def _read_baseline(path: Path | None) -> frozenset[str] | None:
    from worker.cli.baseline import read_baseline

    return None if path is None else read_baseline(path)


def _record(path: Path, findings: list["Finding"], settings: "Settings") -> None:
    from worker.cli.baseline import fingerprints, write_baseline

    recorded = []
    for finding in findings:
        name = identity(finding.path, settings)
        marks = fingerprints(name, finding.data, finding.problems)
        codes = [problem.code for problem in finding.problems]
        recorded += [(name, code, mark) for code, mark in zip(codes, marks, strict=True)]
    write_baseline(path, recorded)
    complain(f"{path} accepts {len(recorded):,} findings in {len(findings):,} files")


def _without(accepted: frozenset[str], report: Report, settings: "Settings") -> Report:
    """Return the report without the findings that a baseline accepts."""
    from worker.cli.baseline import fingerprints

    kept = []
    for finding in report.findings:
        marks = fingerprints(identity(finding.path, settings), finding.data, finding.problems)
        pairs = zip(finding.problems, marks, strict=True)
        new = tuple(problem for problem, mark in pairs if mark not in accepted)
        kept.append(replace(finding, problems=new))
    known = len(report.problems) - sum(len(finding.problems) for finding in kept)
    return replace(report, findings=kept, accepted=known)


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
