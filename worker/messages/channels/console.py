"""Prints messages to a text stream, by default to standard output.

Control characters from documents never reach the terminal. Opened by `worker.messages.channels.opening`.
"""

from __future__ import annotations

import sys
from typing import TextIO

from worker.domain.seeds.visible import one_line, visible
from worker.errors import ChannelError
from worker.messages.channels import Message

_SUBJECT_CHARACTERS = 200


class ConsoleChannel:
    """Prints each message as one readable block."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Print to `stream`, or to the `sys.stdout` of the time of sending if it is None."""
        self._stream = stream

    def send(self, message: Message) -> None:
        """Print the message; raise `ChannelError`, not permanent, if that fails."""
        stream = self._stream or sys.stdout
        try:
            # One write, so that other threads cannot print between the lines.
            stream.write(_writable(_block(message), stream.encoding))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise ChannelError(f"the message was not printed: {error}") from error

    def preview(self, message: Message) -> str:
        """Return the block that `send` would print."""
        return _block(message)


def _block(message: Message) -> str:
    subject = one_line(message.subject, limit=_SUBJECT_CHARACTERS)
    head = [f"─── {subject}"]
    if message.to:
        head.append(f"    to {one_line(', '.join(message.to), limit=_SUBJECT_CHARACTERS)}")
    body = [
        f"    {line}".rstrip() for line in visible(message.text, lines=True).strip("\n").split("\n")
    ]
    return "\n".join(["", *head, "", *body, "───", ""])


def _writable(text: str, encoding: str | None) -> str:
    """Return the text with escapes for what the stream cannot encode, so that an ASCII log does not fail."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)
