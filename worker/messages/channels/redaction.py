"""Keeps secret URLs out of the logs of libraries and out of the replies of servers.

Many webhook URLs work like a password, and Apprise, urllib3 and httpx log whole URLs. The loggers of this
project are not changed. Called by the channels that have a URL.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import unquote

#: Shorter pieces of a URL are not secret, and hiding them would hide every `true` and `5` in a log.
_SECRET_CHARACTERS = 6

#: Loggers that see the URL or a piece of it. urllib3 logs whole request paths at DEBUG, httpx whole
#: URLs at INFO. A filter applies to its own logger, not to the loggers below it, so all are listed.
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
    """Drops records below WARNING, and hides URLs and their pieces in the others."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._pattern = re.compile(r"(?!)")  # matches nothing

    def hide(self, secret: str) -> None:
        """Hide one more URL or key, and add this filter to the loggers."""
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
        """Return the text with `***` for each secret."""
        return self._pattern.sub("***", text)


#: One for the process, because loggers are global too.
_redaction = _Redaction()


def hide(secret: str) -> None:
    """Keep a URL and its pieces, or a key, out of the logs of libraries from now on."""
    _redaction.hide(secret)


def redacted(text: str) -> str:
    """Return text from outside, such as the reply of a server, with `***` for each secret."""
    return _redaction.text(text)
