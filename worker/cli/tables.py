"""Tables and text that fit the terminal and never cut a path.

Rich breaks a long path in the middle of a word, and the path is what the next command needs. The views make
these tables; `worker.cli.text.show` prints them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions

_GAP = "  "
_WORD = re.compile(r"\s*\S+\s*")
_INDENT = 2
#: A column that may be cut keeps this many cells.
_LEAST_CUT = 16
#: Below a key, such a column is at most this wide: the columns after it stay close.
_MOST_CUT = 60
#: Prose with less room than this goes below its row.
_LEAST_PROSE = 24


class Listing:
    """Rows below a header, without frames.

    On a narrow terminal, the columns in `short` are cut with an ellipsis, and the column `prose`, always
    the last, wraps at words. If that is not enough, the column `key` gets a line of its own in each row:
    it is never cut. `numbers` are aligned right. Without `header`, the names of the columns are not shown.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        numbers: Iterable[str] = (),
        key: str | None = None,
        short: Iterable[str] = (),
        prose: str | None = None,
        header: bool = True,
    ) -> None:
        """Make an empty table."""
        self._columns = list(columns)
        self._numbers = {self._columns.index(name) for name in numbers}
        self._short = {self._columns.index(name) for name in short}
        self._key = None if key is None else self._columns.index(key)
        self._prose = None if prose is None else self._columns.index(prose)
        self._rows = [[Text(name, style="bold") for name in columns]] if header else []
        self._natural = [cell_len(name) if header else 0 for name in columns]

    def add_row(self, *cells: str | Text) -> None:
        """Add a row: one cell a column, each of one line."""
        row = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
        self._natural = [
            max(width, cell.cell_len) for width, cell in zip(self._natural, row, strict=True)
        ]
        self._rows.append(row)

    def plain_lines(self) -> Iterator[str]:
        """Yield the rows as a pipe gets them: nothing is cut, wrapped or coloured."""
        for row in self._rows:
            cells = [
                _pad(width - cell.cell_len, cell.plain, right=number in self._numbers)
                for number, (cell, width) in enumerate(zip(row, self._natural, strict=True))
            ]
            yield _GAP.join(cells).rstrip()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the rows as a terminal of this width shows them."""
        columns = list(range(len(self._columns)))
        width = options.max_width
        apart = self._key is not None and self._least(columns) > width
        if apart:
            columns.remove(self._key or 0)
            width -= _INDENT
        widths = self._fitted(columns, width)
        for row in self._rows:
            if apart:
                yield from _segments(row[self._key or 0], console)
                yield Segment.line()
            yield from self._row(row, columns, widths, console, _INDENT if apart else 0)

    def _least(self, columns: Sequence[int]) -> int:
        """Return the width that the columns need when all give way that can."""
        least = 0
        for column in columns:
            natural = self._natural[column]
            if column in self._short:
                natural = min(natural, _LEAST_CUT)
            elif column == self._prose:
                natural = min(natural, _LEAST_PROSE)
            least += natural + len(_GAP)
        return least - len(_GAP)

    def _fitted(self, columns: Sequence[int], width: int) -> dict[int, int]:
        """Return the width of each column; 0 for prose that has to go below its row."""
        widths = {column: self._natural[column] for column in columns}
        for column in self._short & widths.keys() if len(columns) < len(self._columns) else ():
            widths[column] = min(widths[column], _MOST_CUT)
        prose = self._prose if self._prose in widths else None
        if prose is not None:
            others = sum(widths.values()) - widths[prose] + len(_GAP) * (len(columns) - 1)
            cut = sum(max(0, widths[one] - _LEAST_CUT) for one in self._short & widths.keys())
            least = min(widths[prose], _LEAST_PROSE)
            widths[prose] = 0 if others - cut + least > width else max(least, width - others)
        over = sum(widths.values()) + len(_GAP) * (len(columns) - 1) - width
        if prose is not None and not widths[prose]:
            over -= len(_GAP)
        # Those that may be cut come first; the widest others only where nothing else helps.
        can = [one for one in columns if one not in self._numbers | {self._key, prose}]
        for column in sorted(can, key=lambda one: (one not in self._short, -widths[one])):
            taken = min(max(0, over), max(0, widths[column] - _LEAST_CUT))
            widths[column] -= taken
            over -= taken
        return widths

    def _row(
        self,
        row: Sequence[Text],
        columns: Sequence[int],
        widths: dict[int, int],
        console: Console,
        indent: int,
    ) -> Iterator[Segment]:
        prose = self._prose if self._prose in widths else None
        below = prose is not None and _longest_word(row[prose]) > widths[prose]
        beside = [column for column in columns if column != prose]
        start = indent + sum(widths[one] + len(_GAP) for one in beside)
        pending = indent
        if not below or any(row[column].plain for column in beside):
            for column in beside:
                cell, width = row[column], widths[column]
                if cell.cell_len > width and column != self._key:
                    cell = cell.copy()
                    cell.truncate(width, overflow="ellipsis")
                space = max(0, width - cell.cell_len)
                before, after = (space, 0) if column in self._numbers else (0, space)
                if cell.plain:
                    yield Segment(" " * (pending + before))
                    yield from _segments(cell, console)
                    pending = after + len(_GAP)
                else:
                    pending += before + after + len(_GAP)
            if prose is not None and not below and row[prose].plain:
                for number, part in enumerate(_parts(row[prose], widths[prose])):
                    yield Segment("\n" + " " * start if number else " " * pending)
                    yield from _segments(part, console)
            yield Segment.line()
        if below and prose is not None:
            wide = console.width - start >= 2 * _LEAST_PROSE
            first = start if wide else indent + _INDENT
            for line in wrapped(row[prose], console.width, first=first):
                yield from _segments(line, console)
                yield Segment.line()


def wrapped(text: Text, width: int, *, first: int = 0, hang: int = 0) -> Iterator[Text]:
    """Yield a text in lines of at most `width` cells, broken between words only.

    Each line is indented by `first`; where a line goes on, by its own indent or by `hang`, the larger one.
    A word that does not fit behind its indent begins further left. A word wider than `width` stays whole.
    """
    for line in text.split("\n", allow_blank=True):
        line.expand_tabs(8)
        if first + line.cell_len <= width:
            yield Text(" " * first) + line
            continue
        own = len(line.plain) - len(line.plain.lstrip(" "))
        for number, part in enumerate(_parts(line[own:], width - first - max(own, hang))):
            indent = first + (max(own, hang) if number else own)
            yield Text(" " * min(indent, max(0, width - part.cell_len))) + part


def _parts(line: Text, width: int) -> Iterator[Text]:
    """Yield a line in parts of at most `width` cells; a longer word is a part of its own."""
    breaks, used = [], 0
    for word in _WORD.finditer(line.plain):
        if used and used + cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            used = 0
        used += cell_len(word[0])
    for part in line.divide(breaks):
        part.rstrip()
        yield part


def _segments(text: Text, console: Console) -> Iterator[Segment]:
    """Yield a text with its style, which `Text.render` leaves out where no part has another one."""
    if text.spans:
        yield from text.render(console)
    else:
        yield Segment(text.plain, console.get_style(text.style))


def _longest_word(text: Text) -> int:
    return max(map(cell_len, text.plain.split()), default=0)


def _pad(space: int, text: str, *, right: bool) -> str:
    return " " * space + text if right else text + " " * space
