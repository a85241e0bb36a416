"""Commands that check: `validate` checks files alone, `doctor` every part of the service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from worker.cli.inspection import (
    STANDARD_INPUT,
    Fixing,
    Inspector,
    Progress,
    existing,
    identity,
    look_up,
    seeds_from_here,
)
from worker.cli.options import A_FILE, A_PATH, Flags, as_json, read_settings, seeds_folder
from worker.cli.output import complain, print_json
from worker.cli.reports import Report, tell_diff, tell_github, tell_json, tell_text

if TYPE_CHECKING:
    from pathlib import Path

    from worker.cli.inspection import CheckedFile
    from worker.settings.model import Settings

#: Fewer files are checked too fast for a progress bar.
_MANY_FILES = 100
_PRINT = {"text": tell_text, "json": tell_json, "github": tell_github}


@click.command
@click.argument(
    "paths",
    metavar="[PATH]...",
    nargs=-1,
    type=A_PATH,
    help="Files or folders, or - for standard input. [default: the seeds folder]",
)
@click.option(
    "--format",
    "output",
    type=click.Choice((*_PRINT, "sarif")),
    default="text",
    help="Text for people, or a format for GitHub, editors and programs.",
)
@click.option("--fix", is_flag=True, help="Fix what is safe: put dates in quotes.")
@click.option(
    "--fix-words", is_flag=True, help="With --fix: also fix misspelt words of the vocabulary."
)
@click.option("--diff", is_flag=True, help="With --fix: show the changes, write nothing.")
@click.option("--strict", is_flag=True, help="Exit with 1 for a warning too.")
@click.option(
    "--baseline",
    metavar="FILE",
    type=A_FILE,
    help="Report only findings that are not in this file.",
)
@click.option(
    "--write-baseline",
    metavar="FILE",
    type=A_FILE,
    help="Write the current findings to this file.",
)
@click.option(
    "--stdin-path",
    metavar="PATH",
    type=A_PATH,
    help="The name of the document on standard input.",
)
@seeds_folder
@as_json
@click.pass_obj
def validate(
    flags: Flags,
    *,
    paths: tuple[str, ...],
    output: str,
    fix: bool,
    fix_words: bool,
    diff: bool,
    strict: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    stdin_path: str | None,
    seeds: Path | None,
    as_json: bool,
) -> None:
    """Check documents: what is wrong, where, how to fix it.

    Stores nothing and needs no running service. Exits with 1 when a file has an error, or when
    --fix --diff shows a change.

    Example: content-sync validate seeds/nausea.md

    Example: content-sync validate --fix --diff seeds

    Example: content-sync validate --format sarif seeds > findings.sarif
    """
    settings = read_settings(flags, seeds=seeds)
    from worker.settings.schema_file import load_rules
    from worker.watch.ignored import PLAIN_NOTE, by_reason

    output = "json" if as_json else output
    if not paths:
        from worker.watch.root import require_folder

        require_folder(settings.seeds)
    named = existing(list(paths) or [seeds_from_here(settings)], settings)
    _refuse_mixtures(
        {
            "--fix-words needs --fix": fix_words and not fix,
            "--diff needs --fix": diff and not fix,
            "--diff has no other format": diff and output != "text",
            "--fix cannot write standard input; add --diff to see the changes": (
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
        fixing=Fixing(words=fix_words, dry=diff) if fix else None,
        stdin_path=stdin_path,
    )
    files, ignored = look_up(named, settings)
    with _progress(len(files)) as moved:
        checked = inspector.inspect(files, moved)
    ignored += [(note, PLAIN_NOTE) for note in inspector.notes]
    for line in by_reason(ignored):
        complain(line)
    report = Report(findings=checked, fixing=fix, ignored=ignored)
    if write_baseline is not None:
        _record(write_baseline, checked, settings)
        return
    if accepted is not None:
        report = _without(accepted, report, settings)
    if output == "text":
        from worker.cli.findings import effects_of

        report = replace(report, effects=effects_of(report.findings, settings))
    if diff:
        tell_diff(report)
    elif output == "sarif":
        from worker.cli.sarif import sarif_log

        print_json(sarif_log(report, settings, rules))
    else:
        _PRINT[output](report)
    failed = report.count("error") or (strict and report.count("warning"))
    if failed or (diff and report.fixed):
        raise click.exceptions.Exit(1)


def _refuse_mixtures(mixtures: dict[str, bool]) -> None:
    for message, given in mixtures.items():
        if given:
            raise click.BadParameter(message)


@contextmanager
def _progress(files: int) -> Iterator[Progress]:
    """Show a progress bar for many files on a terminal; Rich is loaded only then."""
    if files <= _MANY_FILES or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from worker.cli import text

    with text.progress("Checking the files") as moved:
        yield moved


def _read_baseline(path: Path | None) -> frozenset[str] | None:
    from worker.cli.baseline import read_baseline

    return None if path is None else read_baseline(path)


def _record(path: Path, files: list[CheckedFile], settings: Settings) -> None:
    from worker.cli.baseline import fingerprints, write_baseline

    recorded = []
    for file in files:
        name = identity(file.path, settings)
        marks = fingerprints(name, file.data, file.problems)
        codes = [problem.code for problem in file.problems]
        recorded += [(name, code, mark) for code, mark in zip(codes, marks, strict=True)]
    write_baseline(path, recorded)
    complain(f"{path} accepts {len(recorded):,} findings in {len(files):,} files")


def _without(accepted: frozenset[str], report: Report, settings: Settings) -> Report:
    """Return the report without the findings in a baseline."""
    from worker.cli.baseline import fingerprints

    kept = []
    for file in report.findings:
        marks = fingerprints(identity(file.path, settings), file.data, file.problems)
        pairs = zip(file.problems, marks, strict=True)
        new = tuple(problem for problem, mark in pairs if mark not in accepted)
        kept.append(replace(file, problems=new))
    known = len(report.problems) - sum(len(file.problems) for file in kept)
    return replace(report, findings=kept, accepted=known)


@click.command
@click.option(
    "--as",
    "part",
    type=click.Choice(("watcher", "worker", "beat")),
    help="Check only what this part of the service needs.",
)
@as_json
@click.pass_obj
def doctor(flags: Flags, *, part: str | None, as_json: bool) -> None:
    """Check that every part of the service works.

    Settings, database, broker, seeds folder and processes.

    Exits with 1 when something needs attention.

    Example: content-sync doctor
    """
    settings = read_settings(flags)
    from worker.run import doctor

    checks = doctor.doctor(settings, part)
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
        raise click.exceptions.Exit(1)
