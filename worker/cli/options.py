"""Options that commands share, and the conversion of typed values to dates, names and settings.

A function that converts a value raises `ValueError`; Click prints its message after the option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli import completion
from worker.domain.seeds.visible import UNSAFE

if TYPE_CHECKING:
    from worker.settings.model import Settings

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

#: A file, which shells complete. Click does not check it: the code that opens it has better messages.
A_FILE = click.Path(readable=False, path_type=Path)
#: The same, as a string that stays as it was typed.
A_PATH = click.Path(readable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The options before the command; None for one that was not given."""

    seeds: Path | None = None
    store_url: str | None = None
    broker_url: str | None = None


def a_date(text: str) -> date:
    """Read a date such as `2026-03-30`; another form is a usage error."""
    try:
        if _DATE.fullmatch(text):  # fromisoformat accepts 20260330 and week dates, too
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a date; write it as 2026-03-30")


def a_time(text: str) -> datetime:
    """Read a time, or a day, which means the end of that day; another form is a usage error.

    The result has a time zone only if the text has one.
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
    """Read a person's name; a blank one, or one with control characters, is a usage error."""
    name = " ".join(text.split())
    if not name or UNSAFE.search(name):
        raise ValueError(f"{text!r} is not a name")
    return name


def who_says(by: str | None) -> str:
    """Return the name to record: the given one, or the login name."""
    if by is not None:
        return by
    import getpass

    try:
        return a_name(getpass.getuser())
    except (OSError, KeyError, ImportError, ValueError):
        raise click.BadParameter(
            "the login name is unknown: add --by NAME", param_hint="--by"
        ) from None


def in_zone(given: datetime, zone: tzinfo) -> datetime:
    """Return a time in its zone; one without a zone is in the team's."""
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
by = click.option(
    "--by", metavar="NAME", type=a_name, help="The name to record. [default: the login name]"
)
document_path = click.argument(
    "path",
    metavar="PATH",
    type=A_PATH,
    shell_complete=completion.documents,
    help="The document: its path, with or without the seeds folder.",
)
on_date = click.option(
    "--on", metavar="DATE", type=a_date, help="Answer as on this day, such as 2026-03-30."
)
seeds_folder = click.option(
    "--seeds", metavar="FOLDER", type=A_FILE, help="The folder of the documents."
)


def read_settings(flags: Flags, *, seeds: Path | None = None, quiet: bool = True) -> Settings:
    """Return the settings with the flags of this command, and configure the log.

    With `quiet`, for commands that print an answer and exit, the log shows only warnings and errors.
    """
    from worker.run import logs
    from worker.settings.model import load_settings

    settings = load_settings(
        seeds=seeds or flags.seeds, store_url=flags.store_url, broker_url=flags.broker_url
    )
    logs.configure(settings, quiet=quiet)
    return settings
