"""Read the status of a file with errors: does it take its document out of service?

A reader must not get a page that its author has withdrawn, whatever else is wrong with the file. So every
word but `active` counts, also one that the schema does not have: the author changed the status, and a page
that is missing by mistake does less harm than a withdrawn one that is served. Only what is plainly a
slip of `active`, such as `actve` or `Active`, changes nothing. Called by ingest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from worker.domain.rules.near import nearest_word
from worker.domain.seeds.facts import ACTIVE, STATUSES
from worker.domain.seeds.front_matter import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.domain.rules.vocabulary import Rules

_LONGEST_WORD = 100
#: How near to `active` an unknown word must be: `actve` and `aktive` are, `reactivated` is not.
_CUTOFF = 0.8
_WORD = re.compile(r"\w[\w -]*")


def withdrawn_status(metadata: Mapping[str, Any], rules: Rules) -> str | None:
    """Return the status in readable metadata if it takes the document out of service, or None."""
    given = metadata.get(rules.fields.status)
    if given is not None and not isinstance(given, str):
        return None
    return _withdrawn(rules.fields.status_of(metadata), rules)


def withdrawn_status_in(data: bytes, rules: Rules) -> str | None:
    """Return the same from a file whose front matter is not valid, by the line of the field alone.

    Where two lines name the status, one that is not active wins.
    """
    for word in _status_lines(data, rules.fields.status):
        if (withdrawn := _withdrawn(word, rules)) is not None:
            return withdrawn
    return None


def _status_lines(data: bytes, name: str) -> Iterator[str]:
    lines = data[:MAX_BYTES].decode(errors="replace").removeprefix("\ufeff").splitlines()
    if not name or not lines or lines[0].rstrip() != "---":
        return
    for line in lines[1:]:
        # Without its closing line the front matter ends at the first empty one.
        if not line.strip() or line.rstrip() == "---":
            return
        key, colon, value = line.partition(":")
        if colon and key.rstrip().strip("\"'") == name and not key[0].isspace():
            word = value.partition(" #")[0].strip().strip("\"'").strip()
            if _WORD.fullmatch(word):
                yield word


def _withdrawn(word: str, rules: Rules) -> str | None:
    if not word or word == ACTIVE:
        return None
    words = rules.words.get(rules.fields.status, ())
    if word not in words and nearest_word(word, (*STATUSES, *words), cutoff=_CUTOFF) == ACTIVE:
        return None
    return word[:_LONGEST_WORD]
