"""A batch of snapshots becomes versions, refusals, retirements and moves, in one transaction.

Seeds are parsed, validated and hashed before the transaction begins. Inside it the heads are locked
in path order, each path is decided on (`worker.domain.plan`), and all rows are written together:
versions, changes, due dates, events and the notices that they cause. One bad file never fails its
batch, and a batch that is taken in twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.domain import plan
from worker.domain.change import Change, compare, first_change
from worker.domain.notice import Notice, refusal_notices, review_notices
from worker.domain.plan import Head, Refusal
from worker.domain.policy import Policy
from worker.domain.problem import Problem, Severity
from worker.domain.review import Clock, set_clock
from worker.domain.route import Subject
from worker.domain.rules import examine, unreadable_problem
from worker.domain.seed import Facts, Seed, body_sha256
from worker.domain.snapshot import Batch, Removal, Snapshot, Unreadable
from worker.store import documents as table
from worker.store.engine import Connection, Store
from worker.store.notices import add_notices

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACTIVE = "active"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A snapshot with errors, or a file whose bytes could not be taken."""

    item: Snapshot | Unreadable
    sha256: str
    problems: tuple[Problem, ...]

    @property
    def path(self) -> str:
        """Return where the seed lies."""
        return self.item.path


Observation = Accepted | Refused | Removal


def ingest(
    store: Store, batch: Batch, data: bytes, *, policy: Policy, now: datetime, today: date
) -> list[Outcome]:
    """Take in a batch with its bytes and return what became of each path. Commits once.

    `now` is aware, `today` the date in the team's zone. Raises `StoreUnavailableError` when the
    database does not answer; then nothing of the batch is stored.
    """
    observations = _observe(batch, data, policy, today)
    if not observations:
        return []

    def work(connection: Connection) -> list[Outcome]:
        paths = sorted(set(batch.paths))
        heads = table.lock_heads(connection, paths)
        refusals = table.load_refusals(connection, paths)
        writes = _Writes(policy=policy, now=now, today=today)
        decided = list(_decide(observations, heads, refusals))
        bodies = table.load_bodies(
            connection,
            (
                heads[path].body_sha256
                for path, (seen, decision) in decided
                if isinstance(seen, Accepted)
                and isinstance(decision, plan.Advance)
                and heads[path].body_sha256 != seen.body_sha256
            ),
        )
        for path, (seen, decision) in decided:
            writes.note(seen, decision, heads.get(path), refusals.get(path), bodies)
        writes.write(connection, store)
        return writes.outcomes

    return store.transact(work)


def _observe(batch: Batch, data: bytes, policy: Policy, today: date) -> dict[str, Observation]:
    """Parse and validate what the batch holds: one observation a path, the newest."""
    newest: dict[str, Observation] = {}

    def add(observation: Observation) -> None:
        there = newest.get(observation.path)
        if there is None or _observed(there) < _observed(observation):
            newest[observation.path] = observation

    start = 0
    for snapshot in batch.snapshots:
        end = start + snapshot.stamp.size
        add(_examine(snapshot, data[start:end], policy, today))
        start = end
    for item in batch.unreadable:
        problem = unreadable_problem(item.code, item.detail)
        add(
            Refused(
                item=item, sha256=plan.unread_sha256(item.stamp, item.code), problems=(problem,)
            )
        )
    for removal in batch.removals:
        add(removal)
    return newest


def _examine(snapshot: Snapshot, data: bytes, policy: Policy, today: date) -> Accepted | Refused:
    examined = examine(data, rules=policy.rules, today=today, max_bytes=policy.max_file_bytes)
    if examined.seed is None or examined.facts is None:
        return Refused(item=snapshot, sha256=snapshot.sha256, problems=examined.problems)
    facts = examined.facts
    return Accepted(
        snapshot=snapshot,
        seed=examined.seed,
        facts=facts,
        body_sha256=body_sha256(examined.seed.body),
        clock=set_clock(
            path=snapshot.path,
            active=facts.status == ACTIVE,
            source_type=facts.source_type,
            last_reviewed=facts.last_reviewed,
            frequency=facts.review_frequency,
            defaults=policy.default_frequencies,
        ),
        problems=examined.problems,
    )


def _observed(observation: Observation) -> int:
    match observation:
        case Accepted():
            return observation.snapshot.observed
        case Refused():
            return observation.item.observed
        case Removal():
            return observation.observed


def _decide(
    observations: Mapping[str, Observation],
    heads: Mapping[str, Head],
    refusals: Mapping[str, Refusal],
) -> Iterator[tuple[str, tuple[Observation, plan.Decision]]]:
    """Yield each path with what was seen and what that means, in path order.

    The old path of a move that turns out to be none is gone all the same: it yields a removal.
    """
    left = dict(observations)
    claimed: set[str] = set()
    for path in sorted(observations):
        seen = left[path]
        head, refusal = heads.get(path), refusals.get(path)
        match seen:
            case Removal():
                yield path, (seen, plan.decide_removal(seen, head, refusal))
                continue
            case Refused():
                decision: plan.Decision = plan.decide_refusal(seen.item, seen.sha256, head, refusal)
                origin = seen.item.moved_from if isinstance(seen.item, Snapshot) else None
            case Accepted():
                origin = seen.snapshot.moved_from
                free = origin is not None and origin not in observations and origin not in claimed
                decision = plan.decide_snapshot(
                    seen.snapshot,
                    head,
                    refusal,
                    heads.get(origin) if origin is not None and free else None,
                    metadata=seen.seed.metadata,
                    body_sha256=seen.body_sha256,
                )
        yield path, (seen, decision)
        if origin is None or origin in observations or origin in claimed:
            continue
        claimed.add(origin)
        if not isinstance(decision, plan.Move):
            gone = Removal(path=origin, observed=_observed(seen))
            yield origin, (gone, plan.decide_removal(gone, heads.get(origin), refusals.get(origin)))


@dataclass(slots=True, kw_only=True)
class _Writes:
    """The rows of one transaction, gathered so that each table is written once."""

    policy: Policy
    now: datetime
    today: date
    creates: list[Accepted] = field(default_factory=list)
    versions: list[tuple[Accepted, int, Change]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    retirements: list[dict[str, Any]] = field(default_factory=list)
    rejections: list[dict[str, Any]] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)

    def note(
        self,
        seen: Observation,
        decision: plan.Decision,
        head: Head | None,
        refusal: Refusal | None,
        bodies: Mapping[str, str],
    ) -> None:
        """Gather what one decision writes."""
        match seen, decision:
            case Accepted(), plan.Create():
                self._create(seen)
            case Accepted(), plan.Advance() if head is not None:
                self._advance(seen, head, bodies)
            case Accepted(), plan.Touch() if head is not None:
                self._touch(seen, head, mended=refusal is not None)
            case Accepted(), plan.Move(source=source):
                self._move(seen, source)
            case Refused(), plan.Refuse(new=new):
                self._refuse(seen, head, new=new)
            case Removal(), plan.Retire() if head is not None:
                self._retire(seen, head)
            case Removal(), plan.Withdraw():
                self._add_event("seed.withdrawn", seen.path)
                self._finish(seen.path, "withdrawn")
            case _:
                self.outcomes.append(Outcome(path=seen.path, kind="stale"))
                return
        if refusal is not None and not isinstance(seen, Refused):
            self.cleared.append(seen.path)

    def write(self, connection: Connection, store: Store) -> None:
        """Write everything that was gathered; events last, under their lock."""
        self.ids |= table.create_documents(connection, [self._created_row(a) for a in self.creates])
        table.update_documents(connection, self.updates)
        table.update_documents(connection, self.touches)
        table.update_documents(connection, self.retirements)
        table.add_bodies(connection, {a.body_sha256: a.seed.body for a, _, _ in self.versions})
        table.add_versions(connection, [self._version_row(*version) for version in self.versions])
        table.remove_rejections(connection, self.cleared)
        table.replace_rejections(connection, self.rejections)
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

    def _advance(self, seen: Accepted, head: Head, bodies: Mapping[str, str]) -> None:
        old_body = bodies.get(head.body_sha256, seen.seed.body)
        change = compare(
            head.metadata,
            old_body,
            seen.seed.metadata,
            seen.seed.body,
            review_fields=self.policy.review_fields,
        )
        if change is None:
            raise AssertionError(f"{seen.path}: a next version without a change")
        number = head.number + 1
        self.updates.append(self._updated_row(head, seen, number=number) | {"updated_at": self.now})
        if not head.live:
            self._add_event("document.revived", seen.path)
        self._store_version(seen, number, change)
        self._keep(head, seen)
        self._finish(seen.path, "changed", number=number, change=change, problems=seen.problems)

    def _touch(self, seen: Accepted, head: Head, *, mended: bool) -> None:
        row = self._updated_row(head, seen, number=head.number)
        if head.live:
            self.touches.append(row)
        else:
            self.updates.append(row | {"updated_at": self.now})
        self._keep(head, seen)
        if not head.live:
            self._add_event("document.revived", seen.path, number=head.number)
        elif mended:
            self._add_event("seed.mended", seen.path, number=head.number)
        kind = "unchanged" if head.live else "revived"
        self._finish(seen.path, kind, number=head.number, problems=seen.problems)

    def _move(self, seen: Accepted, source: Head) -> None:
        self.updates.append(
            self._updated_row(source, seen, number=source.number) | {"updated_at": self.now}
        )
        self.cleared.append(source.path)
        self._keep(source, seen)
        self._add_event("document.moved", seen.path, number=source.number, moved_from=source.path)
        self._finish(seen.path, "moved", number=source.number, moved_from=source.path)

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
        self._finish(seen.path, "retired", number=head.number)

    def _refuse(self, seen: Refused, head: Head | None, *, new: bool) -> None:
        problems = [problem.as_json() for problem in seen.problems]
        first = next(p for p in seen.problems if p.severity is Severity.ERROR)
        self.rejections.append(
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
                "seed.refused", seen.path, codes=sorted({p.code for p in seen.problems})
            )
            self.notices.extend(
                refusal_notices(
                    Subject(path=seen.path),
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
            fields=[f.field for f in change.fields],
            due_on=seen.clock.due_on.isoformat() if seen.clock.due_on else None,
        )

    def _keep(self, head: Head, seen: Accepted) -> None:
        """Remember the document that continues at a path, and what its review owes."""
        self.ids[seen.path] = head.document_id
        self.notices.extend(self._review_notices(seen, head.document_id))

    def _finish(self, path: str, kind: str, **rest: Any) -> None:
        self.outcomes.append(Outcome(path=path, kind=kind, **rest))

    def _add_event(self, kind: str, path: str, *, number: int | None = None, **data: Any) -> None:
        self.events.append(table.event_row(self.now, kind, path, number=number, **data))

    def _review_notices(self, seen: Accepted, document_id: int) -> Iterator[Notice]:
        facts = seen.facts
        return review_notices(
            Subject(
                path=seen.path, source_type=facts.source_type, owner=facts.owner, tags=facts.tags
            ),
            document_id=document_id,
            due_on=seen.clock.due_on,
            exempt=seen.clock.exempt,
            title=facts.title,
            today=self.today,
            upcoming_days=self.policy.upcoming_days,
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
            "observed_at": EPOCH + timedelta(microseconds=seen.snapshot.observed),
            "stored_at": self.now,
        }


def _head_columns(seen: Accepted, *, number: int) -> dict[str, Any]:
    facts = seen.facts
    return {
        "path": seen.path,
        "state": table.LIVE,
        "number": number,
        "sha256": seen.snapshot.sha256,
        "observed": seen.snapshot.observed,
        **table.stamp_columns(seen.snapshot.stamp),
        "title": facts.title,
        "status": facts.status,
        "label": facts.label,
        "source_type": facts.source_type,
        "owner": facts.owner,
        "tags": list(facts.tags),
        "last_reviewed": facts.last_reviewed,
        "review_frequency": facts.review_frequency,
        "due_on": seen.clock.due_on,
        "exempt": seen.clock.exempt,
    }
