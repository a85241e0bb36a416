"""Rate the risk of a change and give the reasons. Called by `worker.domain.changes.change`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a policy needs the field names, but not the modules that read figures
    from worker.domain.changes.figures import FigureChange
    from worker.domain.changes.sections import SectionChange

#: Fields whose change alone is a high risk, by their default names.
GRAVE_FIELDS = frozenset({"status", "license"})


class Risk(StrEnum):
    """How carefully a reviewer should look at a change; the highest first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def weigh(
    *,
    slight: bool,
    fields: Iterable[str],
    grave_fields: frozenset[str],
    figures: Sequence[FigureChange],
    sections: Sequence[SectionChange],
    complete: bool,
) -> tuple[Risk, tuple[str, ...]]:
    """Return the risk of a change and its reasons; only a high risk has reasons.

    `slight` means that only white space or the review changed. `complete` is false when a limit was
    reached, which alone makes the risk high.
    """
    from worker.domain.changes.sections import SectionStatus  # noqa: PLC0415 - only comparisons need it

    reasons = [f"{name} changed" for name in fields if name in grave_fields]
    if figures:
        reasons.append(
            "a figure changed" if len(figures) == 1 else f"{len(figures)} figures changed"
        )
    gone = [s.heading for s in sections if s.status is SectionStatus.REMOVED]
    if gone:
        reasons.append(
            f"the section “{gone[0]}” is gone"
            if len(gone) == 1
            else f"{len(gone)} sections are gone"
        )
    if not complete:
        reasons.append("too many changes to compare every figure")
    if reasons:
        return Risk.HIGH, tuple(reasons)
    return (Risk.LOW if slight else Risk.MEDIUM), ()
