"""Commands that look at the library and change nothing: status, list, history, show."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli.options import AsJson, DocumentPath, a_time, in_zone, read_settings
from worker.cli.output import found, print_json


class ListState(StrEnum):
    """What `list` can be narrowed to: documents that live, are due, have a refused newer file."""

    LIVE = "live"
    RETIRED = "retired"
    CURRENT = "current"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    SNOOZED = "snoozed"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    REJECTED = "rejected"


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the library at a glance.

    Documents, the state of their reviews, refused files, messages, and the watcher.

    Example: content-sync status
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        answer = services.status()
        rejections = services.list_rejections()
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.glance(answer, rejections, zone=settings.zone, now=datetime.now(UTC)))


def list_(
    ctx: typer.Context,
    state: Annotated[
        ListState | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at", metavar="TIME", parser=a_time, help="The library as it was on that day or time."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the documents, and when their reviews are due.

    With a day, as they were at its end; a time without a zone is the team's.

    Example: content-sync list --state overdue
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    wanted = state.value if state else None
    moment = in_zone(at, settings.zone) if at is not None else None
    with open_services(settings) as services:
        documents = services.list_documents(wanted, at=moment)
    if as_json:
        print_json(documents)
        return
    from worker.cli import text, views

    text.show(views.document_table(documents))


def history(ctx: typer.Context, path: DocumentPath, as_json: AsJson = False) -> None:
    """List a document's versions, and what changed with each.

    Example: content-sync history nausea.md
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        answer = found(services, settings, path, services.history)
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.version_table(answer, settings.zone))


def show(
    ctx: typer.Context,
    path: DocumentPath,
    version: Annotated[
        int | None, typer.Option("--version", "-v", metavar="N", min=1, help="Version number N.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at", metavar="TIME", parser=a_time, help="The version of that day or time."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a document as it is, or as it was.

    A day alone means its end; a time without a zone is the team's.

    Example: content-sync show nausea.md --at 2026-03-01
    """
    if version is not None and at is not None:
        raise typer.BadParameter("give --version or --at, not both", param_hint="--at")
    settings = read_settings(ctx)
    from worker.processes import open_services

    moment = in_zone(at, settings.zone) if at is not None else None
    with open_services(settings) as services:
        answer = found(
            services, settings, path, lambda one: services.show(one, number=version, at=moment)
        )
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.document(answer))
