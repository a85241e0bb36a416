"""The tree of commands: which there are, and under which headings the help shows them.

A command's module is imported when the command is called, or when the help of all is asked for. Called
by `worker.cli.run_command` alone.
"""

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from worker import __version__
from worker.cli.options import Flags, Seeds

PROGRAM = "content-sync"
GLOBAL_OPTIONS = ("--config", "--seeds", "--store-url", "--broker-url")

RUN = "Run the service"
LOOK = "Look at the library"
REVIEWS = "Reviews"
CHECK = "Check"

#: Under its heading and in the order of the help, where each command is: its module and what is there.
_PLACES = {
    RUN: (
        *("run.up", "run.watch", "run.worker", "run.beat"),
        *("run.migrate", "run.sync", "run.approve"),
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
        *("review.remind", "review.notify_test", "review.notices_app"),
    ),
    CHECK: ("check.validate", "rules.rules", "rules.explain", "verifying.verify", "check.doctor"),
}


class _Commands(Mapping[str, Any]):
    """The commands by name; a module is imported when one of its commands is asked for."""

    def __init__(self) -> None:
        self._places = {_name(place): place for places in _PLACES.values() for place in places}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(self._places[name], name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _name(place: str) -> str:
    return place.partition(".")[2].removesuffix("_app").strip("_").replace("_", "-")


def _load(place: str, name: str) -> Any:
    module, _, attribute = place.partition(".")
    found = getattr(import_module(f"worker.cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command(name)(function)
    made = typer.main.get_command(found)
    made.name = name
    return made


class _Headings(TyperGroup):
    """Loads a command when it is called, and shows all under their headings.

    Typer's own headings come with Rich's Markdown and traceback modules: twice as long as the rest.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.commands: Any = _Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as Typer calls it
        """Write one section a heading."""
        longest = max(map(len, self.commands))
        limit = formatter.width - 6 - longest
        for heading, places in _PLACES.items():
            rows = [
                (
                    typer.style(name.ljust(longest), fg="cyan"),
                    self.commands[name].get_short_help_str(limit),
                )
                for name in map(_name, places)
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


def command() -> Any:
    """Return the command to call, with the arguments of the process."""
    return typer.main.get_command(app)
