"""Commands of the review calendar and its messages: due, remind, notices, notify-test."""

import sys
from contextlib import nullcontext, redirect_stdout
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli.options import AsJson, OnDate, read_settings
from worker.cli.output import print_json


class NoticeState(StrEnum):
    """What became of a notice."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


def due(
    ctx: typer.Context,
    on: OnDate = None,
    within: Annotated[
        int | None,
        typer.Option(
            "--within", metavar="DAYS", min=0, help="Only what is due within so many days."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which reviews are overdue, due, and to come.

    The longest overdue come first.

    Example: content-sync due --within 30
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        documents = services.due(on=on, within_days=within)
    if as_json:
        print_json(documents)
        return
    from worker.cli import text, views

    text.show(views.calendar(documents))


def remind(
    ctx: typer.Context,
    on: OnDate = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be sent; send nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for due reviews now, and tell who answers for them.

    The service does this by itself every hour. Nobody is told twice of the same review.

    Example: content-sync remind --dry-run
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        answer = services.remind(on=on, dry_run=dry_run)
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.reminders(answer["notices"], dry_run=dry_run))


def notices(
    ctx: typer.Context,
    state: Annotated[
        NoticeState | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the messages: sent, waiting, failed.

    Example: content-sync notices --state failed
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        listed = services.notices(state.value if state else None)
    if as_json:
        print_json(listed)
        return
    from worker.cli import text, views

    text.show(views.notice_table(listed, settings.zone))


def notify_test(
    ctx: typer.Context,
    route: Annotated[
        str | None, typer.Argument(metavar="ROUTE", help="Only this route of the settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a test message over each route.

    Example: content-sync notify-test everyone
    """
    settings = read_settings(ctx)
    if route is not None and route not in settings.routes:
        raise typer.BadParameter(
            f"there is no route {route!r}; there are {', '.join(sorted(settings.routes))}",
            param_hint="ROUTE",
        )
    from worker.processes import open_services

    # The console channel prints on standard output, where JSON has to be alone.
    aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with open_services(settings) as services, aside:
        answers = services.notify_test(route)
    if as_json:
        print_json(answers)
    else:
        from worker.cli import text

        named = [
            (f"{one['route']} ({one['channel']})", one["ok"], one["detail"]) for one in answers
        ]
        text.show(text.marks(named))
    if not all(answer["ok"] for answer in answers):
        raise typer.Exit(1)
