"""Messages on a text stream, by default the process's standard output.

Nothing that a document holds reaches the terminal as a control character. Opened by
`worker.messages.channels.opening`.
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
        """Print to `stream`; None is whatever `sys.stdout` is at the time of sending."""
        self._stream = stream

    def send(self, message: Message) -> None:
        """Print the message; raise `ChannelError`, worth another try, where it cannot be."""
        stream = self._stream or sys.stdout
        try:
            # One write, so that lines of other threads do not fall between.
            stream.write(_writable(_block(message), stream.encoding))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise ChannelError(f"the message was not printed: {error}") from error

    def preview(self, message: Message) -> str:
        """Return the block that would be printed."""
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
    """Return the text with what the stream cannot write spelt out: a log in ASCII must not fail."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)
