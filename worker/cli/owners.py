"""The command `owners`: who answers for which documents, a row for each owner, then the orphaned ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from worker.cli import text
from worker.cli.options import Flags, as_json, read_settings
from worker.cli.output import print_json
from worker.cli.text import count, plain, table_of
from worker.cli.views import REVIEW_STYLES

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_ORPHANS_SHOWN = 5
_COUNTS = ("overdue", "due", "upcoming")


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
    text.show(_owner_table(answer, every_path=orphaned))


def _owner_table(answer: dict[str, Any], *, every_path: bool) -> RenderableType:
    """Return `owners`; with `every_path` no orphaned document is left out."""
    orphans = _orphans(answer["orphaned"]["paths"], every_path=every_path)
    if not answer["owners"]:
        return Group(*orphans)
    table = table_of(
        "owner", "told by", "documents", *_COUNTS, "next due", "named in",
        numbers=("documents", *_COUNTS), whole=("next due", "named in"),
    )  # fmt: skip
    for one in answer["owners"]:
        nobody = one["owner"] is None
        table.add_row(
            Text("nobody", style="bold red") if nobody else plain(one["owner"], "bold"),
            plain(", ".join(one["routes"])) if one["routes"] else Text("no route", style="red"),
            f"{one['documents']:,}",
            *(_number(one[state], REVIEW_STYLES[state]) for state in _COUNTS),
            plain(one["next_due_on"]),
            plain("" if nobody else one["source"], "dim"),
        )
    return Group(table, Text(), *orphans)


def _number(number: int, style: str) -> Text:
    return Text(f"{number:,}", style=style if number else "dim")


def _orphans(paths: Sequence[str], *, every_path: bool) -> list[Text]:
    if not paths:
        return [Text("Somebody answers for every document.", style="green")]
    shown = paths if every_path else paths[:_MOST_ORPHANS_SHOWN]
    head = f"Orphaned: {count(len(paths), 'document')}"
    lines = [Text(head, style="bold red"), *(plain(f"  {path}") for path in shown)]
    if len(paths) > len(shown):
        more = f"  and {len(paths) - len(shown):,} more; content-sync owners --orphaned names all"
        lines.append(Text(more, style="dim"))
    return lines
