"""The change that a version records: class, fields, lines, sections, figures, links and risk.

`worker.domain.changes.change` computes it. That module is slow to import, and a first version does not
need it. Called by ingest and the log of outcomes.
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
    """The kind of a change, the most important first."""

    CONTENT = "content"
    METADATA = "metadata"
    REVIEW = "review"  # only review dates or the reviewer
    COSMETIC = "cosmetic"  # only white space


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One changed front-matter field; None on the side that does not have it."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference between two versions; `reasons` say why the risk is high."""

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
        """Return the fields in the form of the store and of `history --json`."""
        return [{"field": f.field, "old": f.old, "new": f.new} for f in self.fields]

    def details_json(self) -> dict[str, Any]:
        """Return sections, figures, links and risk in the form of the store and the commands."""
        return {
            "sections": [section.as_json() for section in self.sections],
            "figures": [figure.as_json() for figure in self.figures],
            "links": [link.as_json() for link in self.links],
            "risk": str(self.risk),
        }


def first_change(body: str) -> Change:
    """Return the change of a first version: every line is new content.

    A first version replaces nothing, so it lists no sections, figures or links and has a low risk.
    """
    lines = body.count("\n") + (not body.endswith("\n") and body != "")
    return Change(kind=ChangeClass.CONTENT, fields=(), lines_added=lines, lines_removed=0)
