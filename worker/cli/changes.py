"""Commands about one document's changes: diff, why, and restore, which writes into the folder."""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import AsJson, DocumentPath, read_settings
from worker.cli.output import complain, found, print_json

if TYPE_CHECKING:
    from worker.services import Services
    from worker.settings import Settings


def diff(
    ctx: typer.Context,
    path: DocumentPath,
    first: Annotated[
        int | None, typer.Argument(metavar="A", min=1, help="The earlier version's number.")
    ] = None,
    second: Annotated[
        int | None, typer.Argument(metavar="B", min=1, help="The later version's number.")
    ] = None,
    file: Annotated[
        bool, typer.Option("--file", help="Compare with the file on disk, as it is now.")
    ] = False,
    stat: Annotated[
        bool, typer.Option("--stat", help="Only how much changed in each section.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to read or send.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions.

    Without numbers, between the last two; with one, between that and the newest. A terminal of 140
    columns shows both texts side by side.

    Example: content-sync diff nausea.md 1 3
    """
    if file and second is not None:
        raise typer.BadParameter("give one version, or none, with --file", param_hint="B")
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        if file:
            answer = _diff_with_file(services, settings, path, first)
        else:
            answer = found(services, settings, path, lambda one: services.diff(one, first, second))
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
    text.show(diffs.difference(answer, settings.zone, width=width))


def why(ctx: typer.Context, path: DocumentPath, as_json: AsJson = False) -> None:
    """Tell a file's story: seen, refused or stored, served.

    When it was seen, why it was refused, as what it was stored, who was told, what is served now.

    Example: content-sync why nausea.md
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        answer = found(services, settings, path, services.why)
        refusal = services.refusal(answer["path"])
    if as_json:
        print_json(answer)
        return
    from worker.cli import findings, text, views
    from worker.domain.problem import read_problem

    text.show(views.steps(answer, settings.zone))
    if refusal is not None:
        data = b""
        with suppress(OSError):  # the file may be gone; its findings are told all the same
            data = (settings.seeds / answer["path"]).read_bytes()
        problems = [read_problem(stored) for stored in refusal["problems"]]
        for line in findings.finding_lines(
            answer["path"], data, problems, effect=refusal["effect"]
        ):
            text.show(line)


def restore(
    ctx: typer.Context,
    path: DocumentPath,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="The version's number.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Even where a change that is not stored would be lost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a version back into the folder.

    The service then stores it as a new version. A document that was retired comes back.

    Example: content-sync restore nausea.md 2
    """
    settings = read_settings(ctx)
    from worker.folder import WriteRefusedError
    from worker.processes import open_services
    from worker.restore import restore as write_back

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
            raise typer.Exit(1) from None
    if as_json:
        print_json(answer)
        return
    from worker.cli import text

    text.show(text.plain(_restored(answer, settings)))


def _restored(answer: dict[str, Any], settings: "Settings") -> str:
    place = f"{settings.seeds}/{answer['path']}"
    if not answer["written"]:
        return f"{place} is version {answer['number']} already: nothing was written"
    as_was = "byte for byte" if answer["exact"] else "its text as it was; its line ends may differ"
    then = "stores it as a new version"
    if answer["newest"]:
        then = "takes the document back" if answer["retired"] else "finds the newest version there"
    return f"{place} is version {answer['number']} again ({as_was}); the service {then}"


def _diff_with_file(
    services: "Services", settings: "Settings", path: str, number: int | None
) -> dict[str, Any]:
    """Return what changed between a version and the file on disk, or exit with 1 and say why not."""
    from worker.domain.seed import parse_seed
    from worker.watch.read import Content, read_file

    known = found(services, settings, path, services.history)["path"]
    place = f"{settings.seeds}/{known}"
    on_disk = read_file(
        str(settings.seeds), known, max_bytes=settings.intake.max_file_bytes, forced=True
    )
    if not isinstance(on_disk, Content):
        reason = getattr(on_disk, "detail", "") or getattr(on_disk, "reason", "")
        complain(f"{place} cannot be compared: {reason or 'there is no such file'}")
        raise typer.Exit(1)
    seed = parse_seed(on_disk.data)
    if isinstance(seed, tuple):
        problem = seed[0]
        complain(
            f"{place}:{problem.span.line}: {problem.message} ({problem.code}), "
            "so there is nothing to compare"
        )
        raise typer.Exit(1)
    return found(
        services,
        settings,
        known,
        lambda one: services.diff_file(one, number, seed, sha256=on_disk.sha256),
    )


def _write_page(target: Path, answer: dict[str, Any], settings: "Settings") -> None:
    from worker.cli.page import page
    from worker.errors import ConfigurationError

    text = page(answer, settings, now=datetime.now(UTC))
    try:
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
    complain(f"wrote {target}")
