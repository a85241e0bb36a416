"""What one observation of a path means for its document, decided from values alone.

The ingest gathers heads and refusals, asks here, and writes what was decided. The order of
observations decides, never the order of arrival: what is not newer than what was seen is stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.domain.folder.snapshot import Removal, Snapshot, Stamp, Unreadable
from worker.domain.reviews.review import Clock
from worker.domain.seeds.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the store holds of a document: its newest version and the file it came from."""

    document_id: int
    path: str
    live: bool
    number: int
    sha256: str
    observed: int
    metadata: dict[str, Any]
    body_sha256: str


def head_values(facts: Facts, clock: Clock, *, number: int) -> dict[str, Any]:
    """Return what a document's newest version and the settings decide of it, by the store's names."""
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
class Refusal:
    """The newest content of a path that was refused."""

    sha256: str
    observed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """Nothing to do: the store has seen this observation, or a newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Keep the last good version and record the problems; `new` when this content was not refused yet."""

    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make a document and its version 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Store the next version of a document; `revives` when it was retired."""

    revives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """The content is the head's: only stamp and hash of the file are noted; `revives` as above."""

    revives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The document of another path continues here; `advances` when its content is another.

    `similarity` is the share of lines that both bodies have, 1.0 where the content is the same.
    """

    source: Head
    similarity: float = 1.0
    advances: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """The document's file is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A file that was refused is gone; no live document stands behind it."""


Decision = Stale | Refuse | Create | Advance | Touch | Move | Retire | Withdraw


#: So much earlier or later than its new path was seen may a file's old path have been retired: the
#: two travel apart. Later it is a deletion, and a file like it is another document.
RETIRED_WITH_MICROSECONDS = 300_000_000


def decide_snapshot(
    snapshot: Snapshot,
    head: Head | None,
    refusal: Refusal | None,
    source: Head | None,
    *,
    metadata: dict[str, Any],
    body_sha256: str,
    similarity: float | None = None,
) -> Stale | Create | Advance | Touch | Move:
    """Decide on an accepted content.

    `source` is the head at `snapshot.moved_from`, if there is one. With a `similarity` it is the
    candidate (see `may_continue`) that this content was found to be an edited one of.
    """
    if snapshot.observed <= last_seen(head, refusal):
        return Stale()
    same = head if head is not None else source
    is_same = same is not None and same.metadata == metadata and same.body_sha256 == body_sha256
    if head is not None:
        return Touch(revives=not head.live) if is_same else Advance(revives=not head.live)
    if source is None:
        return Create()
    if similarity is not None:
        return Move(source=source, similarity=similarity, advances=not is_same)
    if source.live and source.sha256 == snapshot.sha256 and source.observed < snapshot.observed:
        return Move(source=source)
    return Create()


def may_continue(source: Head, refusal: Refusal | None, observed: int) -> bool:
    """Return whether a candidate's document may continue at the path that was seen at `observed`.

    Its file is gone, and nothing newer was seen of it; or it is retired already, because the
    removal that belongs to the move was taken in first. `refusal` is that of the old path.
    """
    if refusal is not None and refusal.observed >= observed:
        return False
    if source.live:
        return source.observed < observed
    return abs(source.observed - observed) <= RETIRED_WITH_MICROSECONDS


def decide_refusal(
    item: Snapshot | Unreadable, sha256: str, head: Head | None, refusal: Refusal | None
) -> Stale | Refuse:
    """Decide on a content that has errors, or that could not be read."""
    if item.observed <= last_seen(head, refusal):
        return Stale()
    return Refuse(new=refusal is None or refusal.sha256 != sha256)


def decide_removal(
    removal: Removal, head: Head | None, refusal: Refusal | None
) -> Stale | Retire | Withdraw:
    """Decide on a path that is gone from the folder."""
    if removal.observed <= last_seen(head, refusal):
        return Stale()
    if head is not None and head.live:
        return Retire()
    return Withdraw() if refusal is not None else Stale()


def last_seen(head: Head | None, refusal: Refusal | None) -> int:
    """Return the newest observation of a path that the store has taken in; 0 before the first."""
    return max(head.observed if head else 0, refusal.observed if refusal else 0)


def unread_sha256(stamp: Stamp, code: str) -> str:
    """Return what stands for the hash of a file that could not be read: distinct by stamp and reason."""
    return f"unread-{code}-{stamp.size}-{stamp.mtime_ns}"
