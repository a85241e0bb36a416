"""The channels that carry messages: one module each, one small protocol. They never touch the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel sends. `id` stays the same when the same message is sent again.

    `text` is complete without `html`, which only mail shows. `thread` names what the message is
    about, so that a mail program files messages about the same thing together: letters, digits and
    `._-` between them, as in `id`. `data` is what programs get beside the text, as JSON takes it.
    """

    id: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    thread: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """Carries messages. Both methods raise `worker.errors.ChannelError` for one that never can go."""

    def send(self, message: Message) -> None:
        """Send the message to everyone in `to`, waiting for the other side to accept it.

        Raises `ChannelError`: permanent, or worth another try.
        """

    def preview(self, message: Message) -> str:
        """Return what `send` would hand over, without secrets; nothing is opened for it."""
