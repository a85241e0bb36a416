"""Ingests a batch of snapshots: writes versions, refusals, retirements and moves, in one transaction.

Seeds are parsed, validated and hashed before the transaction starts. The transaction creates and locks the
ledger's rows in path order, decides on each path (`worker.ingest.decisions`), and writes all rows together
(`worker.ingest.rows`). A bad file never fails its batch. Ingesting a batch twice changes nothing the
second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from worker.domain.folder import decide
from worker.domain.folder.decide import Ledger
from worker.domain.folder.snapshot import Batch, Snapshot
from worker.domain.reviews.policy import Policy
from worker.domain.rules.retraction import withdrawn_status, withdrawn_status_in
from worker.domain.rules.rules import Rules, examine, unreadable_problem
from worker.domain.seeds.problem import Problem
from worker.domain.seeds.seed import body_sha256_in, body_text
from worker.ingest.decisions import Decided, decide_batch
from worker.ingest.outcomes import Accepted, Observation, Outcome, Refused
from worker.ingest.rows import Writes
from worker.store import paths, unfinished_answers
from worker.store.engine import Connection, Store


def ingest(  # noqa: PLR0913 - everything that one batch needs
    store: Store,
    batch: Batch,
    data: bytes,
    *,
    rules: Rules,
    policy: Policy,
    judge: str,
    now: datetime,
    today: date,
    hopeless: Problem | None = None,
    patient: bool = True,
) -> list[Outcome]:
    """Ingest a batch with its bytes and return the outcome for each path. Commits once.

    `judge` is the ID of these rules and settings; `now` is aware, `today` a date in the team's zone. With
    `hopeless`, the snapshots are refused for this problem without reading them. `patient` is that of
    `worker.ingest.decisions.decide_batch`. Raises `StoreUnavailableError` if the database does not answer,
    and `RowRefusedError` if it refuses a row; nothing of the batch is stored then.
    """
    if hopeless is not None:
        parts = _parts(batch, data)
        observations = {one.path: _give_up(one, part, hopeless, rules) for one, part in parts}
    else:
        observations = _observe(batch, data, rules, policy, today)
    if not observations:
        return []

    def work(connection: Connection) -> list[Outcome]:
        ledger = Ledger(entries=paths.lock(connection, batch.observed_paths, batch.paths))
        decided, bodies = decide_batch(
            connection,
            observations.values(),
            ledger,
            rules=rules,
            policy=policy,
            patient=patient,
        )
        writes = Writes(policy=policy, judge=judge, now=now, today=today)
        writes.events += _answers(connection, decided, now)
        for one in decided:
            writes.note(one, bodies)
        writes.write(connection, store, ledger)
        return writes.outcomes

    return store.transact(work)


def _answers(
    connection: Connection, decided: Sequence[Decided], now: datetime
) -> list[dict[str, Any]]:
    """Return the events of answers whose command changed a file and did not store them."""
    seen: set[tuple[int | None, str]] = set()
    retired: set[int] = set()
    for one in decided:
        if isinstance(one.decision, decide.Retire):
            retired.add(one.decision.head.document_id)
        if isinstance(one.seen, Accepted):
            seen.add((_document_of(one.decision), one.seen.snapshot.sha256))
        elif isinstance(one.seen, Refused):
            seen.add((_document_of(one.decision), one.seen.sha256))
    return unfinished_answers.settle(connection, seen, retired, now=now)


def _document_of(decision: decide.Decision) -> int | None:
    """Return the ID of the document that a file is about, or None if it may be of any."""
    match decision:
        case decide.Move(source=head) | decide.Refuse(move=decide.Move(source=head)):
            return head.document_id
        case decide.Advance(head=head) | decide.Touch(head=head):
            return head.document_id
        case decide.Refuse(head=head) | decide.Withhold(head=head) if head is not None:
            return head.document_id
    return None


def _observe(
    batch: Batch, data: bytes, rules: Rules, policy: Policy, today: date
) -> dict[str, Observation]:
    """Parse and validate the batch; return the newest observation of each path."""
    newest: dict[str, Observation] = {}

    def add(observation: Observation) -> None:
        other = newest.get(observation.path)
        if other is None or other.observed < observation.observed:
            newest[observation.path] = observation

    for snapshot, part in _parts(batch, data):
        add(_examine(snapshot, part, rules, policy, today))
    for item in batch.unreadable:
        problem = unreadable_problem(item.code, item.detail)
        add(
            Refused(
                item=item, sha256=decide.unread_sha256(item.stamp, item.code), problems=(problem,)
            )
        )
    for removal in batch.removals:
        add(removal)
    return newest


def _parts(batch: Batch, data: bytes) -> Iterator[tuple[Snapshot, bytes]]:
    """Yield the snapshots of a batch, each with its bytes."""
    start = 0
    for snapshot in batch.snapshots:
        end = start + snapshot.stamp.size
        yield snapshot, data[start:end]
        start = end


def _give_up(snapshot: Snapshot, data: bytes, problem: Problem, rules: Rules) -> Observation:
    return Refused(
        item=snapshot,
        sha256=snapshot.sha256,
        problems=(problem,),
        status=withdrawn_status_in(data, rules),
    )


def _examine(
    snapshot: Snapshot, data: bytes, rules: Rules, policy: Policy, today: date
) -> Accepted | Refused:
    path, most = snapshot.path, policy.max_file_bytes
    examined = examine(data, rules=rules, today=today, max_bytes=most, path=path)
    if examined.seed is None or examined.facts is None:
        return Refused(
            item=snapshot,
            sha256=snapshot.sha256,
            problems=examined.problems,
            metadata=examined.seed.metadata if examined.seed else {},
            body=body_text(data) if snapshot.candidates else "",
            status=withdrawn_status(examined.seed.metadata, rules)
            if examined.seed
            else withdrawn_status_in(data, rules),
            again_on=examined.again_on,
        )
    facts = examined.facts
    return Accepted(
        snapshot=snapshot,
        seed=examined.seed,
        facts=facts,
        body_sha256=body_sha256_in(data, examined.seed),
        clock=policy.clock_of(snapshot.path, facts),
        problems=examined.problems,
        again_on=examined.again_on,
    )
