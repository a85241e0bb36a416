"""What the watcher has seen of the folder: stamps, snapshots, removals, and the batch that carries them.

A batch is the small message of the claim check: it names its snapshots, whose bytes travel beside it
in the spool. Its JSON form is the contract between watchers and workers of different versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The newest format: a batch that names no candidates is written as 1, which every worker reads.
BATCH_FORMAT = 2
_PLAIN_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the file system says of a file: size in bytes, `mtime_ns` since the epoch, inode."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A seed's bytes as they were read once.

    `observed` increases with every snapshot: microseconds since the epoch, or one more than the
    last where the clock stood still or stepped back. `moved_from` is the path that the same bytes
    had before, when the old path is gone. `candidates` are paths that are gone and of which this
    may be an edited one, the likeliest first; who has the bodies decides.
    """

    path: str
    stamp: Stamp
    sha256: str
    observed: int
    moved_from: str | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A seed whose bytes could not be taken: `code` is that of the problem it is refused for."""

    path: str
    stamp: Stamp
    observed: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A path that is no longer in the folder."""

    path: str
    observed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store holds of one path in the folder, whether it was accepted or refused."""

    stamp: Stamp
    sha256: str
    observed: int
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one message carries. The bytes of `snapshots` lie in the spool in this order."""

    id: str
    snapshots: tuple[Snapshot, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    removals: tuple[Removal, ...] = ()
    bulk: bool = False

    @property
    def paths(self) -> list[str]:
        """Return every path that the batch speaks of, (possible) old ones included, sorted."""
        items: tuple[Snapshot | Unreadable | Removal, ...]
        items = (*self.snapshots, *self.unreadable, *self.removals)
        moved_from = {s.moved_from for s in self.snapshots if s.moved_from}
        candidates = {path for s in self.snapshots for path in s.candidates}
        return sorted({item.path for item in items} | moved_from | candidates)

    @property
    def size(self) -> int:
        """Return the bytes that the batch has in the spool."""
        return sum(snapshot.stamp.size for snapshot in self.snapshots)

    def as_json(self) -> dict[str, Any]:
        """Return the message's JSON: lists, not objects, so that 128 files stay near 20 kB."""
        plain = not any(s.candidates for s in self.snapshots)
        return {
            "format": _PLAIN_FORMAT if plain else BATCH_FORMAT,
            "id": self.id,
            "bulk": self.bulk,
            "snapshots": [
                [
                    *(s.path, *_stamp_list(s.stamp), s.sha256, s.observed, s.moved_from),
                    *(() if plain else (list(s.candidates),)),
                ]
                for s in self.snapshots
            ],
            "unreadable": [
                [u.path, *_stamp_list(u.stamp), u.observed, u.code, u.detail]
                for u in self.unreadable
            ],
            "removals": [[r.path, r.observed] for r in self.removals],
        }

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> Batch:
        """Read a message's JSON; raise `ValueError` when it is not a batch of a known format."""
        if message.get("format") not in {_PLAIN_FORMAT, BATCH_FORMAT}:
            raise ValueError(f"batch format {message.get('format')!r} is not {BATCH_FORMAT}")
        try:
            return cls(
                id=str(message["id"]),
                bulk=bool(message["bulk"]),
                snapshots=tuple(
                    Snapshot(
                        path=path,
                        stamp=Stamp(size=size, mtime_ns=mtime_ns, inode=inode),
                        sha256=sha256,
                        observed=observed,
                        moved_from=moved_from,
                        candidates=tuple(candidates[0]) if candidates else (),
                    )
                    for path, size, mtime_ns, inode, sha256, observed, moved_from, *candidates in (
                        message["snapshots"]
                    )
                ),
                unreadable=tuple(
                    Unreadable(
                        path=path,
                        stamp=Stamp(size=size, mtime_ns=mtime_ns, inode=inode),
                        observed=observed,
                        code=code,
                        detail=detail,
                    )
                    for path, size, mtime_ns, inode, observed, code, detail in message["unreadable"]
                ),
                removals=tuple(
                    Removal(path=path, observed=observed) for path, observed in message["removals"]
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a batch: {error}") from error


def _stamp_list(stamp: Stamp) -> tuple[int, int, int]:
    return stamp.size, stamp.mtime_ns, stamp.inode
