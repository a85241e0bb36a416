"""A batch of snapshots becomes versions, refusals, retirements and moves, in one transaction.

Seeds are parsed, validated and hashed before the transaction begins. Inside it the heads are locked
in path order, each path is decided on (`worker.domain.folder.decide`), and all rows are written together
(`worker.ingest.rows`). One bad file never fails its batch, and a batch that is taken in twice changes
nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

from worker.domain.changes.similarity import Match, Text, find_moves
from worker.domain.folder import decide
from worker.domain.folder.decide import Head, Refusal
from worker.domain.folder.snapshot import Batch, Removal, Snapshot
from worker.domain.reviews.policy import Policy
from worker.domain.rules.context import check_against
from worker.domain.rules.rules import Rules, examine, unreadable_problem
from worker.domain.seeds.codes import GIVEN_UP, found
from worker.domain.seeds.problem import refuses
from worker.domain.seeds.seed import body_sha256_in
from worker.ingest.observations import Accepted, Observation, Outcome, Refused
from worker.ingest.rows import Writes
from worker.store import documents as table
from worker.store.engine import Connection, Store


def ingest(
    store: Store,
    batch: Batch,
    data: bytes,
    *,
    rules: Rules,
    policy: Policy,
    now: datetime,
    today: date,
    hopeless: bool = False,
) -> list[Outcome]:
    """Take in a batch with its bytes and return what became of each path. Commits once.

    `now` is aware, `today` the date in the team's zone. `hopeless` snapshots were tried too often:
    they are refused without a look at their bytes. Raises `StoreUnavailableError` when the
    database does not answer; then nothing of the batch is stored.
    """
    if hopeless:
        observations = {snapshot.path: _give_up(snapshot) for snapshot in batch.snapshots}
    else:
        observations = _observe(batch, data, rules, policy, today)
    if not observations:
        return []

    def work(connection: Connection) -> list[Outcome]:
        paths = sorted(set(batch.paths))
        heads = table.lock_heads(connection, paths)
        refusals = table.load_refusals(connection, paths)
        writes = Writes(policy=policy, now=now, today=today)
        moves = _find_moves(connection, observations, heads, refusals, policy)
        decided = list(_decide(observations, heads, refusals, moves))
        bodies = table.load_bodies(connection, _bodies_before(decided, heads))
        for path, (seen, decision) in decided:
            head, refusal = heads.get(path), refusals.get(path)
            noted: tuple[Observation, decide.Decision] = seen, decision
            before = _version_before(decision, head)
            if isinstance(seen, Accepted) and before is not None:
                previous_body = bodies.get(before.body_sha256, seen.seed.body)
                noted = _continue(seen, decision, before, previous_body, refusal, rules)
            writes.note(*noted, head, refusal, bodies)
        writes.write(connection, store)
        return writes.outcomes

    return store.transact(work)


def _observe(
    batch: Batch, data: bytes, rules: Rules, policy: Policy, today: date
) -> dict[str, Observation]:
    """Parse and validate what the batch holds: one observation a path, the newest."""
    newest: dict[str, Observation] = {}

    def add(observation: Observation) -> None:
        there = newest.get(observation.path)
        if there is None or there.observed < observation.observed:
            newest[observation.path] = observation

    start = 0
    for snapshot in batch.snapshots:
        end = start + snapshot.stamp.size
        add(_examine(snapshot, data[start:end], rules, policy, today))
        start = end
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


def _give_up(snapshot: Snapshot) -> Observation:
    problem = found(
        GIVEN_UP,
        "taking in this file failed or ended the worker three times",
        hint="save it again to try again, and show it to who runs Content Sync: "
        "the log says what happened",
    )
    return Refused(item=snapshot, sha256=snapshot.sha256, problems=(problem,))


def _examine(
    snapshot: Snapshot, data: bytes, rules: Rules, policy: Policy, today: date
) -> Accepted | Refused:
    examined = examine(data, rules=rules, today=today, max_bytes=policy.max_file_bytes)
    if examined.seed is None or examined.facts is None:
        return Refused(
            item=snapshot,
            sha256=snapshot.sha256,
            problems=examined.problems,
            metadata=examined.seed.metadata if examined.seed else {},
        )
    facts = examined.facts
    return Accepted(
        snapshot=snapshot,
        seed=examined.seed,
        facts=facts,
        body_sha256=body_sha256_in(data, examined.seed),
        clock=policy.clock_of(snapshot.path, facts),
        problems=examined.problems,
    )


def _continue(
    seen: Accepted,
    decision: decide.Decision,
    head: Head,
    previous_body: str,
    refusal: Refusal | None,
    rules: Rules,
) -> tuple[Accepted | Refused, decide.Decision]:
    """Ask the rules that know the version before; an error of theirs refuses the file after all."""
    told = check_against(head.metadata, previous_body, seen.seed, rules)
    if not told:
        return seen, decision
    problems = (*seen.problems, *told)
    if not refuses(told):
        return replace(seen, problems=problems), decision
    sha256 = seen.snapshot.sha256
    refused = Refused(
        item=seen.snapshot, sha256=sha256, problems=problems, metadata=seen.seed.metadata
    )
    here = head if head.path == seen.path else None
    return refused, decide.decide_refusal(seen.snapshot, sha256, here, refusal)


def _find_moves(
    connection: Connection,
    observations: Mapping[str, Observation],
    heads: Mapping[str, Head],
    refusals: Mapping[str, Refusal],
    policy: Policy,
) -> dict[str, Match]:
    """Return which new paths continue a document that is gone, of those that the watcher named."""
    taken = {path for path, seen in observations.items() if not isinstance(seen, Removal)}
    taken |= {origin for seen in observations.values() if (origin := _origin(seen)) is not None}
    newcomers: dict[str, list[str]] = {}
    texts: dict[str, Text] = {}
    for path, seen in observations.items():
        if not isinstance(seen, Accepted) or not seen.snapshot.candidates or path in heads:
            continue
        if seen.observed <= decide.last_seen(None, refusals.get(path)):
            continue
        newcomers[path] = [
            old
            for old in seen.snapshot.candidates
            if old in heads
            and old not in taken
            and decide.may_continue(heads[old], refusals.get(old), seen.observed)
        ]
        texts[path] = Text(path=path, metadata=seen.seed.metadata, body=seen.seed.body)
    sources = {old: heads[old] for candidates in newcomers.values() for old in candidates}
    bodies = table.load_bodies(connection, (head.body_sha256 for head in sources.values()))
    for old, head in sources.items():
        texts[old] = Text(path=old, metadata=head.metadata, body=bodies[head.body_sha256])
    identity_fields = (policy.fields.title, policy.fields.url)
    return find_moves(newcomers, texts, identity_fields=identity_fields)


def _origin(seen: Observation) -> str | None:
    """Return the path that is gone and had the same bytes."""
    match seen:
        case Accepted(snapshot=snapshot) | Refused(item=Snapshot() as snapshot):
            return snapshot.moved_from
        case _:
            return None


def _version_before(decision: decide.Decision, head: Head | None) -> Head | None:
    """Return what a next version follows, None where there is none; `head` is that of its path."""
    match decision:
        case decide.Advance():
            return head
        case decide.Move(source=source, advances=True):
            return source
        case _:
            return None


def _bodies_before(
    decided: Iterable[tuple[str, tuple[Observation, decide.Decision]]], heads: Mapping[str, Head]
) -> Iterator[str]:
    """Yield the hashes of the bodies that next versions replace."""
    for path, (seen, decision) in decided:
        before = _version_before(decision, heads.get(path))
        if isinstance(seen, Accepted) and before and before.body_sha256 != seen.body_sha256:
            yield before.body_sha256


def _decide(
    observations: Mapping[str, Observation],
    heads: Mapping[str, Head],
    refusals: Mapping[str, Refusal],
    moves: Mapping[str, Match],
) -> Iterator[tuple[str, tuple[Observation, decide.Decision]]]:
    """Yield each path with what was seen and what that means, in path order.

    The old path of a move that turns out to be none is gone all the same: it yields a removal.
    """
    claimed: set[str] = set()
    continued = {move.source for move in moves.values()}
    for path in sorted(observations):
        seen = observations[path]
        head, refusal, origin = heads.get(path), refusals.get(path), _origin(seen)
        match seen:
            case Removal():
                if path in continued:
                    head = None  # it lives at another path from now on
                yield path, (seen, decide.decide_removal(seen, head, refusal))
                continue
            case Refused():
                decision: decide.Decision = decide.decide_refusal(
                    seen.item, seen.sha256, head, refusal
                )
            case Accepted():
                free = origin is not None and origin not in observations and origin not in claimed
                move = moves.get(path)
                source = move.source if move is not None else origin if free else None
                decision = decide.decide_snapshot(
                    seen.snapshot,
                    head,
                    refusal,
                    heads.get(source) if source is not None else None,
                    metadata=seen.seed.metadata,
                    body_sha256=seen.body_sha256,
                    similarity=move.similarity if move is not None else None,
                )
        yield path, (seen, decision)
        if origin is None or origin in observations or origin in claimed:
            continue
        claimed.add(origin)
        if not isinstance(decision, decide.Move):
            gone = Removal(path=origin, observed=seen.observed)
            yield (
                origin,
                (gone, decide.decide_removal(gone, heads.get(origin), refusals.get(origin))),
            )
