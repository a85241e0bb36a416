"""Messages by any service that Apprise knows, by its URL.

A title can mention nobody and forge no link, and no log shows the URL, which is a secret: many hold
a token. Redirects are not followed, nothing is written to disk, and there are no retries here.
Opened by `worker.channels.opening`, and only then: importing Apprise takes 0.2 s.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import unquote

import apprise

from worker.channels import Message
from worker.domain.visible import one_line, visible
from worker.errors import ChannelError, ConfigurationError

_TITLE_CHARACTERS = 200
_REASON_CHARACTERS = 300
_SERVICE_SECONDS = 60
#: A shorter piece of a URL is no secret, and hiding it would hide every `true` and `5` of a log.
_SECRET_CHARACTERS = 6

# A zero-width space after what begins a mention or a link keeps the text readable and means nothing
# to the service: `@everyone` (Discord), `@channel` (Mattermost), `@**all**` (Zulip), `<!channel>` and
# `<https://x|text>` (Slack), `<users/all>` (Google Chat), `[text](https://x)` (Markdown). Apprise
# escapes for the formats that it knows, but not the words that a service looks for in plain text.
_ACTIVE = re.compile(r"[@<](?=\S)|](?=\()")
_ZERO_WIDTH_SPACE = "\u200b"

#: Loggers that see the URL or a piece of it. urllib3 logs whole request paths at DEBUG.
_LOGGERS = ("apprise", "urllib3", "urllib3.connectionpool", "requests")


class ChatChannel:
    """Sends each message to the one service that a URL names."""

    def __init__(self, url: str) -> None:
        """Use an Apprise URL; raise `ConfigurationError` when Apprise does not understand it."""
        _redaction.hide(url)
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
            # A digest is longer than Discord's 2,000 characters: Apprise's default would send it
            # whole, and be refused for ever.
            service.overflow_mode = apprise.OverflowMode.SPLIT
        self._apprise = apprise.Apprise(service, asset=asset)
        self._service = service

    def send(self, message: Message) -> None:
        """Hand the message to the service, within a minute.

        Raises `ChannelError`, always worth another try: Apprise does not say which errors last. `to`
        is not used, since the URL names the recipients.
        """
        result = self._apprise.notify(
            title=harmless(one_line(message.subject, limit=_TITLE_CHARACTERS)),
            body=harmless(visible(message.text, lines=True)),
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not result:
            said = " ".join(entry.message for entry in result.logs()) or result.status.name.lower()
            reason = one_line(_redaction.text(said), limit=_REASON_CHARACTERS)
            raise ChannelError(f"{self._service.service_name} did not take the message: {reason}")


def harmless(text: str) -> str:
    """Return the text with its mentions and links broken by a character that nobody sees."""
    return _ACTIVE.sub(lambda match: match[0] + _ZERO_WIDTH_SPACE, text)


class _Redaction(logging.Filter):
    """Drops what is below WARNING, and hides URLs and their pieces in the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._pattern = re.compile(r"(?!)")  # matches nothing

    def hide(self, url: str) -> None:
        """Hide one more URL, and see to it that the loggers ask here."""
        pieces = {url, *re.split(r"[/?&=:@,]+", url.partition("://")[2])}
        known = pieces | {unquote(piece) for piece in pieces}
        self._secrets |= {piece for piece in known if len(piece) >= _SECRET_CHARACTERS}
        if self._secrets:
            # The longest first, so that no piece uncovers the rest of a longer one.
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))
            logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record before any handler formats it; a traceback may hold the URL too."""
        if record.levelno < logging.WARNING:
            return False
        record.msg, record.args = self.text(record.getMessage()), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True

    def text(self, text: str) -> str:
        """Return the text without the URLs and their pieces."""
        return self._pattern.sub("***", text)


#: One for the process, as the loggers are.
_redaction = _Redaction()


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return (
        f"{scheme}://"
        if separator and re.fullmatch(r"[a-z0-9+.-]{1,20}", scheme, re.IGNORECASE)
        else ""
    )
