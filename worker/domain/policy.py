"""The team's choices that ingest and sweeps need, taken from the settings once at start."""

from __future__ import annotations

from dataclasses import dataclass

from worker.domain.review import DefaultFrequency
from worker.domain.risk import GRAVE_FIELDS
from worker.domain.route import Route
from worker.domain.rules import Rules
from worker.domain.seed import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is a valid seed, when its review is due, and who is told."""

    rules: Rules
    fields: Fields
    routes: tuple[Route, ...]
    default_frequencies: tuple[DefaultFrequency, ...]
    upcoming_days: int
    max_file_bytes: int

    @property
    def review_fields(self) -> frozenset[str]:
        """Return the names of the fields that only say who reviewed, and when."""
        return frozenset(
            {self.fields.last_reviewed, self.fields.reviewer, self.fields.review_status}
        )

    @property
    def grave_fields(self) -> frozenset[str]:
        """Return the names of the fields whose change is a high risk."""
        return GRAVE_FIELDS - {"status"} | {self.fields.status}
