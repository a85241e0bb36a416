"""The team's settings that ingest and sweeps need, read once at start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from worker.domain.changes.risk import GRAVE_FIELDS
from worker.domain.reviews.owners import Owners
from worker.domain.reviews.review import (
    Clock,
    DefaultFrequency,
    Ladder,
    Leads,
    ReviewGroup,
    ReviewRow,
    ReviewState,
    default_frequency,
    review_state,
    set_clock,
)
from worker.domain.reviews.route import Route, Subject
from worker.domain.seeds.facts import ACTIVE, Facts, Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When reviews are due, who gets notices of them, and how large a seed may be, in bytes."""

    fields: Fields
    routes: tuple[Route, ...]
    default_frequencies: tuple[DefaultFrequency, ...]
    owners: Owners
    leads: Leads
    repeat_days: int
    backup_days: int
    lead_escalation_days: int
    ask_after_high_risk: bool
    max_file_bytes: int

    def clock_of(self, path: str, facts: Facts) -> Clock:
        """Return the review clock that a document's metadata sets."""
        return set_clock(
            path=path,
            active=facts.status == ACTIVE,
            source_type=facts.source_type,
            last_reviewed=facts.last_reviewed,
            frequency=facts.review_frequency,
            defaults=self.default_frequencies,
        )

    def ladder_of(self, path: str, source_type: str | None, frequency: str | None) -> Ladder:
        """Return when a document's review owes notices; `frequency` is the one in its front matter."""
        named = frequency or default_frequency(path, source_type, self.default_frequencies)
        return Ladder(
            lead_days=self.leads.for_frequency(named),
            repeat_days=self.repeat_days,
            backup_days=self.backup_days if any(r.backup for r in self.routes) else None,
            lead_escalation_days=(
                self.lead_escalation_days if any(r.lead for r in self.routes) else None
            ),
        )

    @property
    def defaults_by_path(self) -> bool:
        """Return whether the review frequency of a document that names none depends on its path."""
        return any(default.paths for default in self.default_frequencies)

    def state_of(self, row: ReviewRow | ReviewGroup, *, today: date) -> ReviewState:
        """Return the review state on a day of a live document, or of each document in a group."""
        ladder = self.ladder_of(row.path, row.source_type, row.review_frequency)
        return review_state(row.clock, today=today, ladder=ladder, given=row.given)

    def owner_of(self, path: str, named: str | None) -> str | None:
        """Return who answers for a document, as one string; `named` is the owner in its front matter."""
        return ", ".join(self.owners.of(path, named).owners) or None

    def subject(
        self, path: str, *, source_type: str | None, owner: str | None, tags: tuple[str, ...]
    ) -> Subject:
        """Return a document as routes match it; `owner` is the owner in its front matter."""
        owners = self.owners.of(path, owner).owners
        return Subject(path=path, source_type=source_type, owners=owners, tags=tags)

    @property
    def review_fields(self) -> frozenset[str]:
        """Return the names of the fields that only say who reviewed the document and when."""
        return frozenset(
            {self.fields.last_reviewed, self.fields.reviewer, self.fields.review_status}
        )

    @property
    def grave_fields(self) -> frozenset[str]:
        """Return the names of the fields whose change is a high risk."""
        return GRAVE_FIELDS - {"status"} | ({self.fields.status} - {""})
