"""Prints messages on a text stream, by default standard output.

On a terminal, lines wrap at words. No control character from a document reaches the terminal. Opened by
`worker.messages.channels.opening`.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TextIO

from worker.domain.seeds.visible import one_line, visible
from worker.errors import ChannelError
from worker.messages.channels import Message

_SUBJECT_CHARACTERS = 200
_MARGIN = " " * 4
#: Where a line of a list, or a command, goes on, it is indented by this much more.
_HANG = "  "
_BULLET = re.compile("^- ")


class ConsoleChannel:
    """Prints each message as one readable block."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Print to `stream`; with None, to `sys.stdout` as it is when a message is sent."""
        self._given = stream

    @property
    def _stream(self) -> TextIO:
        return self._given or sys.stdout

    def send(self, message: Message) -> None:
        """Print the message; raise `ChannelError`, which allows another try, if that fails."""
        stream = self._stream
        try:
            # One write, so that lines of other threads do not come between.
            stream.write(_writable(_block(message, _columns(stream)), stream))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise ChannelError(f"the message was not printed: {error}") from error

    def preview(self, message: Message) -> str:
        """Return the block that would be printed."""
        return _block(message, _columns(self._stream))


def _columns(stream: TextIO) -> int | None:
    """Return the width of the terminal; None for a file or a pipe."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or None) if stream.isatty() else None
    except (OSError, ValueError):  # the stream has no descriptor, or is closed
        return None


def _block(message: Message, columns: int | None) -> str:
    head = [f"─── {one_line(message.subject, limit=_SUBJECT_CHARACTERS)}"]
    if message.to:
        head.append(f"{_MARGIN}to {one_line(', '.join(message.to), limit=_SUBJECT_CHARACTERS)}")
    body = visible(message.text, lines=True).strip("\n").split("\n")
    lines = ["", *head, "", *(f"{_MARGIN}{line}".rstrip() for line in body), "───", ""]
    return "\n".join(part for line in lines for part in _wrapped(line, columns))


def _wrapped(line: str, columns: int | None) -> list[str]:
    """Return a line in parts that fit the terminal; words stay whole, because people copy paths."""
    if columns is None or len(line) <= columns:
        return [line]
    text = line.lstrip()
    indent = line[: len(line) - len(text)] or _MARGIN
    parts = textwrap.wrap(
        _BULLET.sub("-\0", text),  # a bullet stays with its word
        columns - len(indent) - len(_HANG),
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    hang = _HANG if text.startswith(("- ", "content-sync ")) else ""
    # A word that does not fit behind its indent begins further left.
    return [
        " " * min(len(indent + (hang if number else "")), max(0, columns - len(part)))
        + part.replace("\0", " ")
        for number, part in enumerate(parts)
    ]


def _writable(text: str, stream: TextIO) -> str:
    """Return the text with escapes for what the stream cannot write: a log in ASCII must not fail."""
    if stream.errors not in {"strict", "surrogateescape"}:
        return text
    return text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
