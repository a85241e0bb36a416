"""Finds the known word that a person probably meant. Called by the rules on metadata and on retractions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST_WORD = 60


def nearest_word(given: str, known: Iterable[str], *, cutoff: float) -> str | None:
    """Return the known word that is most like a given one, or None if none is like it enough.

    Case, spaces, hyphens and underscores do not matter. `cutoff` is between 0 and 1, as difflib counts.
    """
    if len(given) > _LONGEST_WORD:
        return None
    plain = {_plain(word): word for word in reversed(list(known))}
    near = difflib.get_close_matches(_plain(given), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else None


def _plain(word: str) -> str:
    return re.sub(r"[\W_]", "", word).casefold()
