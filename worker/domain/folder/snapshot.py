"""The watcher's observations: stamps, snapshots, removals, and the batch that carries them.

A batch is the small message of the claim check pattern: it names its snapshots, and their bytes are in
the spool. Its JSON form is the contract between watchers and workers of different versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: The newest format. Formats 1 and 2 have neither ctimes nor the order of observations, and are still read.
BATCH_FORMAT = 3
#: The format that workers of every release read. The watcher writes it while one of them does not say that
#: it reads the newest: such a worker would drop the batch, and an edit would wait until that counts as lost.
SHARED_FORMAT = 2
_READABLE = frozenset({1, 2, 3})

_BATCH_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_JUDGE = re.compile(r"[0-9a-f]{0,64}")
_NOT_IN_PATHS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
_MOST_PATH_CHARACTERS = 4096
_LARGEST = 2**63 - 1  # the largest number that the store's columns hold


class Stamp(NamedTuple):
    """A file's status in the file system: size in bytes, `mtime_ns` since the epoch, inode, `ctime_ns`.

    Programs can set the first three to what they were, but not the ctime, the time of the last change. It is
    0 if it is unknown: in rows and messages of earlier versions. A tuple, like `Known`: each scan makes one
    of each for every document in the store.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int = 0

    def lacks_only_ctime(self, found: Stamp) -> bool:
        """Return whether a file's stamp differs from this one only because the ctime here is unknown."""
        return not self.ctime_ns and self[:3] == found[:3]


class Source(NamedTuple):
    """A path that a file may have moved away from, and the newest observation of it at that time.

    `observed` is None in the formats before 3, which do not say it.
    """

    path: str
    observed: int | None


class Turn(NamedTuple):
    """An observation of a path after which another document may live there, or at the path it came from."""

    path: str
    observed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A seed's bytes as read once.

    `observed` increases with every snapshot: microseconds since the epoch, or one more than the
    last value if the clock stood still or stepped back. `follows` names the last observations after which
    another document may live at this path (a removal, or moves): the store needs them first. `after` is the
    last live edit of this path that is still on its way, or 0: a refusal or a removal waits for it, so that
    it is not lost. `moved_from` is the previous path of the same bytes, if that path is gone. `candidates`
    are missing paths whose document this may be, edited, the likeliest first; ingest compares the bodies
    and decides.
    """

    path: str
    stamp: Stamp
    sha256: str
    observed: int
    follows: tuple[Turn, ...] = ()
    after: int = 0
    moved_from: Source | None = None
    candidates: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A seed whose bytes could not be read; `code` is the code of the problem that refuses it."""

    path: str
    stamp: Stamp
    observed: int
    code: str
    detail: str
    follows: tuple[Turn, ...] = ()
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A path that is no longer in the folder; `follows` and `after` as in `Snapshot`."""

    path: str
    observed: int
    follows: tuple[Turn, ...] = ()
    after: int = 0


class Known(NamedTuple):
    """What the store has of one path in the folder, accepted or refused.

    `judged` is whether its verdict holds: by the present rules and settings, and today.
    """

    stamp: Stamp
    sha256: str
    observed: int
    live: bool
    judged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The content of one message. The bytes of `snapshots` are in the spool, in the same order.

    `attempts` counts how often an ingest of these files was begun before and not finished. `judge` is the ID
    of the rules and settings of its watcher, "" in messages of earlier versions. `format` is the one that
    its message has.
    """

    id: str
    snapshots: tuple[Snapshot, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    removals: tuple[Removal, ...] = ()
    bulk: bool = False
    attempts: int = 0
    judge: str = ""
    format: int = field(default=BATCH_FORMAT, compare=False)

    @property
    def observations(self) -> tuple[Snapshot | Unreadable | Removal, ...]:
        """Return what the batch says, in no order."""
        return (*self.snapshots, *self.unreadable, *self.removals)

    @property
    def observed_paths(self) -> list[str]:
        """Return the paths that the batch says something about, sorted."""
        return sorted({item.path for item in self.observations})

    @property
    def paths(self) -> list[str]:
        """Return every path in the batch, sorted, with those that its observations name."""
        named = {turn.path for item in self.observations for turn in item.follows}
        named |= {s.moved_from.path for s in self.snapshots if s.moved_from}
        named |= {source.path for s in self.snapshots for source in s.candidates}
        return sorted(named.union(self.observed_paths))

    @property
    def size(self) -> int:
        """Return the number of bytes of the batch in the spool."""
        return sum(snapshot.stamp.size for snapshot in self.snapshots)

    def as_json(self) -> dict[str, Any]:
        """Return the message's JSON, with lists in place of objects, so that 128 files take about 20 kB."""
        parts = self._parts() if self.format > SHARED_FORMAT else self._shared_parts()
        return {
            "format": self.format,
            "id": self.id,
            "bulk": self.bulk,
            **parts,
            **({"attempts": self.attempts} if self.attempts else {}),
            **({"judge": self.judge} if self.judge else {}),
        }

    def _parts(self) -> dict[str, Any]:
        return {
            "snapshots": [
                [
                    *(s.path, s.stamp, s.sha256, s.observed),
                    *(s.moved_from, s.candidates, s.follows, s.after),
                ]
                for s in self.snapshots
            ],
            "unreadable": [
                [u.path, u.stamp, u.observed, u.code, u.detail, u.follows, u.after]
                for u in self.unreadable
            ],
            "removals": [[r.path, r.observed, r.follows, r.after] for r in self.removals],
        }

    def _shared_parts(self) -> dict[str, Any]:
        return {
            "snapshots": [
                [
                    *(s.path, *s.stamp[:3], s.sha256, s.observed),
                    *(s.moved_from and s.moved_from.path, [one.path for one in s.candidates]),
                ]
                for s in self.snapshots
            ],
            "unreadable": [
                [u.path, *u.stamp[:3], u.observed, u.code, u.detail] for u in self.unreadable
            ],
            "removals": [[r.path, r.observed] for r in self.removals],
        }

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> Batch:
        """Read a message's JSON; raise `ValueError` if it is not a batch of a known format.

        Paths outside the folder and impossible values are refused too.
        """
        written = message.get("format")
        if written not in _READABLE:
            raise ValueError(f"batch format {written!r} is not {BATCH_FORMAT}")
        rows = _rows if written > SHARED_FORMAT else _shared_rows
        try:
            return cls(
                id=_batch_id(message["id"]),
                bulk=bool(message["bulk"]),
                attempts=_whole(message.get("attempts", 0)),
                judge=_judge(message.get("judge", "")),
                snapshots=tuple(
                    Snapshot(
                        path=_path(path),
                        stamp=_stamp(*stamp),
                        sha256=_sha256(sha256),
                        observed=_whole(observed),
                        moved_from=None if moved_from is None else _source(moved_from),
                        candidates=tuple(map(_source, rest[0])) if rest else (),
                        **_order(rest[1:]),
                    )
                    for path, stamp, sha256, observed, moved_from, *rest in (
                        rows(message["snapshots"])
                    )
                ),
                unreadable=tuple(
                    Unreadable(
                        path=_path(path),
                        stamp=_stamp(*stamp),
                        observed=_whole(observed),
                        code=str(code),
                        detail=str(detail),
                        **_order(order),
                    )
                    for path, stamp, observed, code, detail, *order in (rows(message["unreadable"]))
                ),
                removals=tuple(
                    Removal(
                        path=_path(path),
                        observed=_whole(observed),
                        **_order(order),
                    )
                    for path, observed, *order in message["removals"]
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a batch: {error}") from error


def _batch_id(value: Any) -> str:
    if not isinstance(value, str) or not _BATCH_ID.fullmatch(value):
        raise ValueError("not a batch: its id is not valid")
    return value


def _judge(value: Any) -> str:
    if not isinstance(value, str) or not _JUDGE.fullmatch(value):
        raise ValueError("not a batch: its judge is not valid")
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


def _source(value: Any) -> Source:
    """Return where a file moved from: a path with its observation, or a path alone (formats 1 and 2)."""
    if isinstance(value, str):
        return Source(_path(value), None)
    path, observed = value
    return Source(_path(path), None if observed is None else _whole(observed))


def _order(values: Sequence[Any]) -> dict[str, Any]:
    """Return what an observation follows, which the formats before 3 do not say."""
    if not values:
        return {}
    follows, after = values
    turns = tuple(Turn(_path(path), _whole(observed)) for path, observed in follows)
    return {"follows": turns, "after": _whole(after)}


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"not a batch: {value!r:.100} is not a valid number")
    return value


def _sha256(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("not a batch: a hash is not a SHA-256")
    return value


def _rows(rows: Sequence[Any]) -> Sequence[Any]:
    return rows


def _shared_rows(rows: Sequence[Any]) -> Iterator[Any]:
    """Yield rows of formats 1 and 2, where a stamp has three numbers, with the stamp as in the newest."""
    for path, size, mtime_ns, inode, *rest in rows:
        yield path, (size, mtime_ns, inode), *rest


def _stamp(size: Any, mtime_ns: Any, inode: Any, ctime_ns: Any = 0) -> Stamp:
    for time_ns in (mtime_ns, ctime_ns):
        if type(time_ns) is not int or abs(time_ns) > _LARGEST:  # before 1970 it is negative
            raise ValueError("not a batch: a modification time is not valid")
    return Stamp(_whole(size), mtime_ns, _whole(inode), ctime_ns)
