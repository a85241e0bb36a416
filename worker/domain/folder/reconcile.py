"""Compare the folder with what the store knows of it: what is new, changed, doubtful or missing.

Everything is a value: the caller walks the folder, reads and decides when. Called by `worker.watch`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.domain.folder.snapshot import Known

#: One file as a walk saw it: path, size in bytes, mtime in ns, inode. A tuple, because a walk sees
#: 100,000 of them and keeps none that is unchanged.
Seen = tuple[str, int, int, int]

#: A file modified so shortly before it was read may have been written again within the same tick of
#: the file system's clock (git calls this racy); FAT has ticks of two seconds.
RACY_MICROSECONDS = 2_000_000

#: What stands for the hash of unread bytes (`worker.domain.folder.decide.unread_sha256`) is no SHA-256.
SHA256_LETTERS = 64

#: Where only stamps are at hand, the size in one that is no proof, equal or not.
UNPROVEN_SIZE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a walk found: `racy` are files whose stamp is equal and yet no proof."""

    new: list[Seen] = field(default_factory=list)
    changed: list[Seen] = field(default_factory=list)
    racy: list[Seen] = field(default_factory=list)


def compare(
    known: Mapping[str, Known],
    page: Iterable[Seen],
    difference: Difference,
    *,
    verified: int = 0,
    everything: bool = False,
) -> None:
    """Sort the files of one page into a difference; the unchanged are dropped.

    `verified` is when all files were last hashed again, in microseconds since the epoch: what was
    modified well before is not racy any more. With `everything`, no stamp is proof.
    """
    for seen in page:
        held = known.get(seen[0])
        if held is None:
            difference.new.append(seen)
            continue
        stamp, sha256, observed, _live = held
        if stamp != seen[1:]:
            difference.changed.append(seen)
            continue
        until = stamp[1] // 1000 + RACY_MICROSECONDS
        # is_racy() and was_unread(), without their calls
        racy = until >= observed and until >= verified
        if racy or len(sha256) != SHA256_LETTERS or everything:
            difference.racy.append(seen)


def find_missing(known: Iterable[str], seen: Collection[str], unsure: Sequence[str]) -> list[str]:
    """Return the known paths that a whole walk did not see, sorted.

    `unsure` are the folders that could not be listed, "" for the root: nothing below is missing.
    """
    if "" in unsure:
        return []
    below = tuple(f"{folder}/" for folder in unsure)
    return sorted(path for path in known if path not in seen and not path.startswith(below))


def is_racy(known: Known, verified: int) -> bool:
    """Return whether an equal stamp is no proof of equal content."""
    modified = known.stamp.mtime_ns // 1000
    return modified + RACY_MICROSECONDS >= max(known.observed, verified)


def was_unread(known: Known) -> bool:
    """Return whether the bytes could not be taken, so that the stamp says nothing of them."""
    return len(known.sha256) != SHA256_LETTERS


def trips_brake(number: int, live: int, *, share: float, count: int) -> bool:
    """Return whether so many of `live` documents, gone or refused, must wait for a person's consent."""
    return number > count and number > share * live
