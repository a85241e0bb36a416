"""Decides what a batch means for each of its paths; reads documents that may have moved, writes nothing.

The rules for one path are in `worker.domain.folder.decide`. This module knows which paths of a batch
belong together: the old and the new path of a move. Called by `worker.ingest.batch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from worker.domain.changes.similarity import Content, Match, find_moves
from worker.domain.folder import decide
from worker.domain.folder.decide import Head, Refusal
from worker.domain.folder.snapshot import Removal, Snapshot
from worker.domain.reviews.policy import Policy
from worker.ingest.outcomes import Accepted, Observation, Refused
from worker.store import documents as table
from worker.store.engine import Connection

Decided = tuple[str, tuple[Observation, decide.Decision]]


def decide_batch(
    connection: Connection,
    observations: Mapping[str, Observation],
    heads: Mapping[str, Head],
    refusals: Mapping[str, Refusal],
    policy: Policy,
) -> Iterator[Decided]:
    """Yield each path with its observation and the decision on it, in path order.

    If a move turns out not to be one, its old path is still missing and yields a removal.
    """
    moves = _find_moves(connection, observations, heads, refusals, policy)
    continued = {move.source for move in moves.values()}
    claimed = set(observations)  # the paths with a decision, made or to come
    for path in sorted(observations):
        seen, head, refusal = observations[path], heads.get(path), refusals.get(path)
        if isinstance(seen, Removal):
            if path in continued:
                head = None  # the document continues at another path
            yield path, (seen, decide.decide_removal(seen, head, refusal))
            continue
        origin = _origin(seen)
        if origin in claimed:
            origin = None
        if isinstance(seen, Refused):
            decision: decide.Decision = decide.decide_refusal(seen.item, seen.sha256, head, refusal)
        else:
            decision = _decide_snapshot(seen, head, refusal, heads, origin, moves.get(path))
        yield path, (seen, decision)
        if origin is None:
            continue
        claimed.add(origin)
        if not isinstance(decision, decide.Move):
            gone = Removal(path=origin, observed=seen.observed)
            here = heads.get(origin), refusals.get(origin)
            yield origin, (gone, decide.decide_removal(gone, *here))


def _decide_snapshot(
    seen: Accepted,
    head: Head | None,
    refusal: Refusal | None,
    heads: Mapping[str, Head],
    origin: str | None,
    move: Match | None,
) -> decide.Decision:
    source = move.source if move is not None else origin
    return decide.decide_snapshot(
        seen.snapshot,
        head,
        refusal,
        heads.get(source) if source is not None else None,
        metadata=seen.seed.metadata,
        body_sha256=seen.body_sha256,
        similarity=move.similarity if move is not None else None,
    )


def version_before(decision: decide.Decision, head: Head | None) -> Head | None:
    """Return the head that the next version follows, or None; `head` is the head of its path."""
    match decision:
        case decide.Advance():
            return head
        case decide.Move(source=source, advances=True):
            return source
        case _:
            return None


def bodies_before(decided: Iterable[Decided], heads: Mapping[str, Head]) -> Iterator[str]:
    """Yield the hashes of the bodies that next versions replace."""
    for path, (seen, decision) in decided:
        before = version_before(decision, heads.get(path))
        if isinstance(seen, Accepted) and before and before.body_sha256 != seen.body_sha256:
            yield before.body_sha256


def _find_moves(
    connection: Connection,
    observations: Mapping[str, Observation],
    heads: Mapping[str, Head],
    refusals: Mapping[str, Refusal],
    policy: Policy,
) -> dict[str, Match]:
    """Return the new paths that continue a missing document, one of the watcher's candidates."""
    taken = {path for path, seen in observations.items() if not isinstance(seen, Removal)}
    taken |= {origin for seen in observations.values() if (origin := _origin(seen)) is not None}
    newcomers: dict[str, list[str]] = {}
    contents: dict[str, Content] = {}
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
        contents[path] = Content(path=path, metadata=seen.seed.metadata, body=seen.seed.body)
    sources = {old: heads[old] for candidates in newcomers.values() for old in candidates}
    bodies = table.load_bodies(connection, (head.body_sha256 for head in sources.values()))
    for old, head in sources.items():
        contents[old] = Content(path=old, metadata=head.metadata, body=bodies[head.body_sha256])
    identity_fields = (policy.fields.title, policy.fields.url)
    return find_moves(newcomers, contents, identity_fields=identity_fields)


def _origin(seen: Observation) -> str | None:
    """Return the missing path that had the same bytes, or None."""
    match seen:
        case Accepted(snapshot=snapshot) | Refused(item=Snapshot() as snapshot):
            return snapshot.moved_from
        case _:
            return None
