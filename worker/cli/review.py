"""Commands about notices of reviews and refusals: remind, notices, notify-test."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING

import click

from worker.cli import completion
from worker.cli.options import Flags, as_json, on_date, read_settings
from worker.cli.output import complain, print_json

if TYPE_CHECKING:
    from datetime import date

#: The states of a notice.
NOTICE_STATES = ("pending", "sent", "failed", "cancelled")
#: People read no more lines; ten years leave hundreds of thousands.
_MOST_NOTICES = 100


@click.command
@on_date
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@as_json
@click.pass_obj
def remind(flags: Flags, *, on: date | None, dry_run: bool, as_json: bool) -> None:
    """Look for due reviews now, and notify their owners.

    The service does this every hour. Each notice is sent once.

    Example: content-sync remind --dry-run
    """
    settings = read_settings(flags)
    from worker.library.opened import open_services

    with open_services(settings) as services:
        answer = services.remind(on=on, dry_run=dry_run)
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views

    text.show(views.new_notices(answer["notices"], dry_run=dry_run))


@click.group(invoke_without_command=True, subcommand_metavar="[retry]")
@click.option("--state", type=click.Choice(NOTICE_STATES), help="Only notices in this state.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"At most so many, the newest; 0 for all. [default: {_MOST_NOTICES}, and all with --json]",
)
@click.option(
    "--before", type=click.IntRange(min=1), metavar="ID", help="Only notices older than this one."
)
@as_json
@click.pass_context
def notices(
    ctx: click.Context, *, state: str | None, limit: int | None, before: int | None, as_json: bool
) -> None:
    """List the notices: sent, pending, failed.

    Example: content-sync notices --state failed
    """
    if limit is None:
        limit = 0 if as_json else _MOST_NOTICES
    if ctx.invoked_subcommand is not None:
        if state is not None or before is not None or as_json:
            raise click.BadParameter(f"write options after: notices {ctx.invoked_subcommand} …")
        return
    settings = read_settings(ctx.obj)
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        listed = reader.notices(state, limit=limit + 1 if limit else None, before=before)
    shown = listed[:limit] if limit else listed
    if as_json:
        print_json(shown)
        return
    from worker.cli import text, views

    text.show(views.notice_table(shown, settings.zone, more=len(listed) > len(shown)))


@notices.command
@click.argument(
    "ids",
    metavar="[ID]...",
    nargs=-1,
    type=click.IntRange(min=1),
    help="Only these. [default: all that failed]",
)
@as_json
@click.pass_obj
def retry(flags: Flags, *, ids: tuple[int, ...], as_json: bool) -> None:
    """Send failed notices again.

    The service tries as often as with a new notice. A notice that no longer applies is not sent.

    Example: content-sync notices retry 12 13
    """
    settings = read_settings(flags)
    from worker.library.opened import open_services

    with open_services(settings) as services:
        retried = services.retry_notices(ids or None)
    if as_json:
        print_json({"retried": retried})
    else:
        from worker.cli import text

        text.show(text.plain(f"{text.count(retried, 'notice')} will be sent again"))
    if retried < len(set(ids)):
        complain(f"{len(set(ids)) - retried} of these have not failed")
        raise click.exceptions.Exit(1)


@click.command
@click.argument(
    "route",
    metavar="[ROUTE]",
    required=False,
    shell_complete=completion.routes,
    help="Only this route of the settings.",
)
@click.option(
    "--preview", is_flag=True, help="Print what would be sent now; send and open nothing."
)
@as_json
@click.pass_obj
def notify_test(flags: Flags, *, route: str | None, preview: bool, as_json: bool) -> None:
    """Send a test over each route, or show what would be sent.

    Example: content-sync notify-test --preview everyone
    """
    settings = read_settings(flags)
    if route is not None and route not in settings.routes:
        raise click.BadParameter(
            f"there is no route {route!r}; the routes are {', '.join(sorted(settings.routes))}",
            param_hint="ROUTE",
        )
    from worker.library.opened import open_services

    if preview:
        with open_services(settings) as services:
            shown = [services.preview(name) for name in ([route] if route else settings.routes)]
        if as_json:
            print_json(shown)
        else:
            print(*(one["preview"].strip("\n") for one in shown), sep="\n\n")  # noqa: T201 - for a file
        return
    # The console channel prints on standard output, which is for JSON alone.
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
        raise click.exceptions.Exit(1)
