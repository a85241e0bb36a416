"""The channels that send messages: one module each, with one small protocol. None uses the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel sends. `id` stays the same when the same message is sent again.

    `text` is complete without `html`, which only mail uses. `thread` names the subject of the message, so
    that mail programs group messages about the same subject; like `id`, it consists of letters and digits,
    with `._-` between them. `data` is for programs, ready for JSON.
    """

    id: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    thread: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """Sends messages. Both methods raise `worker.errors.ChannelError` for a message that cannot be sent."""

    def send(self, message: Message) -> None:
        """Send the message to everyone in `to`, and wait until the other side accepts it.

        Raises `ChannelError`, which says whether the error is permanent or a retry can help.
        """

    def preview(self, message: Message) -> str:
        """Return what `send` would send, without secrets and without opening a connection."""
