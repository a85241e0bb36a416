"""Walk the folder in one pass: every seed with its stamp, and what could not be looked at.

Opens nothing but folders and follows no link. The order is that of the file system. Who compares is
`worker.domain.folder.reconcile`. Called by the watcher's loop and by `sync`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import Difference, Seen, compare, find_missing
from worker.watch.ignore import SeedNames, unsafe_name
from worker.watch.read import INODE_MASK

_PAGE_FILES = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_VANISHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk on its way: `pages` are to be taken to the end before the rest is whole.

    `unsure` are folders that could not be listed, "" for the root; `ignored` is a reason for each path
    that looks like a seed's and is none. `root_missing` when there was no root to walk.
    """

    pages: Iterator[list[Seen]]
    unsure: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    root_missing: bool = False


def is_marked(root: str, marker: str | None) -> bool:
    """Return whether the folder has its marker, or needs none."""
    return marker is None or os.path.lexists(f"{root}/{marker}")


def walk(names: SeedNames) -> Walk:
    """Begin to walk the folder of `names`."""
    begun = Walk(pages=iter(()))
    begun.pages = _pages(names, begun)
    return begun


def sift(begun: Walk, stamps: set[Seen], *, everything: bool = False) -> tuple[int, list[Seen]]:
    """Take a walk to its end, and the stamps that it proves out of `stamps`: of those files nothing is kept.

    Returns how many files there are, and those that are not proven unchanged; what remains in
    `stamps` was not seen, or not so. With `everything`, no stamp is proof.
    """
    scanned, unproven = 0, list[Seen]()
    for page in begun.pages:
        scanned += len(page)
        if everything:
            unproven += page
            continue
        if not stamps.issuperset(page):
            unproven += [seen for seen in page if seen not in stamps]
        stamps.difference_update(page)
    return scanned, unproven


class Survey:
    """A walk that is compared with what is known, in steps, so that it keeps nobody waiting.

    What is known may change between the steps. `awaits` tells of a path and a size whether such a new
    file stands in line already: of those nothing is kept, for most of a load does, however often it is
    scanned. Of `notes`, which are paths too, `unseen_notes` become those that the walk did not see.
    """

    def __init__(
        self,
        begun: Walk,
        known: KnownFiles,
        *,
        awaits: Callable[[str, int], bool],
        notes: Iterable[str] = (),
        verified: int = 0,
        started: int = 0,
        started_at: float = 0.0,
    ) -> None:
        self.walk = begun
        self.difference = Difference()
        self.scanned = 0
        self.started = started
        self.started_at = started_at
        self.unseen_notes = set(notes)
        self._known = known
        self._awaits = awaits
        self._verified = verified
        # The texts that are known: those of the walk would take three times as much memory.
        self._unseen = set(known)

    def step(self, monotonic: Callable[[], float], until: float) -> bool:
        """Go on until a time, in monotonic seconds; return whether the walk is at its end."""
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
        """Return whether the walk came by a known path."""
        return path in self._known and path not in self._unseen

    def missing(self) -> list[str]:
        """Return the known paths that the whole walk did not see, sorted."""
        still_known = [path for path in self._unseen if path in self._known]
        return find_missing(still_known, (), self.walk.unsure)


def _pages(names: SeedNames, state: Walk) -> Iterator[list[Seen]]:
    try:
        root = os.open(names.root, _FOLDER & ~os.O_NOFOLLOW)
    except OSError as error:
        state.root_missing = error.errno in _VANISHED
        if not state.root_missing:
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


def _list_folder(
    opened: int, folder: str, names: SeedNames, folders: list[str], state: Walk
) -> Iterator[list[Seen]]:
    """Yield the seeds of one folder; append the folders in it to `folders`."""
    prefix = f"{folder}/" if folder else ""
    excluded = names.is_excluded if names.has_patterns else None
    is_plain, is_candidate, is_file = names.is_plain, names.is_candidate, stat.S_ISREG
    page: list[Seen] = []
    with os.scandir(opened) as entries:
        for entry in entries:
            name = entry.name
            plain = is_plain(name)
            if not plain and not is_candidate(name):
                _note_other(entry, prefix + name, names, folders, state)
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError as error:
                if error.errno not in _VANISHED:
                    raise
                continue
            path = prefix + name
            if not is_file(found.st_mode):
                _note_other(entry, path, names, folders, state)
            elif excluded is not None and excluded(path):
                continue
            elif not plain and (reason := unsafe_name(name)):
                state.ignored[path] = reason
            else:
                page.append((path, found.st_size, found.st_mtime_ns, found.st_ino & INODE_MASK))
                if len(page) == _PAGE_FILES:
                    yield page
                    page = []
    yield page


def _note_other(
    entry: os.DirEntry[str], path: str, names: SeedNames, folders: list[str], state: Walk
) -> None:
    """Take in what is no seed: a folder to walk, or one that is ignored with a reason."""
    name = entry.name
    if entry.is_dir(follow_symlinks=False):
        if names.enters(path):
            folders.append(path)
        elif not name.startswith(".") and (reason := unsafe_name(name)):
            state.ignored[path] = reason
    elif names.is_excluded(path) or name.startswith("."):
        return
    elif entry.is_symlink() and (names.is_candidate(name) or entry.is_dir()):
        state.ignored[path] = "it is a symbolic link"
    elif names.is_candidate(name):
        state.ignored[path] = "it is no regular file"
