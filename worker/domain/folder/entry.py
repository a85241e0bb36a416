"""A row of the path ledger, and the document that lives there, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.domain.folder.snapshot import Stamp

#: The stamp of a path without a file.
NO_STAMP = Stamp(size=0, mtime_ns=0, inode=0, ctime_ns=0)


class State(StrEnum):
    """What the newest observation of a path was: an accepted file, a refused one, or none."""

    LIVE = "live"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A document as the store has it: where it lives or lived last, and its newest version."""

    document_id: int
    path: str
    live: bool
    number: int
    sha256: str
    metadata: dict[str, Any]
    body_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """The status, other than active, that a refused file says, and the observation that said so.

    It holds until content of the path is accepted that was observed later, whatever else is refused.
    """

    status: str
    observed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Since when the newest file of a path is refused, and the codes of its errors."""

    at: datetime
    codes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the ledger: what was seen last at a path.

    `observed` is the newest observation, `accepted` the newest that said which document lives here and
    with which content: they differ only while the newest file is refused. `head` is the document that
    lives here, or lived here last; it may live elsewhere by now.
    """

    path: str
    observed: int = 0
    accepted: int = 0
    stamp: Stamp = NO_STAMP
    sha256: str = ""
    state: State = State.GONE
    head: Head | None = None
    withheld: Withheld | None = None
    refusal: Refusal | None = None

    @property
    def resident(self) -> Head | None:
        """Return the document whose present or last place this is, live or retired."""
        return self.head if self.head is not None and self.head.path == self.path else None

    @property
    def living(self) -> Head | None:
        """Return the live document at this path."""
        return head if (head := self.resident) is not None and head.live else None
