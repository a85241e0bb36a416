"""Keeps secret URLs out of the logs of the libraries that are given them, and out of replies.

Many webhooks are a password in the form of a URL, and Apprise, urllib3 and httpx log whole URLs.
What our own loggers say is not changed. Called by the channels that are opened with a URL.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import unquote

#: A shorter piece of a URL is no secret, and hiding it would hide every `true` and `5` of a log.
_SECRET_CHARACTERS = 6

#: Loggers that see the URL or a piece of it. urllib3 logs whole request paths at DEBUG, httpx whole
#: URLs at INFO. A filter works on the logger that is called, not on those above it: all are named.
_LOGGERS = (
    "apprise",
    "urllib3",
    "urllib3.connectionpool",
    "requests",
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
)


class _Redaction(logging.Filter):
    """Drops what is below WARNING, and hides URLs and their pieces in the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._pattern = re.compile(r"(?!)")  # matches nothing

    def hide(self, secret: str) -> None:
        """Hide one more URL or key, and see to it that the loggers ask here."""
        pieces = {secret, *re.split(r"[/?&=:@,]+", secret.partition("://")[2])}
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
        """Return the text without what is hidden."""
        return self._pattern.sub("***", text)


#: One for the process, as the loggers are.
_redaction = _Redaction()


def hide(secret: str) -> None:
    """Keep a URL and its pieces, or a key, out of what the libraries log from now on."""
    _redaction.hide(secret)


def redacted(text: str) -> str:
    """Return text from elsewhere, as the reply of a server, with `***` for all that is hidden."""
    return _redaction.text(text)
