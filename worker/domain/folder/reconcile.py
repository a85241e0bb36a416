"""Compare the folder with the store's known files: find new, changed, doubtful and missing files.

These functions take and return values; the caller walks the folder and reads files. Called by
`worker.watch`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.domain.folder.snapshot import Known

#: One file as a walk saw it: its path, and its stamp (`worker.domain.folder.snapshot.Stamp`). A tuple,
#: because a walk makes 100,000 of them and drops the unchanged ones.
Seen = tuple[str, int, int, int, int]

#: A file whose mtime or ctime is this shortly before its read may have been written again within the same
#: tick of the file system's clock (git calls this racy). FAT has ticks of two seconds.
RACY_MICROSECONDS = 2_000_000

#: The length of a SHA-256; the stand-in for unread bytes (`worker.domain.folder.decide.unread_sha256`)
#: has another length.
SHA256_LETTERS = 64

#: The size in a stamp that proves nothing, equal or not, where only stamps are available.
UNPROVEN_SIZE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The result of a walk.

    `racy` are files whose equal stamp does not prove equal content, `unjudged` those whose stamp is equal
    and whose verdict does not hold any more.
    """

    new: list[Seen] = field(default_factory=list)
    changed: list[Seen] = field(default_factory=list)
    racy: list[Seen] = field(default_factory=list)
    unjudged: list[Seen] = field(default_factory=list)


def compare(
    known: Mapping[str, Known],
    page: Iterable[Seen],
    difference: Difference,
    *,
    verified: int = 0,
    everything: bool = False,
) -> None:
    """Sort the files of one page into a difference; drop unchanged files.

    `verified` is the time when all files were last hashed again, in microseconds since the epoch. A
    file modified well before that is no longer racy. With `everything`, no stamp is proof.
    """
    for seen in page:
        held = known.get(seen[0])
        if held is None:
            difference.new.append(seen)
            continue
        stamp, sha256, observed, _live, judged = held
        if stamp != seen[1:]:
            difference.changed.append(seen)
            continue
        if not judged:
            difference.unjudged.append(seen)
            continue
        until = max(stamp[1], stamp[3]) // 1000 + RACY_MICROSECONDS
        # The same as is_racy() and was_unread(), without the function calls
        racy = until >= observed and until >= verified
        if racy or len(sha256) != SHA256_LETTERS or everything:
            difference.racy.append(seen)


def find_missing(known: Iterable[str], seen: Collection[str], unsure: Sequence[str]) -> list[str]:
    """Return the known paths that a complete walk did not see, sorted.

    `unsure` names the folders that could not be listed, "" for the root; no path below them counts as
    missing.
    """
    if "" in unsure:
        return []
    below = tuple(f"{folder}/" for folder in unsure)
    return sorted(path for path in known if path not in seen and not path.startswith(below))


def is_racy(known: Known, verified: int) -> bool:
    """Return whether an equal stamp does not prove equal content."""
    modified = max(known.stamp.mtime_ns, known.stamp.ctime_ns) // 1000
    return modified + RACY_MICROSECONDS >= max(known.observed, verified)


def was_unread(known: Known) -> bool:
    """Return whether the bytes could not be read, so that the stamp says nothing about them."""
    return len(known.sha256) != SHA256_LETTERS
