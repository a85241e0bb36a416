"""Decides what a batch means for each of its paths; reads what documents had before, writes nothing.

The rules for one path are in `worker.domain.folder.decide`. This module takes the observations in their
order, and knows which paths of a batch belong together: the old and the new path of a move. Called by
`worker.ingest.batch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from worker.domain.changes.similarity import Content, Match, find_moves
from worker.domain.folder import decide
from worker.domain.folder.decide import BEHIND, Behind, Decision, Ledger
from worker.domain.folder.entry import Entry, Head, Withheld
from worker.domain.folder.snapshot import Removal, Snapshot
from worker.domain.reviews.policy import Policy
from worker.domain.rules.context import check_against
from worker.domain.rules.retraction import withdrawn_status
from worker.domain.rules.rules import Rules
from worker.domain.seeds.problem import refuses
from worker.ingest.outcomes import Accepted, Observation, Refused
from worker.store import documents as table
from worker.store.engine import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An observation, the entry of its path before it, and what it means.

    `was_withheld` and `withheld` are what withholds the document from service, before and after it.
    `refused_since` is when these errors of these bytes were refused first, here or where they move from.
    """

    seen: Observation
    entry: Entry
    decision: Decision
    was_withheld: Withheld | None = None
    withheld: Withheld | None = None
    refused_since: datetime | None = None


def decide_batch(
    connection: Connection,
    observations: Iterable[Observation],
    ledger: Ledger,
    *,
    rules: Rules,
    policy: Policy,
    patient: bool,
) -> tuple[list[Decided], dict[str, str]]:
    """Return the decisions in the order of their observations, and the bodies before them by hash.

    If a move turns out not to be one, its old path is still missing and gets a removal. Unless `patient`,
    refusals and removals do not wait for an edit that should have come before them, nor new files for
    what the watcher knows of documents that they may continue: it was lost.
    """
    ordered = sorted(observations, key=attrgetter("observed", "path"))
    candidates, behind = _find_candidates(ordered, ledger)
    behind = behind if patient else frozenset()
    bodies = table.load_bodies(connection, _bodies_before(ordered, ledger, candidates))
    moves = _find_edited_moves(ordered, candidates, bodies, policy)
    batch = _Batch(
        ledger=ledger,
        moves=moves,
        behind=behind,
        bodies=bodies,
        versions_before=table.load_versions_before(connection, _unchanged_heads(ordered, ledger)),
        rules=rules,
        patient=patient,
    )
    decided = [one for seen in ordered for one in batch.take(seen)]
    settled = decide.unclaimed((one.decision for one in decided), ledger)
    return [
        replace(one, decision=decision) for one, decision in zip(decided, settled, strict=True)
    ], bodies


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What the decisions on the paths of one batch need."""

    ledger: Ledger
    moves: Mapping[str, tuple[Head, Match]]
    behind: frozenset[str]
    bodies: Mapping[str, str]
    versions_before: Mapping[int, tuple[Mapping[str, Any], str]]
    rules: Rules
    patient: bool

    def take(self, seen: Observation) -> Iterator[Decided]:
        """Yield the decision on an observation, and record it in the ledger."""
        entry = self.ledger.at(seen.path)
        if isinstance(seen, Removal):
            decision = self._decide_removal(seen, entry)
            yield Decided(seen=seen, entry=entry, decision=decision, was_withheld=entry.withheld)
            return
        item = _item_of(seen)
        source, similarity = self._source_of(item)
        seen, decision = self._decide_content(seen, entry, source, similarity)
        refused_since = self._refused_since(seen, decision)
        was_withheld = self._record(seen, decision)
        yield Decided(
            seen=seen,
            entry=entry,
            decision=decision,
            was_withheld=was_withheld,
            withheld=self.ledger.at(seen.path).withheld,
            refused_since=refused_since,
        )
        origin = item.moved_from if isinstance(item, Snapshot) else None
        left = source is None or isinstance(decision, decide.Stale | decide.Withhold)
        if origin is not None and left and source is not BEHIND:
            yield from self.take(Removal(path=origin.path, observed=item.observed))

    def _record(self, seen: Accepted | Refused, decision: Decision) -> Withheld | None:
        """Record a decision in the ledger; return what withheld the document before."""
        item = _item_of(seen)
        status = seen.status if isinstance(seen, Refused) else None
        move = decision.move if isinstance(decision, decide.Refuse) else decision
        move = move if isinstance(move, decide.Move) else None
        was_withheld = self.ledger.withheld(seen.path, move)
        match decision:
            case decide.Stale() | decide.Wait():
                pass
            case decide.Withhold():
                withheld = Withheld(status=status or "", observed=item.observed)
                self.ledger.withhold(seen.path, withheld)
            case _:
                sha256 = seen.sha256 if isinstance(seen, Refused) else seen.snapshot.sha256
                accepted = isinstance(seen, Accepted)
                self.ledger.place(item, sha256, move, accepted=accepted, status=status)
        return was_withheld

    def _refused_since(self, seen: Accepted | Refused, decision: Decision) -> datetime | None:
        if not (isinstance(seen, Refused) and isinstance(decision, decide.Refuse)):
            return None
        move = decision.move
        before = self.ledger.at(seen.path if move is None else move.source.path)
        return decide.refused_since(seen.sha256, seen.error_codes, before)

    def _decide_removal(self, seen: Removal, entry: Entry) -> Decision:
        waits = self.ledger.is_behind(seen) or (self.patient and self.ledger.loses_edit(seen))
        if seen.observed > entry.observed and waits:
            return decide.Wait()
        decision = decide.decide_removal(seen, entry)
        continues = any(head is entry.living for head, _ in self.moves.values())
        if not isinstance(decision, decide.Stale):
            self.ledger.remove(seen, continues=continues)
        return decide.Leave() if continues and isinstance(decision, decide.Retire) else decision

    def _source_of(self, item: decide.Seen) -> tuple[Head | Behind | None, float]:
        """Return the document that moves to a path, and the share of its lines that are the same."""
        if item.path in self.behind:
            return BEHIND, 1.0
        if item.path in self.moves:
            _, match = self.moves[item.path]
            return self.ledger.at(match.source).resident, match.similarity
        if isinstance(item, Snapshot) and item.moved_from is not None:
            return self.ledger.find_source(item.moved_from, item), 1.0
        return None, 1.0

    def _decide_content(
        self,
        seen: Accepted | Refused,
        entry: Entry,
        source: Head | Behind | None,
        similarity: float,
    ) -> tuple[Accepted | Refused, Decision]:
        item = _item_of(seen)
        if decide.is_stale(item, entry, accepted=isinstance(seen, Accepted)):
            return seen, _decide_stale(seen, entry)
        if isinstance(source, Behind) or self.ledger.is_behind(item):
            return seen, decide.Wait()
        if isinstance(seen, Accepted):
            decision = decide.decide_accepted(
                entry,
                source,
                metadata=seen.seed.metadata,
                body_sha256=seen.body_sha256,
                similarity=similarity,
            )
            seen = self._compare(seen, decision)
            if isinstance(seen, Accepted):
                return seen, decision
            if decide.is_stale(item, entry, accepted=False):
                return seen, _decide_stale(seen, entry)
        if self.patient and self.ledger.loses_edit(item):
            return seen, decide.Wait()
        refused = decide.decide_refused(
            seen.sha256, seen.error_codes, entry, source, similarity=similarity
        )
        return seen, refused

    def _compare(self, seen: Accepted, decision: Decision) -> Accepted | Refused:
        """Check a next version by the rules that compare it with the one before; an error refuses it."""
        before = self._version_before(decision, seen)
        if before is None:
            return seen
        more = check_against(*before, seen.seed, self.rules)
        if not more:
            return seen
        problems = (*seen.problems, *more)
        if not refuses(more):
            return replace(seen, problems=problems)
        return Refused(
            item=seen.snapshot,
            sha256=seen.snapshot.sha256,
            problems=problems,
            metadata=seen.seed.metadata,
            status=withdrawn_status(seen.seed.metadata, self.rules),
            again_on=seen.again_on,
        )

    def _version_before(
        self, decision: Decision, seen: Accepted
    ) -> tuple[Mapping[str, Any], str] | None:
        """Return metadata and body of the version that comes before this content, or None.

        The content of the head itself is compared with the version before the head. After a retirement
        nothing is compared.
        """
        match decision:
            case decide.Advance(head=head, revives=False) | decide.Move(source=head, advances=True):
                return head.metadata, self.bodies.get(head.body_sha256, seen.seed.body)
            case decide.Touch(head=head, revives=False) | decide.Move(source=head, advances=False):
                return self.versions_before.get(head.document_id)
            case _:
                return None


def _decide_stale(seen: Accepted | Refused, entry: Entry) -> Decision:
    """Decide on content that is not the newest: a retraction among what is refused still counts."""
    withholds = isinstance(seen, Refused) and seen.status and decide.withholds(entry, seen.observed)
    return decide.Withhold(head=entry.living) if withholds else decide.Stale()


def _item_of(seen: Accepted | Refused) -> decide.Seen:
    return seen.snapshot if isinstance(seen, Accepted) else seen.item


def _find_candidates(
    ordered: Sequence[Observation], ledger: Ledger
) -> tuple[dict[str, dict[str, Head]], frozenset[str]]:
    """Return the missing documents that each new path may continue, by their paths.

    The second result are the paths that wait: the store has not seen yet what the watcher knows of one
    of their candidates.
    """
    snapshots = [
        item
        for seen in ordered
        if not isinstance(seen, Removal) and isinstance(item := _item_of(seen), Snapshot)
    ]
    removals = {seen.path: seen for seen in ordered if isinstance(seen, Removal)}
    # Paths that are another move's, or whose file is back.
    taken = {item.moved_from.path for item in snapshots if item.moved_from is not None}
    taken |= {seen.path for seen in ordered if not isinstance(seen, Removal)}
    candidates: dict[str, dict[str, Head]] = {}
    behind = set()
    for item in snapshots:
        entry = ledger.at(item.path)
        if entry.resident is not None or item.observed <= entry.observed:
            continue
        if ledger.is_behind(item):
            continue  # it waits
        for source in item.candidates:
            if source.path in taken:
                continue
            found = ledger.find_source(source, item)
            removal = removals.get(source.path)
            if removal is not None and found is not None:
                found = ledger.at(source.path).living  # retired by this very batch
            if found is BEHIND:
                behind.add(item.path)
            elif isinstance(found, Head):
                candidates.setdefault(item.path, {})[source.path] = found
    return candidates, frozenset(behind)


def _bodies_before(
    ordered: Iterable[Observation], ledger: Ledger, candidates: Mapping[str, Mapping[str, Head]]
) -> Iterator[str]:
    """Yield the hashes of the bodies that these observations may be compared with."""
    for heads in candidates.values():
        yield from (head.body_sha256 for head in heads.values())
    for seen in ordered:
        if not isinstance(seen, Accepted):
            continue
        origin = seen.snapshot.moved_from
        for path in (seen.path, *([origin.path] if origin is not None else [])):
            head = ledger.at(path).resident
            if head is not None and head.body_sha256 != seen.body_sha256:
                yield head.body_sha256


def _unchanged_heads(ordered: Iterable[Observation], ledger: Ledger) -> Iterator[int]:
    """Yield the IDs of the documents whose newest body these observations have again."""
    for seen in ordered:
        if not isinstance(seen, Accepted):
            continue
        origin = seen.snapshot.moved_from
        for path in (seen.path, *([origin.path] if origin is not None else [])):
            head = ledger.at(path).resident
            if head is not None and head.number > 1 and head.body_sha256 == seen.body_sha256:
                yield head.document_id


def _find_edited_moves(
    ordered: Iterable[Observation],
    candidates: Mapping[str, Mapping[str, Head]],
    bodies: Mapping[str, str],
    policy: Policy,
) -> dict[str, tuple[Head, Match]]:
    """Return the new paths that continue one of their candidates, edited."""
    heads = {old: head for found in candidates.values() for old, head in found.items()}
    contents = {
        old: Content(path=old, metadata=head.metadata, body=bodies[head.body_sha256])
        for old, head in heads.items()
    }
    newcomers = {path: list(found) for path, found in candidates.items()}
    for seen in ordered:
        if seen.path in newcomers and not isinstance(seen, Removal):
            metadata = seen.seed.metadata if isinstance(seen, Accepted) else seen.metadata
            body = seen.seed.body if isinstance(seen, Accepted) else seen.body
            contents[seen.path] = Content(path=seen.path, metadata=metadata, body=body)
    identity_fields = (policy.fields.title, policy.fields.url)
    found = find_moves(newcomers, contents, identity_fields=identity_fields)
    return {path: (heads[match.source], match) for path, match in found.items()}
