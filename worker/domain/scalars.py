"""Checks how values are written: what other programs would read, and what nobody sees.

This service reads every scalar of front matter as text. Most other tools read YAML 1.1, where `no`
is false and `010` is eight; a value that differs between the two is told. Values in quotes mean the
same everywhere: `worker.domain.rules` drops their findings, for quotes are known only by the place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from worker.domain import codes
from worker.domain.content import REORDERING
from worker.domain.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.domain.places import FieldPath

#: The longest value that YAML 1.1 could take for something else than a text.
_LONGEST: Final = 40
#: How such a value begins: most do not, and need no pattern to tell.
_FIRSTS: Final = frozenset("-+.0123456789ynoYNO~")
_MAYBE: Final = re.compile(r"[-+.0-9]|(?:yes|no|on|off|y|n|null|~)\Z", re.IGNORECASE)
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


def check_scalars(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is told of single values, wherever they stand in metadata."""
    for path, text in _scalars(metadata, ()):
        if text[:1] in _FIRSTS and len(text) <= _LONGEST and _MAYBE.match(text):
            meaning = yaml_1_1(text)
            if meaning is not None:
                yield Finding(
                    code=codes.YAML_TRAP,
                    path=path,
                    message=f"other programs read `{text}` as {meaning}; here it is a text",
                    hint=f"put it into quotes: `'{text}'`",
                    only_plain=True,
                )
        if not text.isascii() and (mark := REORDERING.search(text)):
            yield Finding(
                code=codes.REORDERED_TEXT,
                path=path,
                message=f"the value holds the mark U+{ord(mark[0]):04X}, which reorders what is shown",
                hint="remove it; it is invisible, and mostly came with a copy",
            )


def _scalars(node: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    # Front matter is at most twenty levels deep (`worker.domain.front_matter`).
    for step, value in node.items() if isinstance(node, dict) else enumerate(node):
        if type(value) is str:
            yield (*path, step), value
        else:
            yield from _scalars(value, (*path, step))


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
