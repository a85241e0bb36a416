"""Commands that show the library: status, list, history, show."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from worker.cli.options import Flags, a_time, as_json, document_path, in_zone, read_settings
from worker.cli.output import found, print_json

#: The states of `list --state`: of a document, of its review, or of a newer file.
LIST_STATES = (
    *("live", "retired", "current", "upcoming", "due", "overdue", "escalated", "snoozed"),
    *("unknown", "exempt", "refused"),
)


@click.command
@as_json
@click.pass_obj
def status(flags: Flags, *, as_json: bool) -> None:
    """Show the library at a glance.

    Documents, their reviews, refused files, messages, and the watcher.

    Example: content-sync status
    """
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        answer = reader.status()
        refusals = reader.list_refusals()
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views_status

    text.show(views_status.glance(answer, refusals, zone=settings.zone, now=datetime.now(UTC)))


@click.command("list")
@click.option(
    "--state",
    metavar="STATE",
    type=click.Choice(LIST_STATES),
    help=f"Only documents in this state: {', '.join(LIST_STATES)}.",
)
@click.option("--at", metavar="TIME", type=a_time, help="The library at this day or time.")
@as_json
@click.pass_obj
def list_(flags: Flags, *, state: str | None, at: datetime | None, as_json: bool) -> None:
    """List the documents, and when their reviews are due.

    A day means its end. A time without a zone is in the team's zone.

    Example: content-sync list --state overdue
    """
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    moment = in_zone(at, settings.zone) if at is not None else None
    with open_reader(settings) as reader:
        documents = reader.list_documents(state, at=moment)
    if as_json:
        print_json(documents)
        return
    from worker.cli import text, views

    text.show(views.document_table(documents))


@click.command
@document_path
@click.option("--at", metavar="TIME", type=a_time, help="The document of this day or time.")
@as_json
@click.pass_obj
def history(flags: Flags, *, path: str, at: datetime | None, as_json: bool) -> None:
    """List a document's versions, and what changed with each.

    Another document may have had the path before; --at shows the one that had it at that day or time.

    Example: content-sync history nausea.md
    """
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        moment = in_zone(at, settings.zone) if at is not None else None
        answer = found(reader, settings, path, lambda one: reader.history(one, at=moment))
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.version_table(answer, settings.zone))


@click.command
@document_path
@click.option("--version", "-v", metavar="N", type=click.IntRange(min=1), help="Version N.")
@click.option("--at", metavar="TIME", type=a_time, help="The version at this day or time.")
@as_json
@click.pass_obj
def show(
    flags: Flags, *, path: str, version: int | None, at: datetime | None, as_json: bool
) -> None:
    """Show a document as it is, or as it was.

    A day means its end. A time without a zone is in the team's zone.

    Example: content-sync show nausea.md --at 2026-03-01
    """
    if version is not None and at is not None:
        raise click.BadParameter("give --version or --at, not both", param_hint="--at")
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    moment = in_zone(at, settings.zone) if at is not None else None
    with open_reader(settings) as reader:
        answer = found(
            reader, settings, path, lambda one: reader.show(one, number=version, at=moment)
        )
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.document(answer))
