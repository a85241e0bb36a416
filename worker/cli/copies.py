"""Commands that copy the store into a file and back: `backup` and `restore-store`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from worker.cli.options import A_FILE, Flags, as_json, read_settings
from worker.cli.output import print_json


@click.command
@click.argument("file", metavar="FILE", type=A_FILE)
@as_json
@click.pass_obj
def backup(flags: Flags, *, file: Path, as_json: bool) -> None:
    """Copy the store into a new file, while the service runs.

    SQLite's copy is a SQLite database, PostgreSQL's a dump of its pg_dump in the custom format. The file
    appears whole or not at all, and only its owner may read it. The seeds folder needs its own backup.

    Example: content-sync backup content-sync-2026-11-30.backup
    """
    settings = read_settings(flags)
    from worker.run.backup import back_up

    done = back_up(settings, file)
    if as_json:
        print_json(done)
        return
    click.echo(f"Wrote {done['file']} ({done['bytes']:,} bytes).")
    click.echo(_holds(done))


@click.command
@click.argument("file", metavar="FILE", type=A_FILE)
@click.option("--replace", is_flag=True, help="Also replace a store that is not empty.")
@as_json
@click.pass_obj
def restore_store(flags: Flags, *, file: Path, replace: bool, as_json: bool) -> None:
    """Replace the store by a backup. Stop the service first.

    The store is replaced at one instant, after the backup was checked and brought to the tables of this
    version. An epoch begins, so that programs that follow the library take a new export. Afterwards
    `content-sync sync` stores what changed in the folder since the backup.

    Example: content-sync restore-store --replace content-sync-2026-11-30.backup
    """
    settings = read_settings(flags)
    from worker.library.opened import utc_now
    from worker.run.restore_store import restore_store

    done = restore_store(settings, file, replace=replace, now=utc_now())
    if as_json:
        print_json(done)
        return
    click.echo(f"Restored {done['file']}; the epoch {done['epoch']} begins.")
    click.echo(_holds(done))


def _holds(done: dict[str, Any]) -> str:
    rows = ", ".join(f"{number:,} {name}" for name, number in done["rows"].items() if number)
    newest = f"; checkpoint {done['checkpoint']}" if done["checkpoint"] else ""
    return f"Library {done['library']}: {rows or 'nothing yet'}{newest}."
