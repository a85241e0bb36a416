"""Commands about the changes of one document: diff, why, restore."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.document_paths import candidates
from worker.cli.options import A_FILE, Flags, as_json, document_path, read_settings
from worker.cli.output import complain, find, found, not_found, print_json
from worker.domain.reviews.instants import local_time

if TYPE_CHECKING:
    from worker.library.reader import Reader
    from worker.settings.model import Settings


_NUMBER = click.IntRange(min=1)


@click.command
@document_path
@click.argument(
    "first", metavar="[A]", type=_NUMBER, required=False, help="The earlier version's number."
)
@click.argument(
    "second", metavar="[B]", type=_NUMBER, required=False, help="The later version's number."
)
@click.option("--file", is_flag=True, help="Compare with the file on disk.")
@click.option("--stat", is_flag=True, help="Show only how much changed in each section.")
@click.option("--html", metavar="FILE", type=A_FILE, help="Write an HTML page to this file.")
@as_json
@click.pass_obj
def diff(
    flags: Flags,
    *,
    path: str,
    first: int | None,
    second: int | None,
    file: bool,
    stat: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show what changed between two versions.

    Without numbers it compares the last two versions; with one number, that version and the newest. A
    terminal with 140 columns shows both side by side.

    Example: content-sync diff nausea.md 1 3
    """
    if file and second is not None:
        raise click.BadParameter("give at most one version with --file", param_hint="B")
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        if file:
            answer = _diff_with_file(reader, settings, path, first)
        else:
            answer = found(reader, settings, path, lambda one: reader.diff(one, first, second))
    if html is not None:
        _write_page(html, answer, settings)
    if as_json:
        print_json(answer)
        return
    if html is not None:
        return
    from worker.cli import diffs, text

    if stat:
        text.show(diffs.stat(answer, settings.zone))
        return
    width = text.console().width if sys.stdout.isatty() else 0
    text.show(diffs.difference(answer, settings.zone, width=width), hang=1)


@click.command
@document_path
@as_json
@click.pass_obj
def why(flags: Flags, *, path: str, as_json: bool) -> None:
    """Show what happened to a file, step by step.

    When it was seen, why it was refused, which version it became, who got a message, what is served now.

    Example: content-sync why nausea.md
    """
    settings = read_settings(flags)
    from worker.library.opened import open_reader
    from worker.watch.ignore import seed_names
    from worker.watch.ignored import why_ignored

    names = seed_names(settings.seeds, settings.watch)
    with open_reader(settings) as reader:
        answer = find(settings, path, reader.why)
        if answer is None:
            most = settings.intake.max_file_bytes
            for here in _in_folder(path, settings):
                if (reason := why_ignored(names, here, max_bytes=most)) is not None:
                    complain(f"{here} is ignored: {reason}")
                    raise click.exceptions.Exit(1)
            unseen = find(settings, path, reader.unseen_above)
            complain(_unseen(unseen, settings) if unseen else not_found(reader, settings, path))
            raise click.exceptions.Exit(1)
        refusal = reader.refusal(answer["path"])
        if (unseen := reader.unseen_above(answer["path"])) is not None:
            answer["unseen"] = unseen
    if _in_folder(answer["path"], settings) and (reason := why_ignored(names, answer["path"])):
        answer["ignored"] = reason
    if as_json:
        print_json(answer)
        return
    from worker.cli import findings, text, views
    from worker.domain.seeds.problem import read_problem

    text.show(views.steps(answer, settings.zone))
    if "ignored" in answer:
        text.show(text.plain(f"{answer['path']} is ignored: {answer['ignored']}", "yellow"))
    if "unseen" in answer:
        text.show(text.plain(_unseen(answer["unseen"], settings), "yellow"))
    if refusal is not None:
        data = b""
        with suppress(OSError):  # the file may be gone; its findings are still shown
            data = (settings.seeds / answer["path"]).read_bytes()
        problems = [read_problem(stored) for stored in refusal["problems"]]
        lines = findings.finding_lines(answer["path"], data, problems, effect=refusal["effect"])
        text.show(*lines, hang=2)


@click.command
@document_path
@click.argument("number", metavar="N", type=_NUMBER, help="The version's number.")
@click.option("--yes", is_flag=True, help="Overwrite a change that is not stored.")
@as_json
@click.pass_obj
def restore(flags: Flags, *, path: str, number: int, yes: bool, as_json: bool) -> None:
    """Write a version back into the folder.

    The service then stores it as a new version. A retired document becomes live again.

    Example: content-sync restore nausea.md 2
    """
    settings = read_settings(flags)
    from worker.library.opened import open_services
    from worker.library.restore import restore as write_back
    from worker.library.seeds_folder import WriteRefusedError

    with open_services(settings) as services:
        try:
            answer = found(
                services,
                settings,
                path,
                lambda one: write_back(services, one, number, unasked=yes),
            )
        except WriteRefusedError as error:
            complain(str(error))
            raise click.exceptions.Exit(1) from None
    if as_json:
        print_json(answer)
        return
    from worker.cli import text

    text.show(text.plain(_restored(answer, settings)))


def _restored(answer: dict[str, Any], settings: Settings) -> str:
    place = f"{settings.seeds}/{answer['path']}"
    if not answer["written"]:
        return f"{place} already is version {answer['number']}: nothing was written"
    exactness = "byte for byte" if answer["exact"] else "the same body; line ends may differ"
    then = "stores it as a new version"
    if answer["newest"]:
        then = "makes the document live again" if answer["retired"] else "keeps the newest version"
    return f"{place} is version {answer['number']} again ({exactness}); the service {then}"


def _unseen(folder: dict[str, Any], settings: Settings) -> str:
    since = local_time(folder["since"], settings.zone)
    return (
        f"the watcher cannot read {folder['path']} since {since}: it sees no change there, "
        "and what the store has is kept"
    )


def _diff_with_file(
    reader: Reader, settings: Settings, path: str, number: int | None
) -> dict[str, Any]:
    """Return what changed between a version and the file on disk, or exit with 1 and the reason."""
    from worker.domain.seeds.seed import parse_seed
    from worker.watch.read import Content, read_file

    known = found(reader, settings, path, reader.history)["path"]
    place = f"{settings.seeds}/{known}"
    on_disk = read_file(
        str(settings.seeds), known, max_bytes=settings.intake.max_file_bytes, forced=True
    )
    if not isinstance(on_disk, Content):
        reason = getattr(on_disk, "detail", "") or getattr(on_disk, "reason", "")
        complain(f"{Path(place).absolute()} cannot be compared: {reason or 'it does not exist'}")
        raise click.exceptions.Exit(1)
    seed = parse_seed(on_disk.data)
    if isinstance(seed, tuple):
        problem = seed[0]
        complain(
            f"{place}:{problem.span.line}: {problem.message} ({problem.code}), "
            "so it cannot be compared"
        )
        raise click.exceptions.Exit(1)
    return found(
        reader,
        settings,
        known,
        lambda one: reader.diff_file(one, number, seed, sha256=on_disk.sha256),
    )


def _write_page(target: Path, answer: dict[str, Any], settings: Settings) -> None:
    from worker.cli.page import page
    from worker.errors import ConfigurationError

    text = page(answer, settings, now=datetime.now(UTC))
    try:
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigurationError(f"cannot write {target.absolute()}: {error.strerror}") from error
    complain(f"wrote {target}")


def _in_folder(path: str, settings: Settings) -> list[str]:
    """Return the paths that a path can mean and that exist in the seeds folder, files and folders."""
    return [
        here
        for here in candidates(path, settings)
        if not here.startswith(("/", "../")) and os.path.lexists(settings.seeds / here)
    ]
