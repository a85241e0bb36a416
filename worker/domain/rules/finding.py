"""A finding of a field before it has a place in the file.

The checks of metadata know fields and no lines. `worker.domain.rules.rules` looks the places up, and only
in a file that has findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.domain.seeds.places import FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem of a field before it has a place; without the field, it stands at the fence.

    One that is `only_plain` is none where the value turns out to be written in quotes.
    """

    code: str
    path: FieldPath
    message: str
    hint: str = ""
    on_key: bool = False
    fixable: bool = False
    only_plain: bool = False
