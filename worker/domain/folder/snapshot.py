"""The watcher's observations: stamps, snapshots, removals, and the batch that carries them.

A batch is the small message of the claim check pattern: it names its snapshots, and their bytes are in
the spool. Its JSON form is the contract between watchers and workers of different versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

#: The newest format. A batch without candidates is written in format 1, which every worker reads.
BATCH_FORMAT = 2
_PLAIN_FORMAT = 1

_BATCH_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOT_IN_PATHS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
_MOST_PATH_CHARACTERS = 4096
_LARGEST = 2**63 - 1  # the largest number that the store's columns hold


class Stamp(NamedTuple):
    """A file's status in the file system: size in bytes, `mtime_ns` since the epoch, inode.

    A tuple, like `Known`: each scan makes one of each for every document in the store.
    """

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A seed's bytes as read once.

    `observed` increases with every snapshot: microseconds since the epoch, or one more than the
    last value if the clock stood still or stepped back. `moved_from` is the previous path of the same
    bytes, if that path is gone. `candidates` are missing paths whose document this may be, edited, the
    likeliest first; ingest compares the bodies and decides.
    """

    path: str
    stamp: Stamp
    sha256: str
    observed: int
    moved_from: str | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A seed whose bytes could not be read; `code` is the code of the problem that refuses it."""

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


class Known(NamedTuple):
    """What the store has of one path in the folder, accepted or refused."""

    stamp: Stamp
    sha256: str
    observed: int
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The content of one message. The bytes of `snapshots` are in the spool, in the same order.

    `attempts` counts how often an ingest of these files was begun before and not finished.
    """

    id: str
    snapshots: tuple[Snapshot, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    removals: tuple[Removal, ...] = ()
    bulk: bool = False
    attempts: int = 0

    @property
    def paths(self) -> list[str]:
        """Return every path in the batch, sorted, with old paths and candidates."""
        items: tuple[Snapshot | Unreadable | Removal, ...]
        items = (*self.snapshots, *self.unreadable, *self.removals)
        moved_from = {s.moved_from for s in self.snapshots if s.moved_from}
        candidates = {path for s in self.snapshots for path in s.candidates}
        return sorted({item.path for item in items} | moved_from | candidates)

    @property
    def size(self) -> int:
        """Return the number of bytes of the batch in the spool."""
        return sum(snapshot.stamp.size for snapshot in self.snapshots)

    def as_json(self) -> dict[str, Any]:
        """Return the message's JSON, with lists in place of objects, so that 128 files take about 20 kB."""
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
            **({"attempts": self.attempts} if self.attempts else {}),
        }

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> Batch:
        """Read a message's JSON; raise `ValueError` if it is not a batch of a known format.

        Paths outside the folder and impossible values are refused too.
        """
        if message.get("format") not in {_PLAIN_FORMAT, BATCH_FORMAT}:
            raise ValueError(f"batch format {message.get('format')!r} is not {BATCH_FORMAT}")
        try:
            return cls(
                id=_batch_id(message["id"]),
                bulk=bool(message["bulk"]),
                attempts=_whole(message.get("attempts", 0)),
                snapshots=tuple(
                    Snapshot(
                        path=_path(path),
                        stamp=_stamp(size, mtime_ns, inode),
                        sha256=_sha256(sha256),
                        observed=_whole(observed),
                        moved_from=None if moved_from is None else _path(moved_from),
                        candidates=tuple(map(_path, candidates[0])) if candidates else (),
                    )
                    for path, size, mtime_ns, inode, sha256, observed, moved_from, *candidates in (
                        message["snapshots"]
                    )
                ),
                unreadable=tuple(
                    Unreadable(
                        path=_path(path),
                        stamp=_stamp(size, mtime_ns, inode),
                        observed=_whole(observed),
                        code=str(code),
                        detail=str(detail),
                    )
                    for path, size, mtime_ns, inode, observed, code, detail in message["unreadable"]
                ),
                removals=tuple(
                    Removal(path=_path(path), observed=_whole(observed))
                    for path, observed in message["removals"]
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a batch: {error}") from error


def _batch_id(value: Any) -> str:
    if not isinstance(value, str) or not _BATCH_ID.fullmatch(value):
        raise ValueError("not a batch: its id is not valid")
    return value


def _path(value: Any) -> str:
    """Return a path below the folder: relative, without `..`, with characters allowed in a seed's name."""
    if (
        not isinstance(value, str)
        or len(value) > _MOST_PATH_CHARACTERS
        or any(part in {"", ".", ".."} for part in value.split("/"))
        or _NOT_IN_PATHS.search(value)
    ):
        raise ValueError(f"not a batch: {value!r:.200} is not a path in the folder")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"not a batch: {value!r:.100} is not a valid number")
    return value


def _sha256(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("not a batch: a hash is not a SHA-256")
    return value


def _stamp(size: Any, mtime_ns: Any, inode: Any) -> Stamp:
    if type(mtime_ns) is not int or abs(mtime_ns) > _LARGEST:  # before 1970 it is negative
        raise ValueError("not a batch: a modification time is not valid")
    return Stamp(size=_whole(size), mtime_ns=mtime_ns, inode=_whole(inode))


def _stamp_list(stamp: Stamp) -> tuple[int, int, int]:
    return stamp.size, stamp.mtime_ns, stamp.inode
