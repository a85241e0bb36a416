"""Front matter: split it from the body and read its YAML in one pass over the parser's events.

`SeedHandler` is a python-frontmatter handler, called through that interface (`detect`, `split`,
`load`). The service does not call `frontmatter.loads`, which strips the body, misses a fence after a
byte-order mark, silently turns a failed split or a list into "no metadata", and raises `TypeError`
on a field named `content`.

`load` builds dictionaries, lists and strings from PyYAML's events. Scalars stay strings, so `no`,
`010` and `12:30` keep their spelling. Dangerous or ambiguous YAML (depth, anchors, aliases, merges,
tags, duplicate names) is refused during the pass, before it costs time or memory.
`worker.domain.seeds.places` finds the place of a field. Called by `worker.domain.seeds.seed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

import yaml
from frontmatter.default_handlers import YAMLHandler
from yaml.reader import ReaderError

from worker.domain.seeds import codes
from worker.domain.seeds.plain_fields import read_plain_fields

try:
    from yaml import CBaseLoader as _Parser
except ImportError:  # PyYAML without libyaml: the same events, about ten times slower
    from yaml import BaseLoader as _Parser  # type: ignore[assignment]

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 20
#: No real list is longer; explaining 30,000 bad items would take 0.1 s.
MAX_ITEMS: Final = 1000

_OPENING = re.compile(r"---[ \t]*+(?:\r\n?|\n|\Z)")
_CLOSING = re.compile(r"[\r\n]---[ \t]*+(?:\r\n?|\n|\Z)")
#: Control characters that an escape in a double-quoted scalar can produce. They must not reach a
#: database or a terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

#: Parts of libyaml's error messages, each with a hint for the author.
_SYNTAX_HINTS: Final = (
    ("mapping values are not allowed", "put a value that contains a colon in quotes"),
    ("cannot start any token", "put the value in quotes, and indent with spaces, not tabs"),
    ("found unexpected end of stream", "add the missing closing quote"),
    ("could not find expected ':'", "write a field as `name: value`, with the colon"),
    ("expected ',' or ']'", "add the missing closing bracket of the list"),
    ("expected ',' or '}'", "add the missing closing brace"),
    (
        "did not find expected key",
        "check the indentation, and put a value that contains quotes in quotes",
    ),
    ("<document start>", "remove the line `...`: front matter is one YAML document"),
    ("escape", "inside double quotes, write a backslash twice, or use single quotes"),
)

NextEvent = Callable[[], Any]


class FrontMatterError(ValueError):
    """Front matter that cannot be read; `start` and `end` are indexes into the text that was passed."""

    def __init__(
        self, code: str, message: str, *, hint: str = "", start: int = 0, end: int = 0
    ) -> None:
        """Store the parts of the problem that `worker.domain.seeds.seed` makes of the error."""
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.start = start
        self.end = end


class SeedHandler(YAMLHandler):
    """python-frontmatter's YAML handler with a strict split and a safe load."""

    FM_BOUNDARY = _OPENING

    def detect(self, text: str) -> bool:
        """Return whether the text begins with a fence."""
        return _OPENING.match(text) is not None

    def split(self, text: str) -> tuple[str, str]:
        """Return front matter and body, both as written; raise `FrontMatterError` if it cannot.

        A fence is a line of exactly three hyphens; spaces and tabs may follow them.
        """
        opening = _OPENING.match(text)
        if opening is None:
            _refuse_beginning(text)
        # Begin at the line end of the opening fence: for empty front matter it also begins the match.
        closing = _CLOSING.search(text, opening.end() - 1)
        if closing is None:
            raise FrontMatterError(
                codes.UNCLOSED_FRONT_MATTER,
                "the front matter has no closing line",
                hint="add a line `---` after the last field",
                end=3,
            )
        front_matter = text[opening.end() : closing.start() + 1]
        if 4 * len(front_matter) > MAX_BYTES and len(front_matter.encode()) > MAX_BYTES:
            raise FrontMatterError(
                codes.FRONT_MATTER_TOO_LARGE,
                f"the front matter is larger than {MAX_BYTES // 1024} KiB",
                hint="is the line `---` after the last field missing?",
                end=3,
            )
        return front_matter, text[closing.end() :]

    def load(self, fm: str, **_kwargs: object) -> dict[str, Any]:
        """Return the fields, with every scalar a string; raise `FrontMatterError` if it cannot."""
        if (fields := read_plain_fields(fm)) is not None:
            return fields
        return self.load_events(fm)

    def load_events(self, fm: str) -> dict[str, Any]:
        """Return the fields of any front matter, read from the parser's events."""
        try:
            return _read_document(events_of(fm))
        except ReaderError as error:
            character = chr(error.character)
            index = max(fm.find(character), 0)
            _refuse_control(character, index, index + 1)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            index = min(mark.index, len(fm)) if mark else 0
            raise FrontMatterError(
                codes.YAML_SYNTAX,
                f"the front matter is not valid YAML: {error.problem or error.context}",
                hint=next(
                    (hint for part, hint in _SYNTAX_HINTS if part in str(error.problem)),
                    "check quotes, colons and indentation here and in the line above",
                ),
                start=index,
                end=index + 1,
            ) from None


def events_of(front_matter: str) -> NextEvent:
    """Return a function that returns the next event of the YAML parser, and raises its errors."""
    next_event: NextEvent = _Parser(front_matter).get_event
    return next_event


def _refuse_beginning(text: str) -> NoReturn:
    first = text.lstrip()
    if _OPENING.match(first):
        message, hint = "the first line is blank", "remove everything before the line `---`"
    elif re.match(r"[-\u2010-\u2015]{2,9}[ \t]*[\r\n]", first):
        message, hint = "the first line is not `---`", "write exactly three hyphens: `---`"
    else:
        message = "the file has no front matter"
        hint = "begin the file with a line `---`, the fields, and another line `---`"
    raise FrontMatterError(codes.NO_FRONT_MATTER, message, hint=hint)


def _read_document(next_event: NextEvent) -> dict[str, Any]:
    next_event()  # the stream's start
    event = next_event()
    if type(event) is yaml.StreamEndEvent:
        raise FrontMatterError(
            codes.NOT_FIELDS,
            "the front matter has no fields",
            hint="write one `name: value` on each line",
        )
    event = next_event()
    if type(event) is not yaml.MappingStartEvent:
        kind = "a list" if type(event) is yaml.SequenceStartEvent else "plain text"
        _refuse(
            event,
            codes.NOT_FIELDS,
            f"the front matter is {kind}, not fields",
            hint="write one `name: value` on each line",
        )
    _refuse_node(event)
    fields = _read_mapping(next_event, 1)
    next_event()  # the document's end
    event = next_event()
    if type(event) is not yaml.StreamEndEvent:
        _refuse(
            event,
            codes.YAML_SYNTAX,
            "the front matter contains more than one YAML document",
            hint="write each fence as a line of three hyphens and nothing else",
        )
    return fields


def _read_mapping(next_event: NextEvent, depth: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    keys: list[Any] = []
    while True:
        key = next_event()
        if type(key) is not yaml.ScalarEvent:
            if type(key) is yaml.MappingEndEvent:
                return fields
            _refuse_node(key)
            _refuse(
                key,
                codes.FIELD_NAME,
                "a field name is not plain text",
                hint="write `name: value`; put a value that begins with a bracket in quotes",
            )
        name = _read_scalar(key)
        if name in fields:
            first = next(earlier for earlier in keys if earlier.value == name)
            line = first.start_mark.line + 2  # counted from 1, and the fence is line 1
            _refuse(
                key,
                codes.DUPLICATE_FIELD,
                f"the field {_quote(name)} appears twice, first in line {line}",
                hint="delete one of the two",
            )
        if not name:
            _refuse(key, codes.FIELD_NAME, "a field has no name", hint="write `name: value`")
        if name == "<<" and not key.style:
            _refuse(
                key,
                codes.YAML_MERGE,
                "YAML merges (`<<`) are not allowed here",
                hint="write each field out",
            )
        keys.append(key)
        event = next_event()
        if type(event) is yaml.ScalarEvent:
            fields[name] = _read_scalar(event)
        else:
            fields[name] = _read_collection(event, next_event, depth + 1)


def _read_sequence(next_event: NextEvent, depth: int) -> list[Any]:
    items: list[Any] = []
    while True:
        event = next_event()
        if type(event) is yaml.ScalarEvent:
            items.append(_read_scalar(event))
        elif type(event) is yaml.SequenceEndEvent:
            return items
        else:
            items.append(_read_collection(event, next_event, depth + 1))
        if len(items) > MAX_ITEMS:
            _refuse(
                event,
                codes.FRONT_MATTER_TOO_LARGE,
                f"a list has more than {MAX_ITEMS:,} items",
                hint="is the line `---` after the last field missing?",
            )


def _read_collection(event: Any, next_event: NextEvent, depth: int) -> dict[str, Any] | list[Any]:
    _refuse_node(event)
    if depth > MAX_DEPTH:
        _refuse(
            event,
            codes.TOO_DEEP,
            f"the front matter is nested deeper than {MAX_DEPTH} levels",
            hint="write each value as text or as a list of texts",
        )
    if type(event) is yaml.MappingStartEvent:
        return _read_mapping(next_event, depth)
    return _read_sequence(next_event, depth)


def _read_scalar(event: Any) -> str:
    if event.anchor is not None or event.tag is not None:
        _refuse_node(event)
    value: str = event.value
    # Only double quotes have escapes; elsewhere the YAML reader refuses control characters.
    if event.style == '"' and (hidden := _CONTROL.search(value)):
        _refuse_control(hidden[0], event.start_mark.index, event.end_mark.index)
    return value


def _refuse_node(event: Any) -> None:
    """Refuse an alias, and a node that has an anchor or a tag."""
    if type(event) is yaml.AliasEvent:
        _refuse(
            event,
            codes.YAML_ALIAS,
            f"YAML aliases (`*{_shorten(event.anchor)}`) are not allowed here",
            hint="write the value out, or put it in quotes if the asterisk is part of it",
        )
    if event.anchor is not None:
        _refuse(
            event,
            codes.YAML_ANCHOR,
            f"YAML anchors (`&{_shorten(event.anchor)}`) are not allowed here",
            hint="put the value in quotes if the ampersand is part of it",
        )
    if event.tag is not None:
        _refuse(
            event,
            codes.YAML_TAG,
            f"YAML tags (`{_shorten(event.tag)}`) are not allowed here",
            hint="put the value in quotes if the exclamation mark is part of it",
        )


def _refuse(event: Any, code: str, message: str, *, hint: str = "") -> NoReturn:
    raise FrontMatterError(
        code, message, hint=hint, start=event.start_mark.index, end=event.end_mark.index
    )


def _refuse_control(character: str, start: int, end: int) -> NoReturn:
    raise FrontMatterError(
        codes.CONTROL_CHARACTER,
        f"the front matter contains the control character U+{ord(character):04X}",
        hint="delete it; it is invisible and usually comes from copied text",
        start=start,
        end=end,
    )


def _quote(name: str) -> str:
    return f"`{_shorten(name)}`"


def _shorten(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= 60 else f"{text[:59]}…"
