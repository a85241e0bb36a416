"""Seeds: parse a file's bytes into metadata and body, or into problems.

Nothing is repaired or guessed. Bytes that are not a seed give problems, and no input raises.
`worker.domain.rules.rules` checks the metadata. Called by the rules, by ingest, and by the watcher for
two cheap checks (`is_plain_note`, `looks_retracted`).
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from worker.domain.seeds import codes
from worker.domain.seeds.codes import found
from worker.domain.seeds.facts import Fields
from worker.domain.seeds.front_matter import MAX_BYTES, FrontMatterError, SeedHandler
from worker.domain.seeds.places import LINE_END, Lines
from worker.domain.seeds.problem import Problem, Span

_HANDLER = SeedHandler()
_BOM = "\ufeff"
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FENCE_BYTES = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*+(?:[\r\n]|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A parsed file.

    `metadata` holds strings, lists and dictionaries. `front_matter` is the text between the fences
    with its original line ends. `body` is the rest, with LF line ends. `body_line` is the body's
    first line in the file, counted from 1. `body_start` is the byte where the body begins, or None
    if the file's line ends are not LF.
    """

    metadata: dict[str, Any]
    front_matter: str
    body: str
    body_line: int
    body_start: int | None = field(default=None, compare=False)


def is_plain_note(data: bytes) -> bool:
    """Return whether a text file is a note, not a seed, because it does not begin with a fence.

    An empty file is a problem, not a note. So is UTF-16, which may be a wrongly saved seed.
    """
    return not (_FENCE_BYTES.match(data) or data.startswith(_UTF16_BOMS) or _is_empty(data))


def parse_seed(data: bytes) -> Seed | tuple[Problem, ...]:
    """Parse a file's bytes; return the seed or its problems. Nothing raises."""
    if _is_empty(data):
        hint = "write the page, or delete the file"
        return (found(codes.EMPTY_FILE, "the file is empty", hint=hint),)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return (_not_utf8(data, error.start),)
    if b"\0" in data:
        return (_nul_byte(data),)
    text = text.removeprefix(_BOM)

    front_matter = ""
    try:
        front_matter, body = _HANDLER.split(text)
        metadata = _HANDLER.load(front_matter)
    except FrontMatterError as error:
        # An error of the split itself is always in the first line.
        span = (
            Lines(front_matter).span(error.start, error.end)
            if front_matter
            else Span(line=1, end_line=1, end_column=1 + error.end)
        )
        return (found(error.code, str(error), hint=error.hint, span=span),)

    if b"\r" not in data:
        before = text[: len(text) - len(body)].encode()
        start = len(before) + (3 if data.startswith(codecs.BOM_UTF8) else 0)
        lines = front_matter.count("\n")
    else:
        start = None
        body = body.replace("\r\n", "\n").replace("\r", "\n")
        lines = len(LINE_END.findall(front_matter))
    return Seed(
        metadata=metadata,
        front_matter=front_matter,
        body=body,
        body_line=lines + 3,
        body_start=start,
    )


def body_text(data: bytes) -> str:
    """Return what looks like the body of a file that need not be a valid seed, to compare it with others."""
    text = data.decode(errors="replace").removeprefix(_BOM)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.startswith("---\n"):
        return text
    _front_matter, fence, body = text.partition("\n---\n")
    return body if fence else text


def _is_empty(data: bytes) -> bool:
    text = data[3:] if data.startswith(codecs.BOM_UTF8) else data
    return not text or text.isspace()


def _not_utf8(data: bytes, offset: int) -> Problem:
    if data.startswith(_UTF16_BOMS):
        message = "the file is UTF-16, not UTF-8"
        return found(codes.NOT_UTF8, message, hint="save it as UTF-8")
    guess = data[offset : offset + 1].decode("cp1252", errors="ignore")
    meant = f"; in Windows-1252 this byte is {guess!r}" if guess and guess.isprintable() else ""
    return found(
        codes.NOT_UTF8,
        f"the file is not UTF-8: byte {offset} is 0x{data[offset]:02x}{meant}",
        hint="save it as UTF-8",
        span=_span_of_byte(data, offset),
    )


def _nul_byte(data: bytes) -> Problem:
    offset = data.index(0)
    return found(
        codes.NUL_BYTE,
        f"the file is not text: byte {offset} is a NUL byte",
        hint="save it as plain text in UTF-8",
        span=_span_of_byte(data, offset),
    )


def _span_of_byte(data: bytes, offset: int) -> Span:
    head = data[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line = head.count(b"\n") + 1
    before = head[head.rfind(b"\n") + 1 :].decode(errors="replace")
    column = len(before.removeprefix(_BOM)) + 1
    return Span(line=line, column=column, end_line=line, end_column=column + 1)


def looks_retracted(data: bytes, fields: Fields) -> bool:
    """Return whether the front matter seems to retract the document, without parsing it."""
    if not fields.status:
        return False
    head = data[:MAX_BYTES]
    end = head.find(b"\n---", 3)
    return _retraction(fields.status).search(head, 0, end if end >= 0 else len(head)) is not None


@lru_cache(maxsize=16)
def _retraction(field: str) -> re.Pattern[bytes]:
    name = re.escape(field).encode()
    pattern = rb"^[\"']?%b[\"']?[ \t]*:[ \t]*[\"']?(?:inactive|deprecated)\b" % name
    return re.compile(pattern, re.MULTILINE)


def body_sha256(body: str) -> str:
    """Return the SHA-256 of a body as UTF-8, in hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def body_sha256_in(data: bytes, seed: Seed) -> str:
    """Return the SHA-256 of the body of the seed in `data`, without encoding it again where possible."""
    if seed.body_start is None:
        return body_sha256(seed.body)
    return hashlib.sha256(memoryview(data)[seed.body_start :]).hexdigest()
