"""Sends messages over any service that Apprise supports, given its URL.

Text from documents cannot mention people or forge links. No log shows the URL, because many URLs hold a
token. The channel follows no redirects, writes nothing to disk and does not retry. Imported by
`worker.messages.channels.opening` only when needed, because importing Apprise takes 0.2 s.
"""

from __future__ import annotations

import re

import apprise

from worker.domain.seeds.visible import one_line, visible
from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Message
from worker.messages.channels.redaction import hide, redacted

_TITLE_CHARACTERS = 200
_REASON_CHARACTERS = 300
_SERVICE_SECONDS = 60

# A zero-width space after the start of a mention or a link breaks it for the service, and the text stays
# readable: `@everyone` (Discord), `@channel` (Mattermost), `@**all**` (Zulip), `<!channel>` and
# `<https://x|text>` (Slack), `<users/all>` (Google Chat), `[text](https://x)` (Markdown). Apprise
# escapes the formats that it knows, but not what a service looks for in plain text.
_ACTIVE = re.compile(r"[@<](?=\S)|](?=\()")
_ZERO_WIDTH_SPACE = "\u200b"


class ChatChannel:
    """Sends each message to the service of one URL."""

    def __init__(self, url: str) -> None:
        """Take an Apprise URL; raise `ConfigurationError` if Apprise does not understand it."""
        hide(url)
        asset = apprise.AppriseAsset(
            app_id="Content Sync",
            app_desc="Content Sync",
            async_mode=False,
            interpret_emojis=False,
            interpret_escapes=False,
            http_redirects=False,
            pgp_autogen=False,
            pem_autogen=False,
            allow_templates=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            service_timeout=_SERVICE_SECONDS,
        )
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise ConfigurationError(f"Apprise does not understand its {_scheme(url)} URL")
        if not re.search(r"[?&]overflow=", url, re.IGNORECASE):
            # A digest can exceed the limit of a service (Discord: 2,000 characters). By default Apprise sends
            # it whole, and the service refuses it every time.
            service.overflow_mode = apprise.OverflowMode.SPLIT
        self._apprise = apprise.Apprise(service, asset=asset)
        self._service = service

    def send(self, message: Message) -> None:
        """Send the message to the service, within a minute.

        Raises `ChannelError`, never permanent: Apprise does not say which errors are. Ignores `to`, because
        the URL names the recipients.
        """
        title, body = _shown(message)
        result = self._apprise.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        if not result:
            said = " ".join(entry.message for entry in result.logs()) or result.status.name.lower()
            reason = one_line(redacted(said), limit=_REASON_CHARACTERS)
            raise ChannelError(f"{self._service.service_name} did not accept the message: {reason}")

    def preview(self, message: Message) -> str:
        """Return the name of the service, the title and the body; Apprise may split a long body."""
        title, body = _shown(message)
        return f"{self._service.service_name}: {title}\n\n{body}"


def _shown(message: Message) -> tuple[str, str]:
    """Return the title and body that the service gets."""
    title = harmless(one_line(message.subject, limit=_TITLE_CHARACTERS))
    return title, harmless(visible(message.text, lines=True))


def harmless(text: str) -> str:
    """Return the text with its mentions and links broken by an invisible character."""
    return _ACTIVE.sub(lambda match: match[0] + _ZERO_WIDTH_SPACE, text)


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return (
        f"{scheme}://"
        if separator and re.fullmatch(r"[a-z0-9+.-]{1,20}", scheme, re.IGNORECASE)
        else ""
    )
