"""Commands of the messages that reviews and refusals owe: remind, notices, notify-test."""

import sys
from contextlib import nullcontext, redirect_stdout
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli.options import AsJson, OnDate, read_settings
from worker.cli.output import complain, print_json


class NoticeState(StrEnum):
    """What became of a notice."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


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


notices_app = typer.Typer(
    add_completion=False,
    invoke_without_command=True,
    subcommand_metavar="[retry]",
    rich_markup_mode=None,
)


@notices_app.callback()
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
    if ctx.invoked_subcommand is not None:
        if state is not None or as_json:
            raise typer.BadParameter(f"options go behind: notices {ctx.invoked_subcommand} …")
        return
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        listed = services.notices(state.value if state else None)
    if as_json:
        print_json(listed)
        return
    from worker.cli import text, views

    text.show(views.notice_table(listed, settings.zone))


@notices_app.command()
def retry(
    ctx: typer.Context,
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID", min=1, help="Only these; else all that failed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send again what failed, as the same message.

    The service tries as often as with a new one. What holds no longer is not sent.

    Example: content-sync notices retry 12 13
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        retried = services.retry_notices(ids or None)
    if as_json:
        print_json({"retried": retried})
    else:
        from worker.cli import text

        text.show(text.plain(f"{text.count(retried, 'notice')} will be sent again"))
    if retried < len(set(ids or [])):
        complain(f"{len(set(ids or [])) - retried} of these had not failed")
        raise typer.Exit(1)


def notify_test(
    ctx: typer.Context,
    route: Annotated[
        str | None, typer.Argument(metavar="ROUTE", help="Only this route of the settings.")
    ] = None,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Print what would be sent now; send and open nothing."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send a test message over each route, or show what would be sent.

    Example: content-sync notify-test --preview everyone
    """
    settings = read_settings(ctx)
    if route is not None and route not in settings.routes:
        raise typer.BadParameter(
            f"there is no route {route!r}; there are {', '.join(sorted(settings.routes))}",
            param_hint="ROUTE",
        )
    from worker.processes import open_services

    if preview:
        with open_services(settings) as services:
            shown = [services.preview(name) for name in ([route] if route else settings.routes)]
        if as_json:
            print_json(shown)
        else:
            print(*(one["preview"].strip("\n") for one in shown), sep="\n\n")  # noqa: T201 - for a file
        return
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
