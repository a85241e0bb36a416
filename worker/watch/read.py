"""Read one file below the root, once and whole, or say why not.

No symbolic link is followed, not even in place of a folder, so that nothing outside the root is ever
read; only regular files are opened. On Linux a file lease keeps writers out for the while, and cannot
be had while there is one; the stamps before and after must be equal. Decides nothing about content.
Called by `feed`, `ignore` and the watcher's loop.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
import sys
from dataclasses import dataclass

from worker.domain.folder.snapshot import Stamp
from worker.domain.seeds import codes

#: SQL integers are signed; some file systems number inodes beyond.
INODE_MASK = (1 << 63) - 1
#: How old a modification must be where neither a close nor a lease tells that its writer is done.
UNLEASED_STILL_SECONDS = 1.0

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_ELSEWHERE = frozenset({"", ".", ".."})
_UNSTABLE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN, errno.ESTALE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The whole file, as it was between two equal stamps."""

    data: bytes
    stamp: Stamp
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """There is a file, and its bytes cannot be taken: `code` is that of the problem."""

    stamp: Stamp
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody writes the file, or it changed while it was read: look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """There is no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAFile:
    """There is something, and it is no regular file."""

    reason: str


def stamp_of(root: str, path: str) -> Stamp | NotAFile | None:
    """Return a file's stamp, None where there is none; raise `OSError` where none can be told."""
    try:
        folder, name = _open_folder(root, path)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    return (
        make_stamp(found) if stat.S_ISREG(found.st_mode) else NotAFile(reason=_kind(found.st_mode))
    )


def read_file(
    root: str,
    path: str,
    *,
    max_bytes: int,
    closed: bool = False,
    forced: bool = False,
    now_seconds: float = 0.0,
) -> Content | Unread | Busy | Absent | NotAFile:
    """Read a file below the root.

    `closed` says that its writer was seen to close it; where the kernel does not tell either, a
    modification shortly before `now_seconds` (since the epoch) counts as busy. With `forced`, the
    file is read though somebody holds it open.
    """
    try:
        folder, name = _open_folder(root, path)
        try:
            # Opening a FIFO or a device can block or do harm, so look first.
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                return NotAFile(reason=_kind(found.st_mode))
            try:
                opened = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                if error.errno in _ABSENT | _UNSTABLE:
                    raise
                return _refused(found, error)
        finally:
            os.close(folder)
    except OSError as error:
        # Where not even a stamp can be had, nothing can be said of the file; a scan looks again.
        return Absent() if error.errno in _ABSENT else Busy()
    try:
        taken = _read_open(opened, max_bytes, closed=closed, forced=forced, now_seconds=now_seconds)
    finally:
        os.close(opened)  # and with it the lease
    if not isinstance(taken, tuple):
        return taken
    data, stamp = taken
    return Content(data=data, stamp=stamp, sha256=hashlib.sha256(data).hexdigest())


def make_stamp(found: os.stat_result) -> Stamp:
    """Return what the file system says of a file."""
    return Stamp(size=found.st_size, mtime_ns=found.st_mtime_ns, inode=found.st_ino & INODE_MASK)


def take_lease(opened: int) -> bool | None:
    """Keep writers out until the file is closed; return whether that could be had, None if never.

    It cannot while somebody has the file open for writing, or has mapped it so. Who opens it then
    waits for us, some microseconds. Only the owner (or CAP_LEASE) gets a lease, and not on every
    file system.
    """
    if sys.platform != "linux":
        return None
    try:
        # The kernel signals the holder of a lease when a writer comes. The default, SIGIO, would end
        # this process; SIGURG is ignored.
        fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read_open(
    opened: int, max_bytes: int, *, closed: bool, forced: bool, now_seconds: float
) -> tuple[bytes, Stamp] | Unread | Busy | NotAFile:
    # Stamps alone do not tell: between two equal ones a file can be filled and emptied again.
    leased = take_lease(opened)
    before = os.fstat(opened)
    if not stat.S_ISREG(before.st_mode):
        return NotAFile(reason=_kind(before.st_mode))
    stamp = make_stamp(before)
    if stamp.size > max_bytes:
        return Unread(
            stamp=stamp,
            code=codes.TOO_LARGE,
            detail=f"{stamp.size:,} bytes; the limit is {max_bytes:,}",
        )
    unproven = leased is None and not closed and _is_fresh(before, now_seconds)
    if not forced and (leased is False or unproven):
        return Busy()
    try:
        data = _read_all(opened, stamp.size)
    except OSError as error:
        return Busy() if error.errno in _UNSTABLE else _refused(before, error)
    if len(data) != stamp.size or make_stamp(os.fstat(opened)) != stamp:
        return Busy()  # even where it is forced: the file may never have had these bytes
    return data, stamp


def _is_fresh(found: os.stat_result, now_seconds: float) -> bool:
    # A modification in the future is not fresh, but made by another clock.
    return 0 <= now_seconds - found.st_mtime < UNLEASED_STILL_SECONDS


def _read_all(opened: int, size: int) -> bytes:
    """Read as many bytes as there should be, and one more of a file that has grown."""
    data = os.read(opened, size + 1)
    while len(data) < size and (part := os.read(opened, size + 1 - len(data))):
        data += part
    return data


def _open_folder(root: str, path: str) -> tuple[int, str]:
    """Open the folder of a path, following no link below the root; return it and the file's name.

    A path with a part that leads elsewhere is none: only a forged message or store can hold one.
    """
    *folders, name = parts = path.split("/")
    if not _ELSEWHERE.isdisjoint(parts):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    current = os.open(root, _FOLDER)
    for folder in folders:
        try:
            inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
        finally:
            os.close(current)
        current = inner
    return current, name


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    if stat.S_ISDIR(mode):
        return "it is a folder"
    return "it is no regular file"


def _refused(found: os.stat_result, error: OSError) -> Unread:
    code = codes.NO_PERMISSION if error.errno in _FORBIDDEN else codes.UNREADABLE
    return Unread(stamp=make_stamp(found), code=code, detail=error.strerror or str(error))
