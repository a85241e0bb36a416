"""The command `owners`: who answers for which documents, and what nobody answers for."""

from __future__ import annotations

import click

from worker.cli.options import Flags, as_json, read_settings
from worker.cli.output import print_json


@click.command
@click.option("--orphaned", is_flag=True, help="List only the documents nobody answers for.")
@as_json
@click.pass_obj
def owners(flags: Flags, *, orphaned: bool, as_json: bool) -> None:
    """Show who answers for which documents, and for which nobody.

    The document itself names its owner, or else the reviewers file does. A document is orphaned if
    nobody is named, or if no route of the settings lists that name among its owners.

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
    from worker.cli import text, views_reviews

    if orphaned:
        text.show(*views_reviews.orphans(answer["orphaned"]["paths"]))
    else:
        text.show(views_reviews.owner_table(answer))
