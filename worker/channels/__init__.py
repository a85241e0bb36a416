"""The channels that carry messages: one module each, one small protocol. They never touch the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel sends. `id` stays the same when the same message is sent again."""

    id: str
    to: tuple[str, ...]
    subject: str
    text: str


class Channel(Protocol):
    """Sends a message, or raises `worker.errors.ChannelError`: permanent or worth another try."""

    def send(self, message: Message) -> None:
        """Send the message to everyone in `to`, waiting for the other side to accept it."""
