"""Text for people: consoles, lines, progress bars, through Rich.

Commands import this only when they print text, because Rich is slow to load. Text from a document or a file
name goes through `plain`, which knows no markup and shows control characters. `worker.cli.views` has what
commands show of the library.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from worker.cli.tables import Listing, wrapped
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: In a file or a pipe, nothing is cut or wrapped.
_WIDTH_OF_PIPES = 10_000
#: The shortest time between two updates of a bar.
_SHOWN_SECONDS = 0.1


def console(*, stderr: bool = False) -> Console:
    """Return a console without markup, emoji codes and highlighting."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if stream.isatty() else _WIDTH_OF_PIPES,
    )


def show(*answers: RenderableType, hang: int = 0) -> None:
    """Print the answer of a command on standard output.

    On a terminal, text wraps at words; where a line goes on, it is indented by `hang`.
    """
    to = console()
    for part in answers:
        if isinstance(part, Group):
            show(*part.renderables, hang=hang)
        elif isinstance(part, Text):
            _print_text(part, to, hang=hang)
        elif isinstance(part, Listing) and not to.is_terminal:
            # Rich takes 0.3 ms for a row: six seconds for a library of 20,000.
            sys.stdout.writelines(f"{line}\n" for line in part.plain_lines())
        elif to.is_terminal:
            to.print(part, crop=False)
        else:
            with to.capture() as captured:
                to.print(part)
            sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def complain(lines: Sequence[Text]) -> None:
    """Print lines on standard error."""
    to = console(stderr=True)
    for line in lines:
        _print_text(line, to, hang=2)


def _print_text(text: Text, to: Console, *, hang: int) -> None:
    if not to.is_terminal:
        to.print(text, soft_wrap=True)
        return
    for line in wrapped(text, to.width, hang=hang):
        to.print(line, soft_wrap=True)


def plain(value: Any, style: str = "") -> Text:
    """Return one line of text for a table; None is shown as nothing."""
    return Text("" if value is None else visible(str(value)), style=style)


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def marks(named: Iterable[tuple[str, bool, str]]) -> Listing:
    """Return a table of checks: a green or a red mark, a name, a detail."""
    table = Listing(["", "name", "detail"], prose="detail", header=False)
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
