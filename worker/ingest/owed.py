"""The notices that one batch owes: of reviews, retractions, refusals, and edits that need a review.

Builds them from values and stores nothing. Called by `worker.ingest.rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from worker.domain.changes.change_record import Change
from worker.domain.changes.risk import Risk
from worker.domain.folder.entry import Head, Withheld
from worker.domain.reviews.notice import (
    Notice,
    asking_notices,
    refusal_notices,
    retraction_notices,
    review_notices,
)
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.route import Subject
from worker.domain.seeds.facts import ACTIVE, read_facts
from worker.domain.seeds.problem import Problem
from worker.ingest.outcomes import Accepted, Refused
from worker.store.documents import RETIRED


@dataclass(slots=True, kw_only=True)
class Owed:
    """What people are notified of on one day."""

    policy: Policy
    today: date
    _longest_lead_days: int = field(init=False)

    def __post_init__(self) -> None:
        """Read once from the policy what every page needs."""
        self._longest_lead_days = self.policy.leads.longest

    def of_review(self, seen: Accepted, document_id: int) -> Iterable[Notice]:
        """Return the notices of a document's review; most pages owe none for now."""
        facts, due_on = seen.facts, seen.clock.due_on
        if due_on is None or due_on > self.today + timedelta(days=self._longest_lead_days):
            return ()  # saves the search for their owners
        return review_notices(
            self._subject(seen.path, seen.seed.metadata),
            document_id=document_id,
            clock=seen.clock,
            title=facts.title,
            today=self.today,
            ladder=self.policy.ladder_of(seen.path, facts.source_type, facts.review_frequency),
            routes=self.policy.routes,
        )

    def of_edit(self, head: Head, seen: Accepted, number: int, change: Change) -> Iterable[Notice]:
        """Return the notices of a retraction, or of a review that a high-risk edit requires."""
        before, now = read_facts(head.metadata, self.policy.fields), seen.facts
        if before.status == ACTIVE and now.status != ACTIVE:
            return retraction_notices(
                self._subject(seen.path, head.metadata),
                document_id=head.document_id,
                number=number,
                title=now.title,
                status=now.status,
                observed=seen.observed,
                routes=self.policy.routes,
            )
        needs_review = (
            self.policy.ask_after_high_risk
            and change.kind == "content"
            and change.risk is Risk.HIGH
            and before.last_reviewed == now.last_reviewed
            and now.status == ACTIVE
        )
        if not needs_review:
            return ()
        return asking_notices(
            self._subject(seen.path, seen.seed.metadata),
            document_id=head.document_id,
            due_on=seen.clock.due_on,
            number=number,
            title=now.title,
            routes=self.policy.routes,
        )

    def of_retirement(self, path: str, head: Head, *, observed: int) -> Iterable[Notice]:
        """Return the notices of an active document whose file is gone."""
        facts = read_facts(head.metadata, self.policy.fields)
        if facts.status != ACTIVE:
            return ()
        return retraction_notices(
            self._subject(path, head.metadata),
            document_id=head.document_id,
            number=head.number,
            title=facts.title,
            status=RETIRED,
            observed=observed,
            routes=self.policy.routes,
        )

    def is_active(self, head: Head) -> bool:
        """Return whether a document's newest version may be served."""
        return self.policy.fields.status_of(head.metadata) == ACTIVE

    def of_withholding(self, path: str, head: Head, withheld: Withheld) -> Iterable[Notice]:
        """Return the notices of an active document that a refused file takes out of service."""
        return retraction_notices(
            self._subject(path, head.metadata),
            document_id=head.document_id,
            number=head.number,
            title=read_facts(head.metadata, self.policy.fields).title,
            status=withheld.status,
            observed=withheld.observed,
            withheld=True,
            routes=self.policy.routes,
        )

    def of_refusal(
        self, seen: Refused, head: Head | None, first: Problem, withheld: Withheld | None
    ) -> Iterable[Notice]:
        """Return the notices of a refused file, with its first error and the version that stays."""
        return refusal_notices(
            self._subject(seen.path, seen.metadata or (head.metadata if head else {})),
            document_id=head.document_id if head else None,
            sha256=seen.sha256,
            observed=seen.item.observed,
            problem=first.as_json(),
            kept=head.number if head is not None and head.live and withheld is None else None,
            routes=self.policy.routes,
        )

    def _subject(self, path: str, metadata: Mapping[str, Any]) -> Subject:
        facts = read_facts(metadata, self.policy.fields)
        return self.policy.subject(
            path, source_type=facts.source_type, owner=facts.owner, tags=facts.tags
        )
