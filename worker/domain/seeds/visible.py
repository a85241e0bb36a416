"""Make untrusted text safe to show in logs, terminals and messages.

Only invisible characters are changed. Letters of every script stay as they are, and so do the
joiners that Hindi and Telugu need. Each channel adds its own escaping.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

#: C0 and C1 controls, line separators, lone surrogates (from file names that are not UTF-8), and
#: marks that reorder text on the screen.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_TEXT = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return text that is safe to show: an escape becomes `\x1b`, a reordering mark `\u202e`.

    With `lines`, line feeds and tabs stay, as bodies need; without it the result is one line.
    """
    return (_UNSAFE_IN_TEXT if lines else UNSAFE).sub(_escape, text)


def one_line(text: str, *, limit: int) -> str:
    """Return the text as one line: white space folded, controls escaped, cut to `limit` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def without_password(url: str) -> str:
    """Return a URL that is safe to show: the password is replaced and the query removed."""
    parts = urlsplit(url)
    if parts.password is None:
        return urlunsplit(parts._replace(query=""))
    user = f"{parts.username or ''}:***@"
    return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2], query=""))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
