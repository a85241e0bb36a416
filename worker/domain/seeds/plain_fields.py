"""Read plainly written front matter without a YAML parser.

Nearly every page has one-line fields: a text, a quoted text, a short list in brackets, or a list of
texts on the lines below. Every YAML reader reads these the same way, and one pattern is several
times faster than libyaml's events. Anything else, even an extra space, is left to
`worker.domain.seeds.front_matter`, which calls this first and reports every error. A test checks that
both return the same fields.
"""

from __future__ import annotations

import re
from typing import Any, Final

#: The characters beyond ASCII that YAML allows in a text, without those that some readers take for a
#: line end.
_OTHERS: Final = r"\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
#: A text without quotes that begins with a letter or a digit. It has no colon before a space, no hash
#: after a space, and no space at its end. No text here or below contains a tab.
_PLAIN: Final = (
    rf"[a-zA-Z0-9](?:[\x20-\x22\x24-\x39\x3b-\x7e{_OTHERS}]++|:(?=[!-~])|(?<=[!-~])\#)*+(?<!\ )"
)
_QUOTED: Final = rf"'[\x20-\x26\x28-\x7e{_OTHERS}]*+'|\"[\x20\x21\x23-\x5b\x5d-\x7e{_OTHERS}]*+\""
_ITEM: Final = r"[a-zA-Z0-9][a-zA-Z0-9_./-]*+(?:\ [a-zA-Z0-9_./-]++)*+"
_BRACKETS: Final = rf"\[(?:{_ITEM}(?:,\ {_ITEM})*+)?\]"

_LINE: Final = re.compile(
    rf"(?:([a-zA-Z][a-zA-Z0-9_-]{{0,99}}):|(\ *-))"
    rf"(?:\ (?:({_PLAIN})|({_QUOTED})|({_BRACKETS})))?\n"
    r"|([^\n]*\n|[^\n]+)"
)
#: Longer front matter is rare, and a list in it may have too many items.
_MOST_CHARACTERS: Final = 2500


def read_plain_fields(front_matter: str) -> dict[str, Any] | None:
    """Return the fields of plainly written front matter, or None for any other."""
    if len(front_matter) > _MOST_CHARACTERS:
        return None
    fields: dict[str, Any] = {}
    open_field = ""  # the field without a value on its line, for which a list may follow
    begin = ""  # how that list's lines begin
    for name, dash, plain, quoted, brackets, other in _LINE.findall(front_matter):
        written = plain or quoted or brackets
        if other or name in fields or (dash and not (open_field and written)):
            return None
        value = (brackets[1:-1].split(", ") if len(brackets) > 2 else []) if brackets else written
        if quoted:
            value = quoted[1:-1]
        if name:
            fields[name], open_field, begin = value, "" if written else name, ""
        elif brackets or dash != (begin or dash):
            return None
        elif begin:
            fields[open_field].append(value)
        else:
            fields[open_field], begin = [value], dash
    return fields or None
