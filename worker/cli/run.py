"""Commands that run the service: up, watch, worker, beat, migrate, sync, approve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.options import Flags, as_json, read_settings, seeds_folder
from worker.cli.output import complain, print_json

if TYPE_CHECKING:
    from pathlib import Path

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
@click.option("--show", is_flag=True, help="Show what is held; approve nothing.")
@as_json
@click.pass_obj
def approve(flags: Flags, *, show: bool, as_json: bool) -> None:
    """Approve the changes that are held.

    When very many files vanish at once, the service holds the removals because the folder may be
    unmounted. After you approve, the documents retire and keep their history. When very many files are
    refused at once, it holds the messages. After you approve, each goes to whoever answers for the file.

    Example: content-sync approve --show
    """
    settings = read_settings(flags)
    from worker.library.opened import open_services

    with open_services(settings) as services:
        answer = services.held() if show else services.approve()
    if show and not as_json:
        from worker.cli import text, views

        text.show(views.held_table(answer, settings.zone))
        return
    if as_json:
        print_json(answer)
        return
    if number := answer["removals"]:
        click.echo(
            f"Approved {number:,} removals. The next scan of the folder retires the documents."
        )
    if number := answer["refusals"]:
        click.echo(f"Approved {number:,} refusals. Whoever answers for the files gets a message.")
    if not any(answer.values()):
        complain("nothing is held")
