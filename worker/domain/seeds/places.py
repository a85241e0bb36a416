"""The places of front-matter fields in a file, as lines and columns.

This is a second pass over the YAML parser's events, made only for files with problems. It does not
check limits again: `worker.domain.seeds.front_matter` has already read the same text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from worker.domain.seeds.front_matter import events_of
from worker.domain.seeds.problem import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FieldPath = tuple[str | int, ...]

LINE_END = re.compile(r"\r\n?|\n")
#: YAML's white space and line ends; a no-break space is part of the value.
_WHITE = frozenset(" \t\r\n\x85\u2028\u2029")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of a field or a list item; for a list item, `key` and `value` are equal."""

    key: Span
    value: Span


def locate(front_matter: str, wanted: Collection[FieldPath]) -> Mapping[FieldPath, Place]:
    """Return the places in the file of those wanted fields and items that exist.

    Lines count from 1 at the opening fence, columns from 1 in characters. `SeedHandler.load` must
    have accepted the front matter.
    """
    places: dict[FieldPath, Place] = {}
    lines = Lines(front_matter)
    next_event = events_of(front_matter)

    def visit(event: Any, path: FieldPath) -> tuple[int, int]:
        """Visit a node and return the indexes where it begins and ends."""
        inner: Any  # the event of a key, an item, or the end
        start, end = event.start_mark.index, event.end_mark.index
        if type(event) is yaml.ScalarEvent:
            return start, end
        if type(event) is yaml.MappingStartEvent:
            while type(inner := next_event()) is not yaml.MappingEndEvent:
                field = (*path, inner.value)
                value_start, end = visit(next_event(), field)
                if field in wanted:
                    places[field] = Place(
                        key=lines.span(inner.start_mark.index, inner.end_mark.index),
                        value=lines.span(value_start, end),
                    )
        else:
            number = 0
            while type(inner := next_event()) is not yaml.SequenceEndEvent:
                item = (*path, number)
                item_start, end = visit(inner, item)
                if item in wanted:
                    span = lines.span(item_start, end)
                    places[item] = Place(key=span, value=span)
                number += 1
        # A block ends with its last part; its end mark is where the next token begins.
        return start, inner.end_mark.index if event.flow_style else end

    next_event()  # the stream's start
    next_event()  # the document's
    visit(next_event(), ())
    return places


class Lines:
    """Converts indexes in front matter to lines and columns in the file."""

    def __init__(self, front_matter: str) -> None:
        """Find the lines, which end with CRLF, LF or CR, as editors count them."""
        self._text = front_matter
        self._starts = [0, *(end.end() for end in LINE_END.finditer(front_matter))]

    def span(self, start: int, end: int) -> Span:
        """Return the span between two indexes, without white space at its end."""
        end = min(end, len(self._text))
        while end > start and self._text[end - 1] in _WHITE:
            end -= 1
        line, column = self._position(start)
        end_line, end_column = self._position(max(start, end))
        return Span(line=line, column=column, end_line=end_line, end_column=end_column)

    def _position(self, index: int) -> tuple[int, int]:
        number = bisect_right(self._starts, index)
        return number + 1, index - self._starts[number - 1] + 1


class Source:
    """Converts spans in a file to indexes in `text`, a part of it that begins at line `first_line`."""

    def __init__(self, text: str, *, first_line: int) -> None:
        """Find the lines as `Lines` does."""
        self.text = text
        self._first_line = first_line
        self._starts = [0, *(end.end() for end in LINE_END.finditer(text))]

    def range_of(self, span: Span) -> tuple[int, int]:
        """Return the indexes where a span begins and ends."""
        return (
            self._starts[span.line - self._first_line] + span.column - 1,
            self._starts[span.end_line - self._first_line] + span.end_column - 1,
        )

    def at(self, span: Span) -> str:
        """Return the text of a span."""
        start, end = self.range_of(span)
        return self.text[start:end]
