"""Front matter that is written plainly, read without a YAML parser, or not at all.

Nearly every page has fields of one line, with a text, a quoted text, a short list in brackets or a
list of texts below. These mean the same to every reader of YAML, and one pattern finds them several
times quicker than libyaml's events do. Whatever else there is, down to a blank too many, is left to
`worker.domain.seeds.front_matter`, which calls this first and alone says what is wrong; a test holds both
to one answer.
"""

from __future__ import annotations

import re
from typing import Any, Final

#: What YAML lets stand in a text beside ASCII, but for what some readers take for a line's end.
_OTHERS: Final = r"\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
#: A text without quotes that begins with a letter or a figure: a colon inside is none with a blank
#: behind, a hash none with a blank before, and no blank ends it. Tabs are left out here and below.
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
#: Longer front matter may hold more items than a list may have, and is rare.
_MOST_CHARACTERS: Final = 2500


def read_plain_fields(front_matter: str) -> dict[str, Any] | None:
    """Return the fields of front matter that is written plainly, None of any other."""
    if len(front_matter) > _MOST_CHARACTERS:
        return None
    fields: dict[str, Any] = {}
    open_field = ""  # a list may follow of the field that has no value in its own line
    begin = ""  # of that list's lines
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
