"""Walks the folder in one pass: lists every seed with its stamp, and what could not be listed.

Opens only folders, follows no link, and keeps the file system's order. `worker.domain.folder.reconcile`
compares the result with what is known. Called by the watcher's loop and by `sync`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import Difference, Seen, compare, find_missing
from worker.domain.seeds.names import is_too_long
from worker.watch.failures import in_words
from worker.watch.ignore import SeedNames, unsafe_path
from worker.watch.read import INODE_MASK, LARGEST, bounded_ns, known_ctime

#: How the reason begins for a name that could not be looked at, for whatever reason.
FAILED = "looking at it failed"
_PAGE_FILES = 1000
_LONGEST_NAME = 255 * "x"  # file systems allow no more bytes in one name
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_VANISHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(slots=True, kw_only=True)
class Walk:
    """A walk in progress; the other fields are complete only when `pages` is exhausted.

    `unsure` are folders that could not be listed, "" for the root. `ignored` maps each path that looks
    like a seed's, but is not one, to the reason.
    """

    pages: Iterator[list[Seen]]
    unsure: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)


def is_marked(root: str, marker: str | None) -> bool:
    """Return whether the folder has its marker file, or none is configured."""
    return marker is None or os.path.lexists(f"{root}/{marker}")


def walk(names: SeedNames) -> Walk:
    """Start a walk of the folder of `names`."""
    started = Walk(pages=iter(()))
    started.pages = _pages(names, started)
    return started


def sift(started: Walk, stamps: set[Seen], *, everything: bool = False) -> tuple[int, list[Seen]]:
    """Finish a walk; return the number of files, and those whose stamp does not prove them unchanged.

    Removes the stamps that it saw from `stamps`; those that remain belong to files that are missing or
    have another stamp. With `everything`, no stamp is proof.
    """
    scanned, unproven = 0, list[Seen]()
    for page in started.pages:
        scanned += len(page)
        if everything:
            unproven += page
            continue
        if not stamps.issuperset(page):
            unproven += [seen for seen in page if seen not in stamps]
        stamps.difference_update(page)
    return scanned, unproven


class Survey:
    """A walk that is compared with what is known, in steps, so that live edits do not wait for it.

    What is known may change between the steps. `awaits` returns whether a new file with a path and size
    is queued already; the survey does not list it again, because most of a load is queued at every scan.
    `notes` are paths of plain notes; at the end `unseen_notes` are those that the walk did not see.
    """

    def __init__(
        self,
        started_walk: Walk,
        known: KnownFiles,
        *,
        awaits: Callable[[str, int], bool],
        notes: Iterable[str] = (),
        verified: int = 0,
        started: int = 0,
        started_at: float = 0.0,
    ) -> None:
        self.walk = started_walk
        self.difference = Difference()
        self.scanned = 0
        self.started = started
        self.started_at = started_at
        self.unseen_notes = set(notes)
        self._known = known
        self._awaits = awaits
        self._verified = verified
        # The strings of `known`: those of the walk would take three times as much memory.
        self._unseen = set(known)

    def step(self, monotonic: Callable[[], float], until: float) -> bool:
        """Continue until a time in monotonic seconds; return whether the walk is finished."""
        for page in self.walk.pages:
            self.scanned += len(page)
            paths = [seen[0] for seen in page]
            self._unseen.difference_update(paths)
            self.unseen_notes.difference_update(paths)
            unproven = [seen for seen in self._known.unproven(page) if not self._awaits(*seen[:2])]
            compare(self._known, unproven, self.difference, verified=self._verified)
            if monotonic() >= until:
                return False
        return True

    def has_seen(self, path: str) -> bool:
        """Return whether the walk saw a known path."""
        return path in self._known and path not in self._unseen

    def missing(self) -> list[str]:
        """Return the known paths that the whole walk did not see, sorted."""
        still_known = [path for path in self._unseen if path in self._known]
        return find_missing(still_known, (), self.walk.unsure)


def _pages(names: SeedNames, state: Walk) -> Iterator[list[Seen]]:
    try:
        root = os.open(names.root, _FOLDER & ~os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in _VANISHED:
            state.unsure.append("")
        return
    try:
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                opened = os.open(folder, _FOLDER, dir_fd=root) if folder else os.dup(root)
            except OSError as error:
                if error.errno not in _VANISHED:
                    state.unsure.append(folder)
                continue
            try:
                yield from _list_folder(opened, folder, names, folders, state)
            except OSError:
                state.unsure.append(folder)
            finally:
                os.close(opened)
    finally:
        os.close(root)


def _list_folder(  # noqa: C901 - one function, for speed
    opened: int, folder: str, names: SeedNames, folders: list[str], state: Walk
) -> Iterator[list[Seen]]:
    """Yield the seeds of one folder; append the folders in it to `folders`."""
    prefix = f"{folder}/" if folder else ""
    excluded = names.is_excluded if names.has_patterns else None
    is_plain, is_candidate, is_file = names.is_plain, names.is_candidate, stat.S_ISREG
    is_deep = is_too_long(prefix + _LONGEST_NAME)
    page: list[Seen] = []
    with os.scandir(opened) as entries:
        for entry in entries:
            name = entry.name
            try:
                plain = is_plain(name)
                if not plain and not is_candidate(name):
                    _note_other(entry, prefix + name, names, folders, state)
                    continue
                found = entry.stat(follow_symlinks=False)
                path = prefix + name
                if not is_file(found.st_mode):
                    _note_other(entry, path, names, folders, state)
                elif excluded is not None and excluded(path):
                    continue
                elif (is_deep or not plain) and (reason := unsafe_path(path)):
                    state.ignored[path] = reason
                else:
                    mtime_ns, ctime_ns = found.st_mtime_ns, found.st_ctime_ns
                    # The same as make_stamp(), without function calls for most files
                    if not (-LARGEST <= mtime_ns <= LARGEST and 0 < ctime_ns <= LARGEST):
                        mtime_ns, ctime_ns = bounded_ns(mtime_ns), known_ctime(ctime_ns)
                    page.append(
                        (path, found.st_size, mtime_ns, found.st_ino & INODE_MASK, ctime_ns)
                    )
                    if len(page) == _PAGE_FILES:
                        yield page
                        page = []
            except OSError as error:
                if error.errno not in _VANISHED:
                    raise
            except Exception as error:  # noqa: BLE001 - one file never ends a scan
                state.ignored[prefix + name] = f"{FAILED}: {in_words(error)}"
    yield page


def _note_other(
    entry: os.DirEntry[str], path: str, names: SeedNames, folders: list[str], state: Walk
) -> None:
    """Queue a folder to walk, or record why an entry that looks like a seed is ignored."""
    name = entry.name
    if entry.is_dir(follow_symlinks=False):
        if names.enters(path):
            folders.append(path)
        elif not name.startswith(".") and (reason := unsafe_path(path)):
            state.ignored[path] = reason
    elif names.is_excluded(path) or name.startswith("."):
        return
    elif entry.is_symlink() and (names.is_candidate(name) or entry.is_dir()):
        state.ignored[path] = "it is a symbolic link"
    elif names.is_candidate(name):
        state.ignored[path] = "it is not a regular file"
