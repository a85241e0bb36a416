"""What an ingest saw of each path, and what became of it: values that it hands on, and decides nothing by.

Called by `worker.ingest.batch`, which makes them, and `worker.ingest.rows`, which stores what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.domain.changes.change_record import Change
from worker.domain.folder.snapshot import Removal, Snapshot, Unreadable
from worker.domain.reviews.review import Clock
from worker.domain.seeds.facts import Facts
from worker.domain.seeds.problem import Problem
from worker.domain.seeds.seed import Seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one path: new, changed, unchanged, moved, retired, refused, withdrawn or stale."""

    path: str
    kind: str
    number: int | None = None
    change: Change | None = None
    moved_from: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A snapshot whose content has no error."""

    snapshot: Snapshot
    seed: Seed
    facts: Facts
    body_sha256: str
    clock: Clock
    problems: tuple[Problem, ...]

    @property
    def path(self) -> str:
        """Return where the seed lies."""
        return self.snapshot.path

    @property
    def observed(self) -> int:
        """Return when it was seen, as `Snapshot.observed`."""
        return self.snapshot.observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A snapshot with errors, or a file whose bytes could not be taken.

    `metadata` is what could be read of its front matter: it may say whose file it is.
    """

    item: Snapshot | Unreadable
    sha256: str
    problems: tuple[Problem, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Return where the seed lies."""
        return self.item.path

    @property
    def observed(self) -> int:
        """Return when it was seen, as `Snapshot.observed`."""
        return self.item.observed


Observation = Accepted | Refused | Removal
