"""The tree of commands, and the headings under which the help shows them.

The module of a command is imported when the command is called or when the help lists all commands.
Called by `worker.cli.run_command`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import A_FILE, Flags, seeds_folder

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "content-sync"
GLOBAL_OPTIONS = ("--config", "--seeds", "--store-url", "--broker-url")

RUN = "Run the service"
LOOK = "Look at the library"
REVIEWS = "Reviews"
CHECK = "Check"

#: Under each heading, in the order of the help, the module and the name of each command.
_PLACES = {
    RUN: (
        *("init.init", "run.up", "run.watch", "run.worker", "run.beat"),
        *("run.migrate", "run.sync", "run.approve"),
        *("copies.backup", "copies.restore_store"),
    ),
    LOOK: (
        *("library.status", "library.list_", "library.history", "library.show"),
        *("changes.diff", "changes.why", "changes.restore"),
        *("following.events", "following.export"),
    ),
    REVIEWS: (
        *("due.due", "owners.owners"),
        *("answering.reviewed", "answering.snooze", "answering.ack"),
        *("answering.assign", "answering.retire"),
        *("review.remind", "review.notify_test", "review.notices"),
    ),
    CHECK: ("check.validate", "rules.rules", "rules.explain", "verifying.verify", "check.doctor"),
}


def _name(place: str) -> str:
    return place.partition(".")[2].strip("_").replace("_", "-")


_PLACE_OF = {_name(place): place for places in _PLACES.values() for place in places}


def _load(place: str) -> click.Command:
    module, _, attribute = place.partition(".")
    found: click.Command = getattr(import_module(f"worker.cli.{module}"), attribute)
    return found


class _Headings(click.Group):
    """A group that loads a command when it is called and lists commands under headings."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command with a name, or None."""
        return _load(_PLACE_OF[cmd_name]) if cmd_name in _PLACE_OF else None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands in the order of the help."""
        return list(_PLACE_OF)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raise an error with the nearest names for an unknown command."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand:
            raise click.NoSuchCommand(args[0], possibilities=_PLACE_OF, ctx=ctx) from None

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        """Exit silently on Ctrl-C; Click would print an empty line."""
        try:
            return super().make_context(*given, **named)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None

    def invoke(self, ctx: click.Context) -> Any:
        """End by Ctrl-C likewise."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write a section for each heading."""
        longest = max(map(len, _PLACE_OF))
        limit = formatter.width - 6 - longest
        for heading, places in _PLACES.items():
            rows = [
                (
                    click.style(_name(place).ljust(longest), fg="cyan"),
                    _load(place).get_short_help_str(limit),
                )
                for place in places
            ]
            with formatter.section(click.style(heading, bold=True)):
                formatter.write_dl(rows)


def _print_completion(ctx: click.Context, _param: click.Parameter, shell: str | None) -> None:
    if shell is None or ctx.resilient_parsing:
        return
    from click.shell_completion import shell_complete

    variable = "_CONTENT_SYNC_COMPLETE"  # Click reads this one
    ctx.exit(shell_complete(ctx.command, {}, PROGRAM, variable, f"{shell}_source"))


@click.group(
    cls=_Headings,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.option(
    "--config",
    metavar="FILE",
    type=A_FILE,
    help="The settings file. [default: config/content-sync.toml, here or in a folder above]",
)
@seeds_folder
@click.option(
    "--store-url", metavar="URL", help="The database, such as sqlite:///var/content-sync.db."
)
@click.option("--broker-url", metavar="URL", help="The broker: memory:// or a Redis URL.")
@click.version_option(
    package_name=PROGRAM, message="%(prog)s %(version)s", help="Show the version."
)
@click.option(
    "--completion",
    metavar="SHELL",
    type=click.Choice(("bash", "zsh", "fish")),
    is_eager=True,
    expose_value=False,
    callback=_print_completion,
    help="Print the completion script for bash, zsh or fish.",
)
@click.pass_context
def program(
    ctx: click.Context,
    *,
    config: Path | None,
    seeds: Path | None,
    store_url: str | None,
    broker_url: str | None,
) -> None:
    """Keep a library of reviewed documents correct and up to date.

    Put Markdown files into the seeds folder. The service checks each file and stores every version of
    it. When a review is due, the person who answers for the document gets a message.

    Start with: content-sync init, then content-sync up
    """
    if config is not None:
        if not config.is_file():
            raise click.BadParameter(f"{config.absolute()} is not a file", param_hint="--config")
        os.environ["CONTENT_SYNC_CONFIG"] = str(config)
    ctx.obj = Flags(seeds=seeds, store_url=store_url, broker_url=broker_url)
