"""What the command `owners` shows: a row for each owner, then what is orphaned. Nothing is printed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from worker.cli.text import count, plain, table_of
from worker.cli.views import REVIEW_STYLES

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_ORPHANS_SHOWN = 5
_COUNTS = ("overdue", "due", "upcoming")


def owner_table(answer: dict[str, Any], *, every_path: bool) -> RenderableType:
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
