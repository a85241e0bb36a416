"""The options that commands share, and how what a person typed becomes settings and dates.

A function that reads what was typed raises a `ValueError`, whose words Click puts behind the option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.domain.seeds.visible import UNSAFE

if TYPE_CHECKING:
    from worker.settings.model import Settings

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

#: What shells complete to files. Whoever opens one says better than Click what is wrong with it.
A_FILE = click.Path(readable=False, path_type=Path)
#: The same, and it stays as it was typed.
A_PATH = click.Path(readable=False)


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
    raise ValueError(f"{text!r} is not a date; write it as 2026-03-30")


def a_time(text: str) -> datetime:
    """Read a time, or a day, which means its end; anything else is a usage error.

    The result has a zone only where the text has one.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time.max)
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time; write it as 2026-03-30 or 2026-03-30T14:05"
        ) from None


def a_name(text: str) -> str:
    """Read a person's name; one that is blank or not one line is a usage error."""
    name = " ".join(text.split())
    if not name or UNSAFE.search(name):
        raise ValueError(f"{text!r} is no name")
    return name


def who_says(by: str | None) -> str:
    """Return who says so: the name that was given, or the user who is logged in."""
    if by is not None:
        return by
    import getpass

    try:
        return a_name(getpass.getuser())
    except (OSError, KeyError, ImportError, ValueError):
        raise click.BadParameter(
            "nobody is logged in here: say who you are", param_hint="--by"
        ) from None


def in_zone(given: datetime, zone: tzinfo) -> datetime:
    """Return the instant that a person means: a time without a zone is the team's."""
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
by = click.option(
    "--by", metavar="NAME", type=a_name, help="Who says so. [default: who is logged in here]"
)
document_path = click.argument(
    "path", metavar="PATH", type=A_PATH, help="The document: its path in the seeds folder."
)
on_date = click.option(
    "--on", metavar="DATE", type=a_date, help="As if it were this day: 2026-03-30."
)
seeds_folder = click.option(
    "--seeds", metavar="FOLDER", type=A_FILE, help="The folder of the documents."
)


def read_settings(flags: Flags, *, seeds: Path | None = None, quiet: bool = True) -> Settings:
    """Return the settings with the flags of this command applied, and configure the log.

    `quiet` is for commands that answer and end: their log shows nothing below a warning.
    """
    from worker.run import logs
    from worker.settings.model import load_settings

    settings = load_settings(
        seeds=seeds or flags.seeds, store_url=flags.store_url, broker_url=flags.broker_url
    )
    logs.configure(settings, quiet=quiet)
    return settings
