"""Where things stand in a file: lines and columns for the fields of front matter.

A second pass over the YAML parser's events, run only for a file that has a problem to place. It
trusts that `worker.domain.seeds.front_matter` has read the same text, so limits are not checked again.
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
#: What YAML takes for blanks and line ends; a no-break space belongs to its value.
_WHITE = frozenset(" \t\r\n\x85\u2028\u2029")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a field or a list item is written; a list item has its own place as its key's."""

    key: Span
    value: Span


def locate(front_matter: str, wanted: Collection[FieldPath]) -> Mapping[FieldPath, Place]:
    """Return where the wanted fields and items stand in the file, those of them that exist.

    Lines count from 1 at the opening fence, columns from 1 in characters. The front matter is one
    that `SeedHandler.load` has read.
    """
    places: dict[FieldPath, Place] = {}
    lines = Lines(front_matter)
    next_event = events_of(front_matter)

    def visit(event: Any, path: FieldPath) -> tuple[int, int]:
        """Go through a node, and return the indexes where it begins and ends."""
        inner: Any  # the event of a key, of an item, or of the end
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
        # A block ends with its last part: its own end mark is that of whatever comes next.
        return start, inner.end_mark.index if event.flow_style else end

    next_event()  # the stream's start
    next_event()  # the document's
    visit(next_event(), ())
    return places


class Lines:
    """Turns indexes into front matter into lines and columns of the file."""

    def __init__(self, front_matter: str) -> None:
        """Find the lines; CRLF, LF and CR end one, as editors count them."""
        self._text = front_matter
        self._starts = [0, *(end.end() for end in LINE_END.finditer(front_matter))]

    def span(self, start: int, end: int) -> Span:
        """Return the span between two indexes, without the white space at its end."""
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
    """Turns spans of a file into indexes of a text of it, which begins with the line `first_line`."""

    def __init__(self, text: str, *, first_line: int) -> None:
        """Find the lines, as `Lines` does."""
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
