"""Set fields of front matter and keep every other byte of the file.

A value is replaced in place and keeps its quotes; a missing field is added as a line before the
closing fence. Comments, order, line ends, a byte-order mark and the body do not change. A value
that is already right is left alone. The result is parsed again, and dropped if it does not read as
intended. Only text values can be set, not lists. `worker.library.seeds_folder` checks whether the
file may be written. Called by `worker.library.write_back`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from worker.domain.seeds.front_matter import events_of
from worker.domain.seeds.places import LINE_END, Source, locate
from worker.domain.seeds.scalars import yaml_1_1
from worker.domain.seeds.seed import Seed, parse_seed
from worker.domain.seeds.visible import UNSAFE

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK: Final = re.compile(r"[|>][-+0-9]*")
#: A value that needs no quotes. Stricter than YAML, so that every reader agrees: a value that begins
#: with a digit, for example, may be a number or a date.
_PLAIN: Final = re.compile(r"(?![-?&*!|>'\"%@`=<~\s\d+.])[^:#,\[\]{}\\]+(?<!\s)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSet:
    """The reason why fields were not set, worded for the file's author; `line` is the line in the file."""

    reason: str
    line: int = 1


def set_fields(data: bytes, values: Mapping[str, str]) -> bytes | NotSet:
    """Return a seed's bytes with these fields set to one-line values, or the reason why not.

    The bytes are returned unchanged when every field already has its value.
    """
    before = parse_seed(data)
    if not isinstance(before, Seed):
        problem = before[0]
        return NotSet(reason=f"{problem.message} ({problem.code})", line=problem.span.line)
    wanted = {name: text for name, text in values.items() if before.metadata.get(name) != text}
    for name, text in wanted.items():
        if not text.strip() or UNSAFE.search(text):
            return NotSet(reason=f"the value of `{name}` must be one line of text")
    places = locate(before.front_matter, {(name,) for name in wanted})
    # A byte-order mark is in line 1, before the fence, where no field is.
    source = Source(data.decode(), first_line=1)
    edits: list[tuple[int, int, str]] = []
    missing: dict[str, str] = {}
    for name, text in wanted.items():
        place = places.get((name,))
        if place is None:
            missing[name] = text
            continue
        if not isinstance(before.metadata[name], str):
            reason = f"`{name}` is a list or holds fields, and only text can be set: edit the file"
            return NotSet(reason=reason, line=place.key.line)
        begin, end = source.range_of(place.value)
        edits.append((begin, end, _replacement(source.text, begin, end, text)))
    if missing:
        edits.append(_addition(before, source, missing))
    result = _splice(source.text, edits).encode()
    after = parse_seed(result)
    meant = {**before.metadata, **values}
    if not isinstance(after, Seed) or (after.metadata, after.body) != (meant, before.body):
        names = ", ".join(f"`{name}`" for name in wanted)
        return NotSet(reason=f"{names} cannot be set in front matter of this form: edit the file")
    return result


def _splice(text: str, edits: list[tuple[int, int, str]]) -> str:
    kept: list[str] = []
    end = 0
    for begin, stop, new in sorted(edits):
        kept += (text[end:begin], new)
        end = stop
    return "".join((*kept, text[end:]))


def _replacement(text: str, begin: int, end: int, value: str) -> str:
    """Return the new value as YAML, in the old value's style where possible."""
    old = text[begin:end]
    if not old:  # `owner:`, or a name without a value between braces
        before = text[begin - 1]
        between = " " if before == ":" else "" if before.isspace() else ": "
        return between + _written(value)
    block = _BLOCK.match(old)
    if block is None:
        return _written(value, quote=old[0])
    # Replace the text of a block, and keep a comment on its first line.
    beside = LINE_END.split(old[block.end() :], maxsplit=1)[0]
    return _written(value) + beside


def _addition(before: Seed, source: Source, missing: Mapping[str, str]) -> tuple[int, int, str]:
    """Return the edit that adds fields as the last lines, or after the last field between braces."""
    next_event = events_of(before.front_matter)
    next_event()  # the stream's start
    next_event()  # the document's
    fields = next_event()
    # The front matter begins at the second line of the file.
    first = LINE_END.search(source.text)
    start = first.end() if first else len(source.text)
    if not fields.flow_style:
        end = LINE_END.findall(before.front_matter)[-1]
        indent = " " * fields.start_mark.column
        lines = (f"{indent}{_written(name)}: {_written(missing[name])}{end}" for name in missing)
        at = start + len(before.front_matter)
        return at, at, "".join(lines)
    last = next(reversed(before.metadata), None)
    if last is None:
        at, quote, comma = start + fields.start_mark.index + 1, "", ""
    else:
        place = locate(before.front_matter, {(last,)})[last,]
        at, quote, comma = source.range_of(place.value)[1], source.at(place.key)[:1], ", "
    pairs = (
        f"{_written(name, quote=quote)}: {_written(missing[name], quote=quote)}" for name in missing
    )
    return at, at, comma + ", ".join(pairs)


def _written(value: str, *, quote: str = "") -> str:
    """Return a text as YAML, in the quotes given, or in single quotes where it needs some."""
    if quote == '"':
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if quote == "'" or not _is_plain(value):
        doubled = value.replace("'", "''")
        return f"'{doubled}'"
    return value


def _is_plain(value: str) -> bool:
    return (
        _PLAIN.fullmatch(value) is not None
        and yaml_1_1(value) is None
        and value.lower() not in {"true", "false"}
        and not yaml.reader.Reader.NON_PRINTABLE.search(value)
    )
