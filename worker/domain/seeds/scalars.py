"""Find values that other programs read differently.

This service reads every scalar of front matter as text. Most other tools read YAML 1.1, where `no`
is false and `010` is eight. A value that differs between the two is reported. Values in quotes are
the same everywhere, and `worker.domain.rules.rules` drops findings about them once their place is known.
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
    """Return what YAML 1.1 reads a plain scalar as, or None where that is harmless.

    Dates, `true`, `false`, and numbers in the form in which programs write them are not reported:
    they are what they look like.
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
        return "infinity or not-a-number"
    return _other_number(text)


def _other_number(text: str) -> str | None:
    """Return the decimal number that a text is read as, or None where it is written back the same."""
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        value: int | float = int(plain)
    elif _FLOAT.fullmatch(text):
        value = float(plain)
    else:
        return None
    return f"the number {value}" if str(value) != text else None
