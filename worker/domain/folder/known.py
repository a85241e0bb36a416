"""The known files of a whole library in little memory: each is packed, and unpacked when asked for.

Who says what is known is the store; who compares is `worker.domain.folder.reconcile`. Called by the store,
which fills it, and by `worker.watch`.

What it gains: a watcher of 100,000 pages holds 101 MiB at its peak, and 131 with a dictionary of `Known`
tuples, of the 110 that it may (two pairs, Python 3.11, 2026-11-30). A sync after one edit of them takes
0.88 s, and 1.01 s with the dictionary (medians of 7 pairs). That is the plain way, and the tests' oracle.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

from worker.domain.folder.reconcile import (
    RACY_MICROSECONDS,
    SHA256_LETTERS,
    Seen,
    is_racy,
    was_unread,
)
from worker.domain.folder.snapshot import Known, Stamp

#: One row as the store has it: path, size, mtime_ns, inode, sha256, observed.
Row = tuple[str, int, int, int, str, int]

_STAMP = struct.Struct("<qqq")
_HEAD = struct.Struct("<qqqqB")
_FLAGS = _HEAD.size - 1
_LIVE, _DOUBTFUL, _WORDS = 1, 2, 4
_LARGEST = 2**63 - 1
_KEY_BYTES = 8


class KnownFiles(MutableMapping[str, Known]):
    """What is known of each path; like a dictionary, whose values are made anew each time."""

    def __init__(self, known: Mapping[str, Known] | None = None) -> None:
        self._packed: dict[str, bytes] = {path: _pack(held) for path, held in (known or {}).items()}

    def take(self, rows: Iterable[Row]) -> None:
        """Take in rows of live documents."""
        packed, pack, unhex = self._packed, _HEAD.pack, bytes.fromhex
        for row in rows:
            path, size, mtime_ns, inode, sha256, observed = row
            # As `_pack` does it, without its calls
            racy = mtime_ns // 1000 + RACY_MICROSECONDS >= observed
            if racy or len(sha256) != SHA256_LETTERS:
                self[path] = Known(Stamp(size, mtime_ns, inode), sha256, observed, True)
            else:
                packed[path] = pack(size, mtime_ns, inode, observed, _LIVE) + unhex(sha256)

    def share(self, path: str, other: KnownFiles) -> None:
        """Take over what another one holds of a path, without a second copy; `KeyError` for nothing."""
        self._packed[path] = other._packed[path]

    def discard(self, path: str) -> None:
        """Forget a path; one that is not known is fine."""
        self._packed.pop(path, None)

    def is_same(self, path: str, other: KnownFiles) -> bool:
        """Return whether another one holds the same stamp and content of a path, whenever observed."""
        ours, theirs = self._packed.get(path), other._packed.get(path)
        if ours is None or theirs is None:
            return False
        same_stamp = ours.startswith(theirs[: _STAMP.size])
        return same_stamp and ours[_HEAD.size :] == theirs[_HEAD.size :]

    def unproven(self, page: Iterable[Seen]) -> list[Seen]:
        """Return the files of a page that are not known to be unchanged: look at those one by one."""
        packed, pack = self._packed, _STAMP.pack
        found = []
        for seen in page:
            path, size, mtime_ns, inode = seen
            held = packed.get(path)
            try:
                if (
                    held is None
                    or not held.startswith(pack(size, mtime_ns, inode))
                    or held[_FLAGS] & _DOUBTFUL
                ):
                    found.append(seen)
            except struct.error:  # a time that no store can hold
                found.append(seen)
        return found

    def live_contents(self) -> Iterator[tuple[str, int]]:
        """Yield the paths of live documents with `content_key` of their content, where it was read."""
        for path, held in self._packed.items():
            if held[_FLAGS] & (_LIVE | _WORDS) == _LIVE:
                yield path, int.from_bytes(held[-_KEY_BYTES:])

    def __getitem__(self, path: str) -> Known:
        held = self._packed[path]
        size, mtime_ns, inode, observed, flags = _HEAD.unpack_from(held)
        rest = held[_HEAD.size :]
        sha256 = rest.decode() if flags & _WORDS else rest.hex()
        return Known(Stamp(size, mtime_ns, inode), sha256, observed, bool(flags & _LIVE))

    def __setitem__(self, path: str, known: Known) -> None:
        self._packed[path] = _pack(known)

    def __delitem__(self, path: str) -> None:
        del self._packed[path]

    def __contains__(self, path: object) -> bool:
        return path in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


def content_key(sha256: str) -> int:
    """Return the last 64 bits of a hash: enough to look a content up, and no proof that it is the same."""
    return int(sha256[-2 * _KEY_BYTES :], 16)


def _pack(known: Known) -> bytes:
    (size, mtime_ns, inode), sha256, observed, live = known
    flags = _LIVE if live else 0
    if was_unread(known):
        content = sha256.encode()
        flags |= _WORDS | _DOUBTFUL
    else:
        content = bytes.fromhex(sha256)
    if is_racy(known, 0) or abs(mtime_ns) > _LARGEST:
        flags |= _DOUBTFUL
    bounded = max(-_LARGEST, min(mtime_ns, _LARGEST))
    return _HEAD.pack(size, bounded, inode, observed, flags) + content
