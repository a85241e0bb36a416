"""The rows that one batch writes: versions, changes, due dates, events, notices.

The decisions are collected path by path and written at the end, so each table is written once. Decides
and commits nothing. Called by `worker.ingest.batch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.domain.changes.change_record import Change, first_change
from worker.domain.changes.risk import Risk
from worker.domain.folder import decide
from worker.domain.folder.decide import Head, Refusal
from worker.domain.folder.snapshot import Removal
from worker.domain.reviews.notice import (
    Notice,
    asking_notices,
    refusal_notices,
    retraction_notices,
    review_notices,
)
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.route import Subject
from worker.domain.seeds.facts import ACTIVE, Facts, read_facts
from worker.domain.seeds.problem import Severity
from worker.ingest.outcomes import Accepted, Observation, Outcome, Refused
from worker.store import documents as table
from worker.store.engine import Connection, Store
from worker.store.notices import add_notices

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Writes:
    """The rows of one transaction, collected so that each table is written once."""

    policy: Policy
    now: datetime
    today: date
    creates: list[Accepted] = field(default_factory=list)
    versions: list[tuple[Accepted, int, Change]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    retirements: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    _longest_lead_days: int = field(init=False)

    def __post_init__(self) -> None:
        """Read once from the policy what every row needs."""
        self._longest_lead_days = self.policy.leads.longest

    def note(
        self,
        seen: Observation,
        decision: decide.Decision,
        head: Head | None,
        refusal: Refusal | None,
        bodies: Mapping[str, str],
    ) -> None:
        """Collect the rows of one decision."""
        match seen, decision:
            case Accepted(), decide.Create():
                self._create(seen)
            case Accepted(), decide.Advance(revives=revives) if head is not None:
                self._advance(seen, head, bodies, revives=revives)
            case Accepted(), decide.Touch(revives=revives) if head is not None:
                self._touch(seen, head, revives=revives, fixed=refusal is not None)
            case Accepted(), decide.Move():
                self._move(seen, decision, bodies)
            case Refused(), decide.Refuse(new=new):
                self._refuse(seen, head, new=new)
            case Removal(), decide.Retire() if head is not None:
                self._retire(seen, head)
            case Removal(), decide.Withdraw():
                self._add_event("seed.withdrawn", seen.path)
                self._finish(seen.path, "withdrawn")
            case _:
                self.outcomes.append(Outcome(path=seen.path, kind="stale"))
                return
        if refusal is not None and not isinstance(seen, Refused):
            self.cleared.append(seen.path)

    def write(self, connection: Connection, store: Store) -> None:
        """Write all collected rows; events last, under their lock."""
        self.ids |= table.create_documents(connection, [self._created_row(a) for a in self.creates])
        table.update_documents(connection, self.updates)
        table.update_documents(connection, self.touches)
        table.update_documents(connection, self.retirements)
        table.add_bodies(connection, {a.body_sha256: a.seed.body for a, _, _ in self.versions})
        table.add_versions(connection, [self._version_row(*version) for version in self.versions])
        table.remove_refusals(connection, self.cleared)
        table.replace_refusals(connection, self.refusals)
        for accepted in self.creates:
            self.notices.extend(self._review_notices(accepted, self.ids[accepted.path]))
        add_notices(connection, self.notices, now=self.now)
        for event in self.events:
            event["document_id"] = self.ids.get(event["path"])
        if self.events:
            store.lock_events(connection)
            table.add_events(connection, self.events)

    def _create(self, seen: Accepted) -> None:
        self.creates.append(seen)
        self._store_version(seen, 1, first_change(seen.seed.body))
        self._finish(seen.path, "new", number=1, problems=seen.problems)

    def _advance(
        self, seen: Accepted, head: Head, bodies: Mapping[str, str], *, revives: bool
    ) -> None:
        change = self._compare(seen, head, bodies)
        number = head.number + 1
        self.updates.append(self._updated_row(head, seen, number=number) | {"updated_at": self.now})
        if revives:
            self._add_event("document.revived", seen.path)
        self._store_version(seen, number, change)
        self._keep(head, seen)
        self._follow_up(head, seen, number, change)
        self._finish(seen.path, "changed", number=number, change=change, problems=seen.problems)

    def _compare(self, seen: Accepted, head: Head, bodies: Mapping[str, str]) -> Change:
        from worker.domain.changes.change import compare  # noqa: PLC0415 - first versions do not need it

        old_body = bodies.get(head.body_sha256, seen.seed.body)
        change = compare(
            head.metadata,
            old_body,
            seen.seed.metadata,
            seen.seed.body,
            review_fields=self.policy.review_fields,
            grave_fields=self.policy.grave_fields,
        )
        if change is None:
            raise AssertionError(f"{seen.path}: a next version without a change")
        return change

    def _touch(self, seen: Accepted, head: Head, *, revives: bool, fixed: bool) -> None:
        row = self._updated_row(head, seen, number=head.number)
        self._keep(head, seen)
        if revives:
            self.updates.append(row | {"updated_at": self.now})
            self._add_event("document.revived", seen.path, number=head.number)
        else:
            self.touches.append(row)
            if fixed:
                self._add_event("seed.fixed", seen.path, number=head.number)
        kind = "revived" if revives else "unchanged"
        self._finish(seen.path, kind, number=head.number, problems=seen.problems)

    def _move(self, seen: Accepted, move: decide.Move, bodies: Mapping[str, str]) -> None:
        source = move.source
        change = self._compare(seen, source, bodies) if move.advances else None
        number = source.number if change is None else source.number + 1
        self.updates.append(
            self._updated_row(source, seen, number=number) | {"updated_at": self.now}
        )
        self.cleared.append(source.path)
        self._add_event(
            "document.moved",
            seen.path,
            number=source.number,
            moved_from=source.path,
            similarity=round(move.similarity, 2),
        )
        if not source.live:  # its removal was ingested first
            self._add_event("document.revived", seen.path, number=source.number)
        if change is not None:
            self._store_version(seen, number, change)
        self._keep(source, seen)
        if change is not None:
            self._follow_up(source, seen, number, change)
        self._finish(
            seen.path,
            "moved",
            number=number,
            change=change,
            moved_from=source.path,
            problems=seen.problems,
        )

    def _retire(self, seen: Removal, head: Head) -> None:
        self.retirements.append(
            {
                "document_id": head.document_id,
                "state": table.RETIRED,
                "observed": seen.observed,
                "updated_at": self.now,
            }
        )
        self.ids[seen.path] = head.document_id
        self._add_event("document.retired", seen.path, number=head.number)
        facts = read_facts(head.metadata, self.policy.fields)
        if facts.status == ACTIVE:
            self._retract(
                seen.path, facts, head, number=head.number, status=table.RETIRED, seen=seen
            )
        self._finish(seen.path, "retired", number=head.number)

    def _refuse(self, seen: Refused, head: Head | None, *, new: bool) -> None:
        problems = [problem.as_json() for problem in seen.problems]
        errors = [p for p in seen.problems if p.severity is Severity.ERROR]
        first = errors[0]
        self.refusals.append(
            {
                "path": seen.path,
                "sha256": seen.sha256,
                "observed": seen.item.observed,
                **table.stamp_columns(seen.item.stamp),
                "problems": problems,
                "refused_at": self.now,
            }
        )
        if head is not None:
            self.ids[seen.path] = head.document_id
        if new:
            self._add_event(
                "seed.refused",
                seen.path,
                codes=sorted({p.code for p in seen.problems}),
                errors=len(errors),
                code=first.code,
                line=first.span.line,
                message=first.message,
                observed_at=_observed_at(seen.observed).isoformat(),
            )
            self.notices.extend(
                refusal_notices(
                    self._subject(seen.path, seen.metadata or (head.metadata if head else {})),
                    document_id=head.document_id if head else None,
                    sha256=seen.sha256,
                    observed=seen.item.observed,
                    problem=first.as_json(),
                    kept=head.number if head is not None and head.live else None,
                    routes=self.policy.routes,
                )
            )
        self._finish(seen.path, "refused", problems=seen.problems)

    def _store_version(self, seen: Accepted, number: int, change: Change) -> None:
        self.versions.append((seen, number, change))
        self._add_event(
            "version.stored",
            seen.path,
            number=number,
            title=seen.facts.title,
            status=seen.facts.status,
            sha256=seen.snapshot.sha256,
            change=change.kind,
            risk=change.risk,
            fields=[f.field for f in change.fields],
            due_on=seen.clock.due_on.isoformat() if seen.clock.due_on else None,
            warnings=sorted({p.code for p in seen.problems if p.severity is Severity.WARNING}),
        )

    def _keep(self, head: Head, seen: Accepted) -> None:
        """Record the ID of the document that continues at a path, and the notices of its review."""
        self.ids[seen.path] = head.document_id
        self.notices.extend(self._review_notices(seen, head.document_id))

    def _follow_up(self, head: Head, seen: Accepted, number: int, change: Change) -> None:
        """Add notices of a retraction, or of a review that a high-risk edit requires."""
        before, now = read_facts(head.metadata, self.policy.fields), seen.facts
        if before.status == ACTIVE and now.status != ACTIVE:
            self._retract(seen.path, now, head, number=number, status=now.status, seen=seen)
        elif (
            self.policy.ask_after_high_risk
            and change.kind == "content"
            and change.risk is Risk.HIGH
            and before.last_reviewed == now.last_reviewed
            and now.status == ACTIVE
        ):
            self.notices.extend(
                asking_notices(
                    self._subject(seen.path, seen.seed.metadata),
                    document_id=head.document_id,
                    due_on=seen.clock.due_on,
                    number=number,
                    title=now.title,
                    routes=self.policy.routes,
                )
            )

    def _retract(
        self,
        path: str,
        facts: Facts,
        head: Head,
        *,
        number: int,
        status: str,
        seen: Accepted | Removal,
    ) -> None:
        self.notices.extend(
            retraction_notices(
                self._subject(path, head.metadata),
                document_id=head.document_id,
                number=number,
                title=facts.title,
                status=status,
                observed=seen.observed,
                routes=self.policy.routes,
            )
        )

    def _subject(self, path: str, metadata: Mapping[str, Any]) -> Subject:
        facts = read_facts(metadata, self.policy.fields)
        return self.policy.subject(
            path, source_type=facts.source_type, owner=facts.owner, tags=facts.tags
        )

    def _finish(self, path: str, kind: str, **rest: Any) -> None:
        self.outcomes.append(Outcome(path=path, kind=kind, **rest))

    def _add_event(self, kind: str, path: str, *, number: int | None = None, **data: Any) -> None:
        self.events.append(table.event_row(self.now, kind, path, number=number, **data))

    def _review_notices(self, seen: Accepted, document_id: int) -> Iterable[Notice]:
        facts, due_on = seen.facts, seen.clock.due_on
        if due_on is None or due_on > self.today + timedelta(days=self._longest_lead_days):
            return ()  # most pages: saves the search for their owners
        return review_notices(
            self.policy.subject(
                seen.path, source_type=facts.source_type, owner=facts.owner, tags=facts.tags
            ),
            document_id=document_id,
            clock=seen.clock,
            title=facts.title,
            today=self.today,
            ladder=self.policy.ladder_of(seen.path, facts.source_type, facts.review_frequency),
            routes=self.policy.routes,
        )

    def _created_row(self, seen: Accepted) -> dict[str, Any]:
        return _head_columns(seen, number=1) | {"created_at": self.now, "updated_at": self.now}

    def _updated_row(self, head: Head, seen: Accepted, *, number: int) -> dict[str, Any]:
        return _head_columns(seen, number=number) | {"document_id": head.document_id}

    def _version_row(self, seen: Accepted, number: int, change: Change) -> dict[str, Any]:
        return {
            "document_id": self.ids[seen.path],
            "number": number,
            "path": seen.path,
            "label": seen.facts.label,
            "sha256": seen.snapshot.sha256,
            "body_sha256": seen.body_sha256,
            "front_matter": seen.seed.front_matter,
            "metadata": seen.seed.metadata,
            "change": change.kind,
            "fields": change.fields_json(),
            "lines_added": change.lines_added,
            "lines_removed": change.lines_removed,
            **change.details_json(),
            "observed_at": _observed_at(seen.observed),
            "stored_at": self.now,
        }


def _observed_at(observed: int) -> datetime:
    return EPOCH + timedelta(microseconds=observed)


def _head_columns(seen: Accepted, *, number: int) -> dict[str, Any]:
    return {
        "path": seen.path,
        "state": table.LIVE,
        "sha256": seen.snapshot.sha256,
        "observed": seen.snapshot.observed,
        **table.stamp_columns(seen.snapshot.stamp),
        **decide.head_values(seen.facts, seen.clock, number=number),
    }
