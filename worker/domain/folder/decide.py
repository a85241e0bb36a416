"""Decide what observations of paths mean for their documents, from values alone.

Ingest loads the ledger's entries, calls these functions, and writes the decisions. Observations count in
the order in which they were made, not in which they arrive (`worker.ingest.decisions` takes those of one
batch in that order). Content that is not newer than the newest accepted one of its path is stale. What
names an observation that the store does not have yet waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from worker.domain.folder.entry import Entry, Head, State, Withheld
from worker.domain.folder.snapshot import Removal, Snapshot, Source, Stamp, Unreadable
from worker.domain.reviews.review import Clock
from worker.domain.seeds.facts import Facts

#: What may be at a path: content that was read, or not.
Seen = Snapshot | Unreadable


def head_values(facts: Facts, clock: Clock, *, number: int) -> dict[str, Any]:
    """Return the columns of a document that its newest version and the settings determine."""
    return {
        "number": number,
        "title": facts.title,
        "status": facts.status,
        "label": facts.label,
        "source_type": facts.source_type,
        "owner": facts.owner,
        "tags": list(facts.tags),
        "last_reviewed": facts.last_reviewed,
        "review_frequency": facts.review_frequency,
        "risk_category": facts.risk_category,
        "due_on": clock.due_on,
        "exempt": clock.exempt,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """Nothing to do: the store already has this observation or a newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do yet: the observation follows one that the store does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create a document and its version 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Store the next version of a document; `revives` if the document was retired."""

    head: Head
    revives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Record only the file's stamp and hash: the content equals the head's. `revives` as in `Advance`."""

    head: Head
    revives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Continue the document of another path here; `advances` if its content changed.

    `similarity` is the share of lines that both bodies have, 1.0 if the content is the same. `displaces`
    is the live document that was here and has no file any more.
    """

    source: Head
    similarity: float = 1.0
    advances: bool = False
    displaces: Head | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Keep the last good version and record the problems; `new` if they were not reported before.

    `head` is the document at the path, live or retired; with `move` it comes from another path.
    """

    new: bool
    head: Head | None
    move: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withhold:
    """Take the document out of service: a file before the one that is refused now said so."""

    head: Head | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Retire the document: its file is gone."""

    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Drop the refusal: the refused file is gone, and the path has no live document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Record that the path is gone; it has neither a live document nor a refusal."""


Content = Create | Advance | Touch | Move | Refuse | Withhold
Decision = Stale | Wait | Content | Retire | Withdraw | Leave


#: How long before or after the new path is seen the old path of a moved file may have been retired: the
#: two observations can arrive in different batches. Beyond that, the removal was a deletion, and a similar
#: file is a new document.
RETIRED_WITH_MICROSECONDS = 300_000_000


class Behind(Enum):
    """The store has not seen yet what a move names."""

    BEHIND = "behind"


BEHIND = Behind.BEHIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Displaced:
    """A live document whose place another one takes, and what the path had before."""

    observed: int
    sha256: str
    head: Head
    withheld: Withheld | None


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The entries of one batch's paths, which each decision changes.

    A document changes at most once in a batch: a move whose source was decided here waits for the next
    one. Only a document whose place another takes may still move on; then both swap or shift.
    """

    entries: dict[str, Entry]
    displaced: dict[str, Displaced] = field(default_factory=dict)
    _decided: dict[str, int] = field(default_factory=dict)

    def at(self, path: str) -> Entry:
        """Return the entry of a path; an empty one for a path that was never seen."""
        return self.entries.get(path) or Entry(path=path)

    def is_behind(self, seen: Seen | Removal) -> bool:
        """Return whether the store has not seen yet what an observation follows."""
        return any(self.at(turn.path).observed < turn.observed for turn in seen.follows)

    def loses_edit(self, seen: Seen | Removal) -> bool:
        """Return whether an edit is still on its way that a refusal or a removal would make stale."""
        return self.at(seen.path).observed < seen.after

    def find_source(self, source: Source, seen: Snapshot) -> Head | Behind | None:
        """Return the document that moves away from `source`, BEHIND, or None if it is not this move's.

        A move by equal bytes needs a source with these bytes; ingest compares the bodies of candidates.
        """
        entry, named = self.at(source.path), source.observed
        exact = source == seen.moved_from
        if (displaced := self.displaced.get(source.path)) and displaced.observed == named:
            return displaced.head if displaced.sha256 == seen.sha256 else None
        if named is None:  # a message of a format before 3
            same = entry.observed < seen.observed and entry.sha256 == seen.sha256
            return entry.living if same else None
        if source.path in self._decided:
            return BEHIND if named >= self._decided[source.path] else None
        if entry.observed < named:
            return BEHIND
        return _moved(entry, named, seen, exact=exact)

    def withheld(self, path: str, move: Move | None) -> Withheld | None:
        """Return what withholds the document that continues at a path, perhaps from another one."""
        if move is None:
            return self.at(path).withheld
        if (gone := self.displaced.get(move.source.path)) and gone.head is move.source:
            return gone.withheld
        return self.at(move.source.path).withheld

    def withhold(self, path: str, withheld: Withheld) -> None:
        """Record that the refused file of a path withholds its document."""
        self.entries[path] = replace(self.at(path), withheld=withheld)

    def place(
        self,
        seen: Seen,
        sha256: str,
        move: Move | None,
        *,
        accepted: bool,
        status: str | None = None,
    ) -> None:
        """Record what was seen at a path, that a document moves there, and the status that withholds it."""
        entry = self.at(seen.path)
        withheld = self.withheld(seen.path, None if accepted else move)
        if accepted and withheld is not None and withheld.observed < seen.observed:
            withheld = None
        if status is not None:
            withheld = Withheld(status=status, observed=seen.observed)
        if move is not None:
            if entry.living is not None:
                self.displaced[seen.path] = Displaced(
                    observed=entry.observed,
                    sha256=entry.sha256,
                    head=entry.living,
                    withheld=entry.withheld,
                )
            self._take_away(move.source, seen)
        beneath = seen.observed < entry.observed
        self.entries[seen.path] = Entry(
            path=seen.path,
            observed=entry.observed if beneath else seen.observed,
            accepted=seen.observed if accepted or move else entry.accepted,
            stamp=entry.stamp if beneath else seen.stamp,
            sha256=entry.sha256 if beneath else sha256,
            state=State.LIVE if accepted and not beneath else State.REFUSED,
            head=replace(move.source, path=seen.path, live=True) if move else entry.head,
            withheld=withheld,
        )
        self._decided[seen.path] = seen.observed

    def remove(self, removal: Removal, *, continues: bool = False) -> None:
        """Record that a path is gone; with `continues` its document goes on in this batch."""
        entry = self.at(removal.path)
        head = entry.head
        if not continues and (living := entry.living) is not None:
            head = replace(living, live=False)
        self.entries[removal.path] = replace(
            _gone(entry, removal.observed, head), withheld=entry.withheld
        )
        self._decided[removal.path] = removal.observed

    def _take_away(self, source: Head, seen: Seen) -> None:
        """Record that the document of a path moves to where `seen` is."""
        old = source.path
        if old in self.displaced and self.displaced[old].head is source:
            del self.displaced[old]  # another document lives there already
            return
        moved = replace(source, path=seen.path, live=True)
        self.entries[old] = _gone(self.at(old), seen.observed, moved)


def _moved(entry: Entry, named: int, seen: Snapshot, *, exact: bool) -> Head | None:
    """Return the document that a move from this path continues; the store has seen what the move names."""
    head = entry.resident
    if head is None:
        return None
    if head.live:
        is_same = entry.observed == named
        return head if is_same and (not exact or entry.sha256 == seen.sha256) else None
    is_recent = abs(entry.observed - seen.observed) < RETIRED_WITH_MICROSECONDS
    return head if is_recent and (not exact or head.sha256 == seen.sha256) else None


def _gone(entry: Entry, observed: int, head: Head | None) -> Entry:
    return Entry(
        path=entry.path,
        observed=max(observed, entry.observed),
        accepted=max(observed, entry.observed),
        head=head,
    )


def is_stale(seen: Seen, entry: Entry, *, accepted: bool) -> bool:
    """Return whether the store has this content of a path already, or a newer one.

    Accepted content that is older than a refusal is the last good version beneath it.
    """
    if accepted:
        return seen.observed <= entry.accepted or seen.observed == entry.observed
    return seen.observed <= entry.observed


def decide_accepted(
    entry: Entry,
    source: Head | None,
    *,
    metadata: dict[str, Any],
    body_sha256: str,
    similarity: float = 1.0,
) -> Create | Advance | Touch | Move:
    """Decide on accepted content that is neither stale nor waits; `source` is what moves here."""
    here = source or entry.resident
    if here is None:
        return Create()
    is_same = here.metadata == metadata and here.body_sha256 == body_sha256
    if source is not None:
        return Move(
            source=source, similarity=similarity, advances=not is_same, displaces=entry.living
        )
    decision = Touch if is_same else Advance
    return decision(head=here, revives=not here.live)


def decide_refused(
    sha256: str,
    codes: frozenset[str],
    entry: Entry,
    source: Head | None,
    *,
    similarity: float = 1.0,
) -> Refuse:
    """Decide on content that has errors or could not be read; a document that moves here keeps its version.

    `codes` are those of its errors. The content is neither stale nor waits.
    """
    new = refused_since(sha256, codes, entry) is None
    if source is None:
        return Refuse(new=new, head=entry.resident)
    move = Move(source=source, similarity=similarity, displaces=entry.living)
    return Refuse(new=new, head=replace(source, live=True), move=move)


def refused_since(sha256: str, codes: frozenset[str], before: Entry) -> datetime | None:
    """Return when these bytes were refused for these errors, or more; None if they were not."""
    refusal = before.refusal
    is_same = before.state is State.REFUSED and before.sha256 == sha256
    return refusal.at if is_same and refusal is not None and codes <= refusal.codes else None


def withholds(entry: Entry, observed: int) -> bool:
    """Return whether a file that is older than the refused one still takes the document out of service."""
    if not entry.accepted < observed < entry.observed:
        return False
    return entry.withheld is None or entry.withheld.observed < observed


def keeps_version(decision: Decision) -> bool:
    """Return whether a live document goes on with the version that it has."""
    match decision:
        case Touch(revives=revives):
            return not revives
        case Move(source=source, advances=advances):
            return source.live and not advances
        case _:
            return False


def decide_removal(removal: Removal, entry: Entry) -> Stale | Retire | Withdraw | Leave:
    """Decide on a path that is gone from the folder; the removal follows nothing that is missing."""
    if removal.observed <= entry.observed:
        return Stale()
    if (living := entry.living) is not None:
        return Retire(head=living)
    return Withdraw() if entry.state is State.REFUSED else Leave()


def unclaimed(decisions: Iterable[Decision], ledger: Ledger) -> Iterable[Decision]:
    """Yield the decisions; a document that another displaced and that moved on itself is not displaced."""
    left = {displaced.head.document_id for displaced in ledger.displaced.values()}

    def settle(move: Move) -> Move:
        gone = move.displaces is not None and move.displaces.document_id in left
        return move if gone else replace(move, displaces=None)

    for decision in decisions:
        match decision:
            case Move():
                yield settle(decision)
            case Refuse(move=Move() as move):
                yield replace(decision, move=settle(move))
            case _:
                yield decision


def unread_sha256(stamp: Stamp, code: str) -> str:
    """Return the stand-in for the hash of a file that could not be read, distinct by stamp and reason."""
    return f"unread-{code}-{stamp.size}-{stamp.mtime_ns}"
