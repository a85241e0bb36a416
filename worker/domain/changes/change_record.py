"""What a version says of its change: its class, fields, lines, sections, figures, links, and its risk.

`worker.domain.changes.change` finds a change, and takes much longer to load than a first version is worth.
Called by ingest and the log of outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from worker.domain.changes.risk import Risk

if TYPE_CHECKING:
    from worker.domain.changes.figures import FigureChange
    from worker.domain.changes.links import LinkChange
    from worker.domain.changes.sections import SectionChange


class ChangeClass(StrEnum):
    """What kind of change a version is, the weightiest first."""

    CONTENT = "content"
    METADATA = "metadata"
    REVIEW = "review"  # nothing but review dates or the reviewer
    COSMETIC = "cosmetic"  # nothing but white space


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One front-matter field; None where the field is absent on that side."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference of two versions; `reasons` say why a risk is high."""

    kind: ChangeClass
    fields: tuple[FieldChange, ...]
    lines_added: int
    lines_removed: int
    sections: tuple[SectionChange, ...] = ()
    figures: tuple[FigureChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    risk: Risk = Risk.LOW
    reasons: tuple[str, ...] = ()

    def fields_json(self) -> list[dict[str, Any]]:
        """Return the fields as the store and `history --json` have them."""
        return [{"field": f.field, "old": f.old, "new": f.new} for f in self.fields]

    def details_json(self) -> dict[str, Any]:
        """Return the sections, figures and links, and the risk, as the store and the commands have them."""
        return {
            "sections": [section.as_json() for section in self.sections],
            "figures": [figure.as_json() for figure in self.figures],
            "links": [link.as_json() for link in self.links],
            "risk": str(self.risk),
        }


def first_change(body: str) -> Change:
    """Return the change of a first version: all of it is new content.

    It replaces nothing, so that there is nothing to weigh: no sections, figures or links, and a low risk.
    """
    lines = body.count("\n") + (not body.endswith("\n") and body != "")
    return Change(kind=ChangeClass.CONTENT, fields=(), lines_added=lines, lines_removed=0)
