"""Opens the channels in the settings, and imports only the modules that those need.

Sends nothing and opens no connection. Called by `worker.library.services`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from worker.errors import ConfigurationError
from worker.messages.channels import Channel
from worker.settings import model as named


def open_channels(
    settings: named.Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dict[str, Channel]:
    """Return every channel by name; raise `ConfigurationError` if one cannot be opened.

    `clock` dates e-mails and webhooks, in UTC.
    """
    return {name: _open(name, channel, clock=clock) for name, channel in settings.channels.items()}


def _open(name: str, channel: named.Channel, *, clock: Callable[[], datetime]) -> Channel:
    try:
        match channel:
            case named.ConsoleChannel():
                from worker.messages.channels.console import ConsoleChannel  # noqa: PLC0415 - as needed

                return ConsoleChannel()
            case named.EmailChannel():
                from worker.messages.channels.mail import MailChannel  # noqa: PLC0415 - as needed

                return MailChannel(channel, clock=clock)
            case named.AppriseChannel():
                from worker.messages.channels.chat import ChatChannel  # noqa: PLC0415 - 0.2 s

                return ChatChannel(channel.url.value)
            case named.WebhookChannel():
                from worker.messages.channels.webhook import WebhookChannel  # noqa: PLC0415 - 0.2 s

                return WebhookChannel(channel, clock=clock)
    except ConfigurationError as error:
        raise ConfigurationError(f"channels.{name}: {error}") from None
