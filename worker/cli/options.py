"""The options that commands share, and how what a person typed becomes settings and dates."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.domain.visible import UNSAFE

if TYPE_CHECKING:
    from worker.settings import Settings

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The options before the command; None where one was not given."""

    seeds: Path | None = None
    store_url: str | None = None
    broker_url: str | None = None


def a_date(text: str) -> date:
    """Read a date as people give it to a command; anything but `2026-03-30` is a usage error."""
    try:
        if _DATE.fullmatch(text):  # Python would take 20260330 and week dates too
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a date; write it as 2026-03-30")


def a_time(text: str) -> datetime:
    """Read a time, or a day, which means its end; anything else is a usage error.

    The result has a zone only where the text has one.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time.max)
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time; write it as 2026-03-30 or 2026-03-30T14:05"
        ) from None


def a_name(text: str) -> str:
    """Read a person's name; one that is blank or not one line is a usage error."""
    name = " ".join(text.split())
    if not name or UNSAFE.search(name):
        raise typer.BadParameter(f"{text!r} is no name")
    return name


def who_says(by: str | None) -> str:
    """Return who says so: the name that was given, or the user who is logged in."""
    if by is not None:
        return by
    import getpass

    try:
        return a_name(getpass.getuser())
    except (OSError, KeyError, ImportError, typer.BadParameter):
        raise typer.BadParameter(
            "nobody is logged in here: say who you are", param_hint="--by"
        ) from None


def in_zone(given: datetime, zone: tzinfo) -> datetime:
    """Return the instant that a person means: a time without a zone is the team's."""
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="NAME", parser=a_name, help="Who says so. [default: who is logged in here]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Seeds = Annotated[
    Path | None, typer.Option("--seeds", metavar="FOLDER", help="The folder of the documents.")
]
DocumentPath = Annotated[
    str, typer.Argument(metavar="PATH", help="The document: its path in the seeds folder.")
]
OnDate = Annotated[
    date | None,
    typer.Option("--on", metavar="DATE", parser=a_date, help="As if it were this day: 2026-03-30."),
]


def read_settings(
    ctx: typer.Context, *, seeds: Path | None = None, quiet: bool = True
) -> "Settings":
    """Return the settings with the flags of this command applied, and configure the log.

    `quiet` is for commands that answer and end: their log shows nothing below a warning.
    """
    from worker import logs
    from worker.settings import load_settings

    flags: Flags = ctx.obj
    settings = load_settings(
        seeds=seeds or flags.seeds, store_url=flags.store_url, broker_url=flags.broker_url
    )
    logs.configure(settings, quiet=quiet)
    return settings
