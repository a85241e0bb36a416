"""The command that tells who answers for what: owners."""

from __future__ import annotations

import click

from worker.cli.options import Flags, as_json, read_settings
from worker.cli.output import print_json


@click.command
@click.option(
    "--orphaned", is_flag=True, help="Only what nobody answers for, every document by name."
)
@as_json
@click.pass_obj
def owners(flags: Flags, *, orphaned: bool, as_json: bool) -> None:
    """Show who answers for which documents, and where nobody does.

    An owner is named by a document itself, or else by the reviewers file. A document is orphaned where
    nobody is named, or where no route of the settings lists that name as one of its owners.

    Example: content-sync owners --orphaned
    """
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        answer = reader.owners()
    if orphaned:
        answer["owners"] = [one for one in answer["owners"] if not one["routes"]]
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views_owners

    text.show(views_owners.owner_table(answer, every_path=orphaned))
