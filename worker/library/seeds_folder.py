"""Reads, replaces and removes files of the seeds folder, and only the content that the caller has seen.

Follows no symbolic link and changes nothing outside the folder. A file that is being written, or that
changed since it was read, stays as it is. Does not use the store. Called by `worker.library.restore` and
`worker.library.write_back`.
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
    """A file that must not be changed, or only with a person's consent."""


def place_of(settings: Settings, path: str) -> str:
    """Return a seed's path with the seeds folder, for messages."""
    return f"{settings.seeds}/{path}"


def look(settings: Settings, path: str, *, forced: bool = False) -> Content | Unread | Absent:
    """Return the file on disk; raise `WriteRefusedError` if it may not be replaced.

    `forced`: read the file even if a process has it open for writing.
    """
    on_disk = read_file(
        str(settings.seeds), path, max_bytes=settings.intake.max_file_bytes, forced=forced
    )
    place = place_of(settings, path)
    match on_disk:
        case NotAFile(reason=reason):
            raise WriteRefusedError(f"{place} is not overwritten: {reason}")
        case Busy():
            raise WriteRefusedError(f"another program is writing {place}; try again")
    return on_disk


def write_whole(
    root: Path, path: str, data: bytes, *, last_look: Callable[[], object] | None = None
) -> None:
    """Replace a file atomically: a reader sees the old file or the new one.

    An existing file's mode is kept; missing folders are created. `last_look` is called just before, and
    may raise. Raises `ConfigurationError` if the folder cannot be written, `WriteRefusedError` for a path
    outside the folder.
    """
    with _opened(root, path) as (folder, name):
        replace_whole(folder, name, data, last_look=last_look)


def replace_seen(settings: Settings, path: str, seen: Content, data: bytes) -> None:
    """Replace a file that still has the content that was seen.

    Raises `WriteRefusedError`, and leaves the file, if it was saved since or is being written. Raises
    `ConfigurationError` if it cannot be written.
    """
    place = place_of(settings, path)
    if not os.access(
        place, os.W_OK
    ):  # the folder may permit it, but a read-only file is meant to stay
        raise _cannot_write(place, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    write_whole(settings.seeds, path, data, last_look=lambda: _still(settings, path, seen))


def take_away(settings: Settings, path: str, seen: Content) -> None:
    """Remove a file that still has the content that was seen; raise as `replace_seen` does.

    The file is renamed first and checked again, so that an edit saved at the last moment is never removed.
    """
    with _opened(settings.seeds, path) as (folder, name):
        hidden = f".content-sync-{secrets.token_hex(8)}.removed"  # hidden files are not seeds
        _still(settings, path, seen)
        os.rename(name, hidden, src_dir_fd=folder, dst_dir_fd=folder)
        aside = "/".join((*path.split("/")[:-1], hidden))
        try:
            _still(settings, aside, seen)
        except BaseException:
            with suppress(
                FileExistsError
            ):  # a newer file has taken the name: ours stays next to it
                os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.unlink(hidden, dir_fd=folder)
            raise
        os.unlink(hidden, dir_fd=folder)
        with suppress(OSError):  # a network share may not support it
            os.fsync(folder)


def _still(settings: Settings, path: str, seen: Content) -> None:
    on_disk = look(settings, path)
    if not isinstance(on_disk, Content) or on_disk.sha256 != seen.sha256:
        raise WriteRefusedError(
            f"{place_of(settings, path)} was changed since it was read; try again"
        )


@contextmanager
def _opened(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """Yield the open folder of a path and the file's name; explain errors of the system."""
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
        ": use an account and a host that may write to the folder"
        if error.errno in _FORBIDDEN
        else ""
    )
    return ConfigurationError(f"cannot write {place}: {reason}; nothing was changed{how}")


def _open_folder(root: Path, folders: list[str]) -> int:
    """Open the folder of a path and create missing folders; a link in the path is an error."""
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
