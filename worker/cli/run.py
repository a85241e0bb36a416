"""Commands that run the service: up, watch, worker, beat, migrate, sync, approve."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import Flags, as_json, by, read_settings, seeds_folder, who_says
from worker.cli.output import complain, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from worker.settings.model import Settings

QUEUES = ("live", "bulk", "notices")


def _queues(text: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in named if name not in QUEUES]
    if unknown or not named:
        raise ValueError(
            f"{text!r} is not a list of queues; write one or more of {','.join(QUEUES)}"
        )
    return named


@click.command
@seeds_folder
@click.pass_obj
def up(flags: Flags, *, seeds: Path | None) -> None:
    """Run the whole service: watch the folder, store, remind.

    One process does everything and needs no other service. Ctrl-C stops it without losing anything.

    Example: content-sync up
    """
    settings = read_settings(flags, seeds=seeds, quiet=False)
    from worker.run import processes

    processes.up(settings)


@click.command
@seeds_folder
@click.pass_obj
def watch(flags: Flags, *, seeds: Path | None) -> None:
    """Run only the watcher, over Redis.

    It watches the folder and sends changed files to the workers. Use it for a service of several
    processes or machines.

    Example: content-sync --broker-url redis://localhost:6379/0 watch
    """
    settings = read_settings(flags, seeds=seeds, quiet=False)
    from worker.run import processes

    processes.watch(settings)


@click.command
@click.option(
    "--concurrency",
    "-c",
    metavar="N",
    type=click.IntRange(min=1),
    default=2,
    help="How many processes work in parallel.",
)
@click.option(
    "--queues",
    "-Q",
    metavar="NAMES",
    type=_queues,
    default=",".join(QUEUES),
    help="The queues it works on, separated by commas.",
)
@click.option("--name", "-n", metavar="NAME", help="The name of this worker among several.")
@click.pass_obj
def worker(flags: Flags, *, concurrency: int, queues: tuple[str, ...], name: str | None) -> None:
    """Run only a worker, over Redis.

    It checks and stores the files that the watcher sends, and sends messages. Run any number of workers,
    on any machine that reaches Redis and the database.

    Example: content-sync --broker-url redis://localhost:6379/0 worker
    """
    settings = read_settings(flags, quiet=False)
    from worker.run import processes

    processes.work(settings, concurrency=concurrency, queues=queues, name=name)


@click.command
@click.pass_obj
def beat(flags: Flags) -> None:
    """Run only the scheduler, over Redis.

    It starts the tasks that look for due reviews and send messages. One is enough.

    Example: content-sync --broker-url redis://localhost:6379/0 beat
    """
    settings = read_settings(flags, quiet=False)
    from worker.run import processes

    processes.beat(settings)


@click.command
@as_json
@click.pass_obj
def migrate(flags: Flags, *, as_json: bool) -> None:
    """Upgrade the tables of the database.

    `content-sync up` does this at its start. A second run changes nothing.

    Example: content-sync migrate
    """
    settings = read_settings(flags)
    from worker.run import processes

    before, now = processes.migrate(settings)
    if as_json:
        print_json({"before": before, "now": now})
    elif before == now:
        click.echo(f"The database is up to date, at revision {now}.")
    else:
        click.echo(f"The database was upgraded from revision {before or 'none'} to {now}.")


@click.command
@click.option("--full", is_flag=True, help="Read every file, even when it seems unchanged.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; store nothing.")
@seeds_folder
@as_json
@click.pass_obj
def sync(flags: Flags, *, full: bool, dry_run: bool, seeds: Path | None, as_json: bool) -> None:
    """Read the folder once, store what changed, and exit.

    Exits with 1 when a file was refused, when a file was still being written, or when changes are held
    until a person approves them.

    Example: content-sync sync
    """
    settings = read_settings(flags, seeds=seeds)
    from worker.watch.scan_process import walk_ahead

    begun = walk_ahead(settings)  # while the slow imports below load
    from worker.cli import text, views
    from worker.run.sync import sync_folder

    with text.progress("Reading the folder") as progress:
        report = sync_folder(settings, full=full, dry_run=dry_run, progress=progress, begun=begun)
    counts = report.as_json()
    if as_json:
        print_json(counts)
    else:
        text.show(views.sync_counts(counts, dry_run=dry_run))
    text.complain(views.sync_findings(report))
    if report.refusals or report.busy or report.unsure or report.held:
        raise click.exceptions.Exit(1)


@click.command
@click.argument(
    "ids", metavar="[ID…]", nargs=-1, help="The IDs of the lists, as --show prints them."
)
@click.option("--show", is_flag=True, help="Show what is held; approve nothing.")
@by
@as_json
@click.pass_obj
def approve(
    flags: Flags, *, ids: tuple[str, ...], show: bool, by: str | None, as_json: bool
) -> None:
    """Approve the changes that are held.

    When very many files vanish within a day, the service holds the removals because the folder may be
    unmounted. After you approve, the documents retire and keep their history. When very many files are
    refused within a day, it holds the messages. After you approve, each goes to whoever answers for the
    file.

    You approve exactly the list with the ID: if it has changed since it was shown, nothing is approved.
    On a terminal the ID may be left out; then the lists are shown, and you are asked.

    Example: content-sync approve 12-5f3a9c1e7b20
    """
    settings = read_settings(flags)
    from worker.ingest.holds import NotApprovedError
    from worker.library.opened import open_services

    with open_services(settings) as services:
        if show or not ids:
            held = services.held()
            if show:
                _show_held(held, settings, as_json=as_json)
                return
            ids = _choose(held, settings, as_json=as_json)
        try:
            answer = {"removals": 0, "refusals": 0}
            if ids:
                answer = services.approve(ids, by=who_says(by))
        except NotApprovedError as error:
            complain(str(error))
            raise click.exceptions.Exit(1) from None
    if as_json:
        print_json(answer)
        return
    if number := answer["removals"]:
        click.echo(
            f"Approved {number:,} removals. The next scan of the folder retires the documents."
        )
    if number := answer["refusals"]:
        click.echo(f"Approved {number:,} refusals. Whoever answers for the files gets a message.")


def _show_held(held: dict[str, Any], settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json(held)
        return
    from worker.cli import text, views

    text.show(views.held_table(held, settings.zone))


def _choose(held: dict[str, Any], settings: Settings, *, as_json: bool) -> tuple[str, ...]:
    """Show what is held on a terminal, and return the IDs of the lists that the person approves.

    Exits with 1 if they approve nothing. Programs have to name the ID.
    """
    waiting = {kind: given for kind, given in held["ids"].items() if given is not None}
    if not waiting:
        complain("nothing is held")
        return ()
    if as_json or not sys.stdin.isatty():
        raise click.UsageError(
            f"{' and '.join(waiting)} are held: look at `content-sync approve --show`, which prints"
            " the ID to approve"
        )
    _show_held(held, settings, as_json=False)
    chosen = []
    try:
        for kind, given in waiting.items():
            if click.confirm(f"Approve {len(held[kind]):,} {kind}?", err=True):
                chosen.append(given)
    except click.Abort:  # Ctrl-C, or the end of the input
        click.echo(err=True)
        chosen = []
    if not chosen:
        complain("nothing was approved")
        raise click.exceptions.Exit(1)
    return tuple(chosen)
