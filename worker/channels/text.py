"""Makes text that comes from documents harmless where people read it: terminals, headers, messages.

It changes only what a reader could not see. Letters of every script stay as they are, and so do the
joiners that Hindi and Telugu need. It knows nothing of mail or chat: each channel adds what its own
readers need. Called by the channels, by the digest, and by whatever prints a title.
"""

from __future__ import annotations

import unicodedata

#: Characters that turn the reading direction round, so that a text shows other than it is.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Control characters, lone surrogates, and the line and paragraph separators.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def visible(text: str, *, keep: str = "\n") -> str:
    r"""Return the text with every control character written out, an escape as `\x1b`.

    Line feeds stay, or whatever else `keep` names.
    """
    return "".join(_escaped(c) if _is_hidden(c) and c not in keep else c for c in text)


def one_line(text: str, *, limit: int) -> str:
    """Return the text as one line: white space folded, controls shown, cut at `limit` characters."""
    line = visible(" ".join(text.split()), keep="")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _is_hidden(character: str) -> bool:
    return character in _DIRECTIONS or unicodedata.category(character) in _HIDDEN_CATEGORIES


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
