"""A batch of snapshots becomes versions, refusals, retirements and moves, in one transaction.

Seeds are parsed, validated and hashed before the transaction begins. Inside it the heads are locked
in path order, each path is decided on (`worker.domain.plan`), and all rows are written together
(`worker.writes`). One bad file never fails its batch, and a batch that is taken in twice changes
nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from worker.domain import plan
from worker.domain.plan import Head, Refusal
from worker.domain.policy import Policy
from worker.domain.review import set_clock
from worker.domain.rules import examine, unreadable_problem
from worker.domain.seed import body_sha256
from worker.domain.snapshot import Batch, Removal, Snapshot
from worker.store import documents as table
from worker.store.engine import Connection, Store
from worker.writes import Accepted, Observation, Outcome, Refused, Writes

ACTIVE = "active"


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
        writes = Writes(policy=policy, now=now, today=today)
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
        if there is None or there.observed < observation.observed:
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
            gone = Removal(path=origin, observed=seen.observed)
            yield origin, (gone, plan.decide_removal(gone, heads.get(origin), refusals.get(origin)))
