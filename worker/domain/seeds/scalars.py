"""Checks how values are written: what other programs would read, and what nobody sees.

This service reads every scalar of front matter as text. Most other tools read YAML 1.1, where `no`
is false and `010` is eight; a value that differs between the two is told. Values in quotes mean the
same everywhere: `worker.domain.rules.rules` drops their findings, for quotes are known only by the place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORDS: Final = {
    **dict.fromkeys(("yes", "on", "y"), "true"),
    **dict.fromkeys(("no", "off", "n"), "false"),
    **dict.fromkeys(("null", "~"), "nothing"),
}
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:.*")
_SIXTIES: Final = re.compile(r"([-+]?)(?=[1-9]|[^.]*\.)([0-9][0-9_]*(?::[0-5]?[0-9])+)(\.[0-9_]*)?")
_FLOAT: Final = re.compile(r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")
_SPECIAL: Final = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_BASES: Final = (
    (re.compile(r"[-+]?0b_*[01][01_]*"), 2),
    (re.compile(r"[-+]?0x_*[0-9a-fA-F][0-9a-fA-F_]*"), 16),
    (re.compile(r"[-+]?0[0-7_]+"), 8),
)


@lru_cache(maxsize=512)
def yaml_1_1(text: str) -> str | None:
    """Return what YAML 1.1 takes a plain scalar for, or None where it is that text in other words.

    Whole numbers and dates that are written as programs write them are no traps, nor are `true` and
    `false`: they say what they are.
    """
    if (word := _WORDS.get(text.lower())) is not None:
        return word
    if _TIME.fullmatch(text):
        return "a point in time"
    if sixties := _SIXTIES.fullmatch(text):
        sign, digits, fraction = sixties.groups()
        number = 0
        for part in digits.replace("_", "").split(":"):
            number = number * 60 + int(part)
        return f"the number {sign.replace('+', '')}{number}{fraction or ''}"
    for pattern, base in _BASES:
        if pattern.fullmatch(text):
            return f"the number {int(text.replace('_', ''), base)}"
    if _SPECIAL.fullmatch(text):
        return "a number that is none"
    return _other_number(text)


def _other_number(text: str) -> str | None:
    """Return a decimal number that would not be written back as it was."""
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        value: int | float = int(plain)
    elif _FLOAT.fullmatch(text):
        value = float(plain)
    else:
        return None
    return f"the number {value}" if str(value) != text else None
