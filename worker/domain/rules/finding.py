"""A finding about a field, before its place in the file is known.

The checks of metadata know fields, not lines. `worker.domain.rules.rules` looks up the places, and only
for a file with findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.domain.seeds.places import FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem of a field without a place; if the field is missing, the place is the closing fence.

    An `only_plain` finding is dropped if the value is written in quotes.
    """

    code: str
    path: FieldPath
    message: str
    hint: str = ""
    on_key: bool = False
    fixable: bool = False
    only_plain: bool = False
