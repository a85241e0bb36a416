"""Text for people: consoles, tables, bars and colours, by Rich.

Imported by commands only when they print text, for Rich is slow to load. Whatever comes from a
document or a file name goes through `plain`, which knows no markup and shows control characters.
What is said of the library is in `worker.cli.views`; this module knows nothing of it.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Where output goes to a file or a pipe nothing is cut or wrapped.
_WIDTH_OF_PIPES = 10_000
#: What parts the columns of a table: above, right, below, left of a cell.
_PADDING = (0, 2, 0, 0)
_BETWEEN = " " * 2
#: How long a bar stands before it is drawn anew.
_SHOWN_SECONDS = 0.1


def console(*, stderr: bool = False) -> Console:
    """Return a console that takes no markup, no emoji codes and highlights nothing."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if stream.isatty() else _WIDTH_OF_PIPES,
    )


def show(answer: RenderableType) -> None:
    """Print the answer of a command on standard output, without the padding of tables in a pipe."""
    to = console()
    if to.is_terminal or isinstance(answer, Text):
        to.print(answer, soft_wrap=isinstance(answer, Text))
        return
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in _lines(answer, to))


def _lines(answer: RenderableType, to: Console) -> Iterator[str]:
    """Yield an answer line by line, as it is printed where nothing is cut, wrapped or coloured.

    Rich takes 0.3 ms for a row of a table: six seconds for a library of 20,000.
    """
    if isinstance(answer, Group):
        for part in answer.renderables:
            yield from _lines(part, to)
    elif isinstance(answer, Table) and (cells := _cells(answer)) is not None:
        widths = [max(map(cell_len, column), default=0) for column in cells]
        aligned = [
            [" " * (width - cell_len(cell)) + cell for cell in column]
            if of.justify == "right"
            else [cell + " " * (width - cell_len(cell)) for cell in column]
            for of, column, width in zip(answer.columns, cells, widths, strict=True)
        ]
        for row in zip(*aligned, strict=True):
            yield _BETWEEN.join(row)
    else:
        with to.capture() as captured:
            to.print(answer)
        yield from captured.get().splitlines()


def _cells(table: Table) -> list[list[str]] | None:
    """Return the header and the cells of each column of a `table_of`; None where one is no plain line."""
    if table.box is not None or table.title is not None or table.padding != _PADDING:
        return None
    columns = []
    for column in table.columns:
        cells = [
            cell if isinstance(cell, str) else getattr(cell, "plain", "\n") for cell in column.cells
        ]
        if any("\n" in cell for cell in cells):
            return None
        columns.append([*([str(column.header)] if table.show_header else []), *cells])
    return columns


def complain(lines: Sequence[Text]) -> None:
    """Print lines on standard error."""
    to = console(stderr=True)
    for line in lines:
        to.print(line, soft_wrap=True)


def plain(value: Any, style: str = "") -> Text:
    """Return one line of text for a table; None is shown as nothing."""
    return Text("" if value is None else visible(str(value)), style=style)


def local_time(value: str | None, zone: tzinfo) -> str:
    """Return an instant of the JSON as people of the team read it, to the second."""
    if not value:
        return ""
    return f"{datetime.fromisoformat(value).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def ago(span: timedelta) -> str:
    """Return `3 minutes ago`, in the largest unit of which there are two."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * size or size == 1:
            return f"{count(seconds // size, unit)} ago"
    raise AssertionError


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def table_of(*columns: str, numbers: Iterable[str] = (), whole: Iterable[str] = ()) -> Table:
    """Return an empty table without frames; `numbers` stand right, `whole` columns never break."""
    table = Table(box=None, pad_edge=False, padding=_PADDING, header_style="bold", expand=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in numbers else "left",
            no_wrap=name in numbers or name in whole,
            overflow="fold",
        )
    return table


def marks(named: Iterable[tuple[str, bool, str]]) -> Table:
    """Return a table of checks: a green or a red mark, a name, a detail."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, ok, detail in named:
        mark = Text("✓", style="green") if ok else Text("✗", style="bold red")
        table.add_row(mark, plain(name), plain(detail, "" if ok else "red"))
    return table


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error while it is a terminal; yield what moves it."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import progress as parts

    with parts.Progress(
        parts.TextColumn("{task.description}"),
        parts.BarColumn(),
        parts.MofNCompleteColumn(),
        parts.TextColumn("{task.fields[rate]}"),
        parts.TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        auto_refresh=False,  # which takes a thread, and a process with threads is not forked
    ) as bar:
        task = bar.add_task(label, total=None, rate="")
        shown_at = float("-inf")

        def move(done: int, total: int) -> None:
            nonlocal shown_at
            now = time.monotonic()
            if now - shown_at < _SHOWN_SECONDS and done != total:
                return
            shown_at = now
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")
            bar.refresh()

        yield move
