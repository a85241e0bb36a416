"""Decide what one observation of a path means for its document, from values alone.

Ingest collects heads and refusals, calls these functions, and writes the decisions. Observations
count in the order in which they were made, not in which they arrive: an observation that is not newer
than the last one of its path is stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.domain.folder.snapshot import Removal, Snapshot, Stamp, Unreadable
from worker.domain.reviews.review import Clock
from worker.domain.seeds.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A document as the store has it: its newest version and the file of that version."""

    document_id: int
    path: str
    live: bool
    number: int
    sha256: str
    observed: int
    metadata: dict[str, Any]
    body_sha256: str


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
class Refusal:
    """The newest refused content of a path."""

    sha256: str
    observed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """Nothing to do: the store already has this observation or a newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Keep the last good version and record the problems; `new` if this content was not refused before."""

    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create a document and its version 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Store the next version of a document; `revives` if the document was retired."""

    revives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Record only the file's stamp and hash: the content equals the head's. `revives` as in `Advance`."""

    revives: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Continue the document of another path here; `advances` if its content changed.

    `similarity` is the share of lines that both bodies have, 1.0 if the content is the same.
    """

    source: Head
    similarity: float = 1.0
    advances: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Retire the document: its file is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Drop the refusal: the refused file is gone, and the path has no live document."""


Decision = Stale | Refuse | Create | Advance | Touch | Move | Retire | Withdraw


#: How long before or after the new path is seen the old path of a moved file may have been retired:
#: the two observations can arrive in different batches. Beyond that, the removal was a deletion, and a
#: similar file is a new document.
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
    candidate (see `may_continue`) whose edited content this is.
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

    It may if its file is gone and it has no newer observation, or if it is already retired because the
    removal of the same move was ingested first. `refusal` is the refusal of the old path.
    """
    if refusal is not None and refusal.observed >= observed:
        return False
    if source.live:
        return source.observed < observed
    return abs(source.observed - observed) <= RETIRED_WITH_MICROSECONDS


def decide_refusal(
    item: Snapshot | Unreadable, sha256: str, head: Head | None, refusal: Refusal | None
) -> Stale | Refuse:
    """Decide on a content that has errors or could not be read."""
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
    """Return the newest observation of a path that the store has, or 0 if it has none."""
    return max(head.observed if head else 0, refusal.observed if refusal else 0)


def unread_sha256(stamp: Stamp, code: str) -> str:
    """Return the stand-in for the hash of a file that could not be read, distinct by stamp and reason."""
    return f"unread-{code}-{stamp.size}-{stamp.mtime_ns}"
