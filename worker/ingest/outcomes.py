"""Observations and outcomes of an ingest: plain result types, their log lines and counts.

Created by `worker.ingest.batch`, stored by `worker.ingest.rows`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.domain.changes.risk import Risk
from worker.domain.folder.snapshot import Removal
from worker.domain.seeds.problem import Severity

if TYPE_CHECKING:
    from datetime import date

    from worker.domain.changes.change_record import Change
    from worker.domain.folder.snapshot import Snapshot, Unreadable
    from worker.domain.reviews.review import Clock
    from worker.domain.seeds.facts import Facts
    from worker.domain.seeds.problem import Problem
    from worker.domain.seeds.seed import Seed

logger = logging.getLogger("content_sync.outcome")

MOST_LINES = 10
#: The kind of an outcome: the observation follows one that the store does not have yet.
WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome for one path.

    `kind` is new, changed, unchanged, moved, revived, retired, refused, withdrawn, stale, waiting (for an
    observation that the store does not have yet), or failed (nothing could be stored about it).
    """

    path: str
    kind: str
    number: int | None = None
    change: Change | None = None
    moved_from: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A snapshot whose content has no error; from the day `again_on` the verdict may be another one."""

    snapshot: Snapshot
    seed: Seed
    facts: Facts
    body_sha256: str
    clock: Clock
    problems: tuple[Problem, ...]
    again_on: date | None = None

    @property
    def path(self) -> str:
        """Return the seed's path."""
        return self.snapshot.path

    @property
    def observed(self) -> int:
        """Return the observation number, as in `Snapshot.observed`."""
        return self.snapshot.observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A snapshot with errors, or a file that could not be read.

    `metadata` is the readable part of its front matter, which may name the file's owner; `body` is its
    text, by which a renamed file finds the document that it continues. `status` is the file's status if it
    can be read and is not active. From the day `again_on` the verdict may be another one.
    """

    item: Snapshot | Unreadable
    sha256: str
    problems: tuple[Problem, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    status: str | None = None
    again_on: date | None = None

    @property
    def error_codes(self) -> frozenset[str]:
        """Return the codes of its errors."""
        return frozenset(p.code for p in self.problems if p.severity is Severity.ERROR)

    @property
    def path(self) -> str:
        """Return the seed's path."""
        return self.item.path

    @property
    def observed(self) -> int:
        """Return the observation number, as in `Snapshot.observed`."""
        return self.item.observed


Observation = Accepted | Refused | Removal


def log_outcomes(outcomes: Sequence[Outcome], *, bulk: bool) -> None:
    """Log a batch's outcomes, a line each; a large load gets one line for its new files.

    Unchanged files of a load were judged again, and the watcher logs how far it is.
    """
    many = bulk and len(outcomes) > MOST_LINES
    quiet = {"stale", WAITING} | ({"unchanged"} if bulk else set()) | ({"new"} if many else set())
    for outcome in outcomes:
        if outcome.kind not in quiet:
            log = logger.warning if outcome.kind in {"refused", "failed"} else logger.info
            log("%s", describe(outcome), extra={"path": outcome.path, "outcome": outcome.kind})
    if many and (new := sum(outcome.kind == "new" for outcome in outcomes)):
        logger.info("loaded    %d new", new)


def describe(outcome: Outcome) -> str:
    """Return an outcome in one line: the kind, the path and the reason."""
    parts = [f"{outcome.kind:<9} {outcome.path}"]
    if outcome.number is not None:
        parts.append(f"version {outcome.number}")
    if outcome.moved_from is not None:
        parts.append(f"from {outcome.moved_from}")
    if (change := outcome.change) is not None:
        parts.append(str(change.kind))
        parts.extend(f"{f.field} {_short(f.old)} → {_short(f.new)}" for f in change.fields[:3])
        if change.lines_added or change.lines_removed:
            parts.append(f"+{change.lines_added} −{change.lines_removed} lines")
        if change.risk is Risk.HIGH:
            parts.append(f"risk high: {_describe_risk(change)}")
    errors = [p for p in outcome.problems if p.severity is Severity.ERROR]
    if errors:
        parts.append(f"line {errors[0].span.line}: {errors[0].code} {errors[0].message}")
        if len(errors) > 1:
            parts.append(f"and {len(errors) - 1} more")
    return "  ".join(parts)


@dataclass(slots=True, kw_only=True)
class SyncReport:
    """The result of one complete scan: counts, and what a person should look at.

    `judged_again` counts files whose content is the same; each counts by its outcome, too.
    """

    scanned: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    retired: int = 0
    refused: int = 0
    judged_again: int = 0
    seconds: float = 0.0
    refusals: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    busy: list[tuple[str, str]] = field(default_factory=list)
    unsure: list[tuple[str, str]] = field(default_factory=list)
    held: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the counts as `sync --json` prints them."""
        return {
            "scanned": self.scanned,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "moved": self.moved,
            "retired": self.retired,
            "refused": self.refused,
            "judged_again": self.judged_again,
            "seconds": round(self.seconds, 3),
        }

    def merge(self, other: SyncReport) -> None:
        """Add the counts of another process that shared the scan."""
        self.new += other.new
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.moved += other.moved
        self.retired += other.retired
        self.refused += other.refused
        self.refusals += other.refusals

    def add(self, outcome: Outcome) -> None:
        """Count the outcome for one path."""
        match outcome.kind:
            case "new" | "revived":
                self.new += 1
            case "changed":
                self.changed += 1
            case "moved":
                self.moved += 1
            case "retired":
                self.retired += 1
            case "refused" | "failed":
                self.refused += 1
                self.refusals.append((outcome.path, [p.as_json() for p in outcome.problems]))
            case "unchanged" | "stale" | "waiting":
                self.unchanged += 1
            case _:
                pass  # a refused file was deleted, and it had no document


def _describe_risk(change: Change) -> str:
    """Return the first changed figures, or the reasons if no figure changed; the line has the fields."""
    figures = [f"{_short(f.old)} → {_short(f.new)}" for f in change.figures[:3]]
    if len(change.figures) > len(figures):
        figures.append(f"and {len(change.figures) - len(figures)} more")
    return ", ".join(figures or change.reasons)


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
