"""Changes files of the seeds folder: looks, replaces whole, takes away; never what it has not seen.

No symbolic link is followed and nothing outside the folder is touched. A file that somebody writes,
or that changed since it was read, stays as it is. The store is not asked. Called by
`worker.library.restore` and `worker.library.write_back`.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from worker.atomic_write import replace_whole
from worker.errors import ConfigurationError, ContentSyncError
from worker.settings.model import Settings
from worker.watch.read import Absent, Busy, Content, NotAFile, Unread, read_file

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class WriteRefusedError(ContentSyncError):
    """A file that must not be changed, or not without a person's word."""


def place_of(settings: Settings, path: str) -> str:
    """Return a seed's path as people see it, with the folder."""
    return f"{settings.seeds}/{path}"


def look(settings: Settings, path: str, *, forced: bool = False) -> Content | Unread | Absent:
    """Return what is on disk; raise `WriteRefusedError` for what is no file that may be replaced.

    With `forced`, a file that somebody holds open is taken all the same.
    """
    on_disk = read_file(
        str(settings.seeds), path, max_bytes=settings.intake.max_file_bytes, forced=forced
    )
    place = place_of(settings, path)
    match on_disk:
        case NotAFile(reason=reason):
            raise WriteRefusedError(f"{place} is not overwritten: {reason}")
        case Busy():
            raise WriteRefusedError(f"somebody writes {place} just now; try again")
    return on_disk


def write_whole(
    root: Path, path: str, data: bytes, *, last_look: Callable[[], object] | None = None
) -> None:
    """Put a file in the place of another at once: who reads it sees the old one or the new one.

    The mode of a file that was there is kept; missing folders are made; `last_look` is called just
    before, and may raise. Raises `ConfigurationError` when the folder cannot be written,
    `WriteRefusedError` for a path that leaves it.
    """
    with _opened(root, path) as (folder, name):
        replace_whole(folder, name, data, last_look=last_look)


def replace_seen(settings: Settings, path: str, seen: Content, data: bytes) -> None:
    """Replace a file that still holds what was seen.

    Raises `WriteRefusedError` where somebody saved it in between, or is about to; it stays then.
    Raises `ConfigurationError` where it cannot be written.
    """
    place = place_of(settings, path)
    if not os.access(place, os.W_OK):  # its folder may let us; whoever made it read-only does not
        raise _cannot_write(place, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    write_whole(settings.seeds, path, data, last_look=lambda: _still(settings, path, seen))


def take_away(settings: Settings, path: str, seen: Content) -> None:
    """Remove a file that still holds what was seen; raise as `replace_seen` does.

    It is put aside first and looked at there, so that what somebody saves at the last moment is
    never what is removed.
    """
    with _opened(settings.seeds, path) as (folder, name):
        hidden = f".content-sync-{secrets.token_hex(8)}.tmp"  # hidden files are no seeds
        _still(settings, path, seen)
        os.rename(name, hidden, src_dir_fd=folder, dst_dir_fd=folder)
        aside = "/".join((*path.split("/")[:-1], hidden))
        try:
            _still(settings, aside, seen)
        except BaseException:
            with suppress(FileExistsError):  # a newer one has its place: ours stays beside it
                os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.unlink(hidden, dir_fd=folder)
            raise
        os.unlink(hidden, dir_fd=folder)
        with suppress(OSError):  # a network share may not know how
            os.fsync(folder)


def _still(settings: Settings, path: str, seen: Content) -> None:
    on_disk = look(settings, path)
    if not isinstance(on_disk, Content) or on_disk.sha256 != seen.sha256:
        raise WriteRefusedError(
            f"{place_of(settings, path)} was changed since it was read; try again"
        )


@contextmanager
def _opened(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """Give the open folder of a path and the file's name; put what the system refuses into words."""
    place = f"{root}/{path}"
    *folders, name = path.split("/")
    if not name or any(part in {"", ".", ".."} for part in (*folders, name)):
        raise WriteRefusedError(f"{place} is not a path in the folder")
    try:
        folder = _open_folder(root, folders)
        try:
            yield folder, name
        finally:
            os.close(folder)
    except OSError as error:
        raise _cannot_write(place, error) from error


def _cannot_write(place: str, error: OSError) -> ConfigurationError:
    reason = error.strerror or str(error)
    how = (
        ": do it where the folder can be written, as a user who may"
        if error.errno in _FORBIDDEN
        else ""
    )
    return ConfigurationError(f"cannot write {place}: {reason}; nothing was changed{how}")


def _open_folder(root: Path, folders: list[str]) -> int:
    """Open the folder of a path, making what is missing; a link on the way is an error."""
    current = os.open(root, _FOLDER)
    for folder in folders:
        try:
            with suppress(FileExistsError):
                os.mkdir(folder, dir_fd=current)
            inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
        finally:
            os.close(current)
        current = inner
    return current
