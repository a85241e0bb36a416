"""The rows that one batch writes: versions, changes, due dates, events, notices.

The decisions are collected path by path and written at the end, so each table is written once. Decides
and commits nothing. Called by `worker.ingest.batch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.domain.changes.change_record import Change, first_change
from worker.domain.folder import decide
from worker.domain.folder.decide import Ledger, Move
from worker.domain.folder.entry import Entry, Head, State, Withheld
from worker.domain.folder.snapshot import Removal
from worker.domain.reviews.notice import Notice
from worker.domain.reviews.policy import Policy
from worker.domain.seeds.facts import ACTIVE, read_facts, withhold
from worker.domain.seeds.problem import Severity
from worker.ingest.decisions import Decided
from worker.ingest.ledger_rows import write_paths
from worker.ingest.outcomes import WAITING, Accepted, Outcome, Refused
from worker.ingest.owed import Owed
from worker.store import documents as table
from worker.store.engine import Connection, Store
from worker.store.notices import add_notices

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Writes:
    """The rows of one transaction, collected so that each table is written once."""

    policy: Policy
    judge: str
    now: datetime
    today: date
    creates: list[Accepted] = field(default_factory=list)
    versions: list[tuple[Accepted, int, Change]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    retirements: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, Accepted | Refused | None] = field(default_factory=dict)
    refused_at: dict[str, datetime] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, Withheld | None] = field(default_factory=dict)
    _owed: Owed = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what the notices of all rows need."""
        self._owed = Owed(policy=self.policy, today=self.today)

    def note(self, one: Decided, bodies: Mapping[str, str]) -> None:
        """Collect the rows of one decision."""
        seen, path = one.seen, one.seen.path
        if isinstance(one.decision, decide.Stale | decide.Wait):
            self._finish(path, "stale" if isinstance(one.decision, decide.Stale) else WAITING)
            return
        self.withheld[path] = one.withheld
        match one.decision:
            case decide.Retire(head=head):
                self._retire(path, head, observed=seen.observed, withheld=one.was_withheld)
                self._finish(path, "retired", number=head.number)
            case decide.Withdraw():
                self._add_event("seed.withdrawn", path)
                self._finish(path, "withdrawn")
            case decide.Leave():
                self._finish(path, "stale")
            case decide.Refuse() as refuse if isinstance(seen, Refused):
                self._refuse(seen, refuse, one)
            case decide.Withhold(head=head) if isinstance(seen, Refused):
                if head is not None:
                    self.updates.append(self._moved_row(path, head))
                    self._withhold(seen, head, owed=one.was_withheld is None)
                self._finish(path, "stale")
                self.seen.setdefault(path, None)
                return
            case _ if isinstance(seen, Accepted):
                self._accept(seen, one, bodies)
        self.seen[path] = None if isinstance(seen, Removal) else seen

    def _accept(self, seen: Accepted, one: Decided, bodies: Mapping[str, str]) -> None:
        match one.decision:
            case decide.Create():
                self._create(seen)
            case decide.Advance(head=head, revives=revives):
                self._advance(seen, head, bodies, revives=revives)
            case decide.Touch(head=head, revives=revives):
                fixed = one.entry.state is State.REFUSED and seen.observed > one.entry.observed
                self._touch(seen, head, revives=revives, fixed=fixed)
            case Move() as move:
                self._move(seen, move, bodies, one.entry)
        number = self.outcomes[-1].number
        if seen.facts.status != ACTIVE:
            return
        if one.withheld is not None:  # by a file that came later, and is refused
            if not isinstance(one.decision, decide.Touch):
                self._add_withheld(seen.path, one.withheld, number=number)
        elif one.was_withheld is not None and decide.keeps_version(one.decision):
            self._add_event("document.revived", seen.path, number=number, status=ACTIVE)

    def write(self, connection: Connection, store: Store, ledger: Ledger) -> None:
        """Write all collected rows; events last, under their lock."""
        self.ids |= table.create_documents(connection, [self._created_row(a) for a in self.creates])
        table.update_documents(connection, self.updates)
        table.update_documents(connection, self.touches)
        table.update_documents(connection, self.retirements)
        table.add_bodies(connection, {a.body_sha256: a.seed.body for a, _, _ in self.versions})
        table.add_versions(connection, [self._version_row(*version) for version in self.versions])
        write_paths(
            connection,
            ledger,
            self.seen,
            created={accepted.path: self.ids[accepted.path] for accepted in self.creates},
            refused_at=self.refused_at,
            judge=self.judge,
        )
        for accepted in self.creates:
            self.notices.extend(self._owed.of_review(accepted, self.ids[accepted.path]))
        add_notices(connection, self.notices, now=self.now)
        for event in self.events:
            if event["document_id"] is None:
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
        self.notices.extend(self._owed.of_edit(head, seen, number, change))
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

    def _move(self, seen: Accepted, move: Move, bodies: Mapping[str, str], entry: Entry) -> None:
        source = move.source
        change = self._compare(seen, source, bodies) if move.advances else None
        number = source.number if change is None else source.number + 1
        self.updates.append(
            self._updated_row(source, seen, number=number) | {"updated_at": self.now}
        )
        self._change_place(seen.path, move, entry, observed=seen.observed)
        if change is not None:
            self._store_version(seen, number, change)
        self._keep(source, seen)
        if change is not None:
            self.notices.extend(self._owed.of_edit(source, seen, number, change))
        self._finish(
            seen.path,
            "moved",
            number=number,
            change=change,
            moved_from=source.path,
            problems=seen.problems,
        )

    def _change_place(self, path: str, move: Move, entry: Entry, *, observed: int) -> None:
        """Record that a document moves to a path, and that the one that was there has no file any more."""
        source, displaced = move.source, move.displaces
        if displaced is not None:
            self._retire(path, displaced, observed=observed, withheld=entry.withheld)
            if entry.withheld is not None:  # the path says this of its new document alone
                columns = self._columns_of(path, displaced, None)
                self.updates.append(columns | {"state": table.RETIRED})
        self.ids[path] = source.document_id
        self.seen.setdefault(source.path, None)
        self._add_event(
            "document.moved",
            path,
            head=source,
            moved_from=source.path,
            similarity=round(move.similarity, 2),
        )
        if not source.live:  # its removal was ingested first
            self._add_event("document.revived", path, head=source)

    def _retire(self, path: str, head: Head, *, observed: int, withheld: Withheld | None) -> None:
        self.retirements.append(
            {"document_id": head.document_id, "state": table.RETIRED, "updated_at": self.now}
        )
        self._add_event("document.retired", path, head=head)
        if withheld is None:  # else it was not served
            self.notices.extend(self._owed.of_retirement(path, head, observed=observed))

    def _refuse(self, seen: Refused, refuse: decide.Refuse, one: Decided) -> None:
        head, move, was_withheld = refuse.head, refuse.move, one.was_withheld
        was = was_withheld.status if was_withheld is not None else None
        is_new = one.withheld is not None and was != one.withheld.status
        if move is not None:  # the last good version moves with its document
            self._change_place(seen.path, move, one.entry, observed=seen.observed)
            self.updates.append(self._moved_row(seen.path, move.source))
        elif is_new and head is not None and head.live:
            self.updates.append(self._moved_row(seen.path, head))
        if head is not None:
            self.ids[seen.path] = head.document_id
        self.refused_at[seen.path] = one.refused_since or self.now
        if refuse.new:
            self._report_refusal(seen, head)
        if head is not None and head.live and (is_new or move is not None):
            self._withhold(seen, head, owed=was_withheld is None)
        kind = "refused" if refuse.new or move else "unchanged"  # the same bytes as before
        old = move and move.source.path
        self._finish(seen.path, kind, moved_from=old, problems=seen.problems)

    def _withhold(self, seen: Refused, head: Head, *, owed: bool) -> None:
        """Report that a refused file withholds a document, if the document was served until then."""
        withheld = self.withheld[seen.path]
        if withheld is None or not self._owed.is_active(head):
            return
        self.ids[seen.path] = head.document_id
        codes = sorted({p.code for p in seen.problems if p.severity is Severity.ERROR})
        self._add_withheld(seen.path, withheld, number=head.number, codes=codes)
        if owed:
            self.notices.extend(self._owed.of_withholding(seen.path, head, withheld))

    def _add_withheld(
        self, path: str, withheld: Withheld, *, number: int | None, codes: Sequence[str] = ()
    ) -> None:
        said: dict[str, Any] = {"status": withheld.status, "codes": list(codes)}
        self._add_event("document.withheld", path, number=number, **said)

    def _report_refusal(self, seen: Refused, head: Head | None) -> None:
        errors = [p for p in seen.problems if p.severity is Severity.ERROR]
        first = errors[0]
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
        self.notices.extend(self._owed.of_refusal(seen, head, first, self.withheld[seen.path]))

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
        self.notices.extend(self._owed.of_review(seen, head.document_id))

    def _finish(self, path: str, kind: str, **rest: Any) -> None:
        self.outcomes.append(Outcome(path=path, kind=kind, **rest))

    def _add_event(
        self,
        kind: str,
        path: str,
        *,
        number: int | None = None,
        head: Head | None = None,
        **data: Any,
    ) -> None:
        """Add an event about a path: of `head` and its number, or else of the document at the path."""
        about = {"number": number}
        if head is not None:
            about = {"document_id": head.document_id, "number": head.number}
        self.events.append(table.event_row(self.now, kind, path, **about, **data))

    def _created_row(self, seen: Accepted) -> dict[str, Any]:
        return self._head_columns(seen, number=1) | {"created_at": self.now, "updated_at": self.now}

    def _moved_row(self, path: str, head: Head) -> dict[str, Any]:
        """Return the columns of a document with the version that it has, and a refused file."""
        return self._columns_of(path, head, self.withheld[path])

    def _columns_of(self, path: str, head: Head, withheld: Withheld | None) -> dict[str, Any]:
        facts = read_facts(head.metadata, self.policy.fields)
        facts = withhold(facts, withheld.status if withheld is not None else None)
        clock = self.policy.clock_of(path, facts)
        return {
            "document_id": head.document_id,
            "path": path,
            "state": table.LIVE,
            "sha256": head.sha256,
            **decide.head_values(facts, clock, number=head.number),
            "updated_at": self.now,
        }

    def _updated_row(self, head: Head, seen: Accepted, *, number: int) -> dict[str, Any]:
        return self._head_columns(seen, number=number) | {"document_id": head.document_id}

    def _head_columns(self, seen: Accepted, *, number: int) -> dict[str, Any]:
        """Return the columns of a document with a new version; a file that came later may withhold it."""
        facts, clock = seen.facts, seen.clock
        if (withheld := self.withheld[seen.path]) is not None:
            facts = withhold(facts, withheld.status)
            clock = self.policy.clock_of(seen.path, facts)
        return {
            "path": seen.path,
            "state": table.LIVE,
            "sha256": seen.snapshot.sha256,
            **decide.head_values(facts, clock, number=number),
        }

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
