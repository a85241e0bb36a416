"""The tree of commands: which there are, and under which headings the help shows them.

Called by `worker.cli.run_command` alone.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from worker import __version__
from worker.cli import (
    answering,
    changes,
    check,
    due,
    following,
    library,
    owners,
    review,
    rules,
    run,
    verifying,
)
from worker.cli.options import Flags, Seeds

PROGRAM = "content-sync"
GLOBAL_OPTIONS = ("--config", "--seeds", "--store-url", "--broker-url")

RUN = "Run the service"
LOOK = "Look at the library"
REVIEWS = "Reviews"
CHECK = "Check"


class _Headings(TyperGroup):
    """Shows the commands under their headings.

    Typer's own headings come with Rich's Markdown and traceback modules: twice as long as the rest.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section a heading, in the order of registration."""
        shown = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        longest = max(len(name) for name, _ in shown)
        limit = formatter.width - 6 - longest
        for heading in (RUN, LOOK, REVIEWS, CHECK):
            rows = [
                (typer.style(name.ljust(longest), fg="cyan"), command.get_short_help_str(limit))
                for name, command in shown
                if getattr(command, "rich_help_panel", None) == heading
            ]
            with formatter.section(typer.style(heading, bold=True)):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=_Headings,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The settings file. [default: config/content-sync.toml]"),
    ] = None,
    seeds: Seeds = None,
    store_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The database, such as sqlite:///var/content-sync.db."),
    ] = None,
    broker_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The broker: memory:// or a Redis URL."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep a library of reviewed documents true: checked, versioned, and reviewed on time.

    Put Markdown files into the seeds folder. Each is checked and stored as a new version, and
    whoever answers for it gets a message when its review falls due.

    Begin with: content-sync up
    """
    if config is not None:
        if not config.is_file():
            raise typer.BadParameter(f"{config} is not a file", param_hint="--config")
        os.environ["CONTENT_SYNC_CONFIG"] = str(config)
    ctx.obj = Flags(seeds=seeds, store_url=store_url, broker_url=broker_url)


for heading, commands in (
    (RUN, (run.up, run.watch, run.worker, run.beat, run.migrate, run.sync, run.approve)),
    (
        LOOK,
        (
            *(library.status, library.list_, library.history, library.show),
            *(changes.diff, changes.why, changes.restore),
            *(following.events, following.export),
        ),
    ),
    (
        REVIEWS,
        (
            due.due,
            owners.owners,
            *(answering.reviewed, answering.snooze, answering.ack),
            *(answering.assign, answering.retire),
            *(review.remind, review.notify_test),
        ),
    ),
    (CHECK, (check.validate, rules.rules, rules.explain, verifying.verify, check.doctor)),
):
    for function in commands:
        name = function.__name__.strip("_").replace("_", "-")
        app.command(name, rich_help_panel=heading)(function)
app.add_typer(review.notices_app, name="notices", rich_help_panel=REVIEWS)


def command() -> Any:
    """Return the command to call, with the arguments of the process."""
    return typer.main.get_command(app)
