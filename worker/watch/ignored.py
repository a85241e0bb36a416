"""Says which names of the seeds folder are ignored, and why, for people who ask.

Looks at names and at the kinds of files, and reads only `.seedignore` and, where it must, one `.txt` file.
The watcher's walk (`worker.watch.scan`) leaves out the same names, faster and without collecting them. Called
by `validate`, `why` and `doctor`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from worker.domain.seeds.seed import is_plain_note
from worker.watch.ignore import SeedNames
from worker.watch.read import Content, NotAFile, kind_of, read_file, stamp_of

PLAIN_NOTE = "it has no front matter, so it is a plain note"
_LINK = kind_of(stat.S_IFLNK)
UNREADABLE = "it cannot be read"
_NOTES_SUFFIX = ".txt"
#: How many names a line shows for one reason.
_SHOWN = 3


def look_through(names: SeedNames, folder: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield each seed below a folder with None, and each name that looks like one with its reason, in order.

    An ignored folder is one name with a slash at its end. Hidden folders are left out.
    """
    if (reason := names.folder_reason(folder)) is not None:
        yield f"{folder}/", names.own_reason(folder) or reason
        return
    prefix = f"{folder}/" if folder else ""
    try:
        with os.scandir(f"{names.root}/{folder}") as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield prefix, UNREADABLE
        return
    inner = []
    for entry in listed:
        path = prefix + entry.name
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError:  # it vanished
            continue
        is_link = stat.S_ISLNK(mode)
        if stat.S_ISDIR(mode) or (is_link and os.path.isdir(entry.path)):  # noqa: PTH112
            if not entry.name.startswith("."):
                inner.append((path, is_link))
        elif names.resembles(entry.name):
            yield path, names.reason(path) or (None if stat.S_ISREG(mode) else kind_of(mode))
    for path, is_link in inner:
        if is_link or (reason := names.own_reason(path)) is not None:
            yield f"{path}/", _LINK if is_link else reason
        else:
            yield from look_through(names, path)


def why_ignored(names: SeedNames, path: str, *, max_bytes: int = 0) -> str | None:
    """Return why a path in the seeds folder is ignored, or None if it is not.

    With `max_bytes` a text file of at most this size is read, because it may be a plain note.
    """
    above, slash, _ = path.rpartition("/")
    for end in (*(place for place, sign in enumerate(above) if sign == "/"), len(above)):
        folder = above[:end]
        if folder and os.path.islink(f"{names.root}/{folder}"):  # noqa: PTH114 - plain paths here
            return f"its folder {folder} is ignored: {_LINK}"
    if slash and (reason := names.folder_reason(above)) is not None:
        return reason
    try:
        found = stamp_of(names.root, path)
    except OSError:
        found = None
    if isinstance(found, NotAFile):
        if os.path.isdir(f"{names.root}/{path}"):  # noqa: PTH112 - plain paths here
            return _LINK if found.reason == _LINK else names.own_reason(path)
        return names.reason(path) or found.reason
    return names.reason(path) or (PLAIN_NOTE if _is_note(names.root, path, max_bytes) else None)


def by_reason(ignored: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each reason, with the first names that it holds for."""
    groups: dict[str, list[str]] = {}
    for path, reason in ignored:
        groups.setdefault(reason, []).append(path)
    for reason, paths in groups.items():
        if len(paths) == 1:
            yield f"{paths[0]} is ignored: {reason}"
            continue
        more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
        yield f"ignored because {reason}: {', '.join(paths[:_SHOWN])}{more}"


def _is_note(root: str, path: str, max_bytes: int) -> bool:
    if not max_bytes or not path.lower().endswith(_NOTES_SUFFIX):
        return False
    found = read_file(root, path, max_bytes=max_bytes, forced=True)
    return isinstance(found, Content) and is_plain_note(found.data)
