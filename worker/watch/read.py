"""Reads one file below the root, once and whole, or returns why that failed.

Follows no symbolic link, not even in place of a folder, so nothing outside the root is ever read. Opens
regular files only. On Linux a file lease keeps writers out during the read; the kernel grants none while
a writer has the file open. The stamps before and after must be equal. Decides nothing about content.
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

#: SQL integers are signed; some file systems have inode numbers and times beyond their range: the largest
#: time in nanoseconds is in the year 2262.
LARGEST = (1 << 63) - 1
INODE_MASK = LARGEST
#: How old a modification must be if neither a close nor a lease shows that its writer has finished.
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
    """The file exists, but cannot be read; `code` is the problem's code."""

    stamp: Stamp
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A process writes the file, or it changed during the read: look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The file does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAFile:
    """The path exists, but is not a regular file."""

    reason: str


def stamp_of(root: str, path: str) -> Stamp | NotAFile | None:
    """Return a file's stamp, None if it does not exist; raise `OSError` if it cannot be determined."""
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
        make_stamp(found)
        if stat.S_ISREG(found.st_mode)
        else NotAFile(reason=kind_of(found.st_mode))
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

    `closed`: an event showed that its writer closed it. Without that and without a lease, a file modified
    shortly before `now_seconds` (since the epoch) counts as busy. `forced`: read the file even if a
    process has it open for writing.
    """
    try:
        folder, name = _open_folder(root, path)
        try:
            # Opening a FIFO or a device can block or have side effects, so look first.
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                return NotAFile(reason=kind_of(found.st_mode))
            try:
                opened = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                if error.errno in _ABSENT | _UNSTABLE:
                    raise
                return _unread(found, error)
        finally:
            os.close(folder)
    except OSError as error:
        # Without a stamp the file's state is unknown; a scan looks again.
        return Absent() if error.errno in _ABSENT else Busy()
    try:
        taken = _read_open(opened, max_bytes, closed=closed, forced=forced, now_seconds=now_seconds)
    finally:
        os.close(opened)  # this ends the lease, too
    if not isinstance(taken, tuple):
        return taken
    data, stamp = taken
    return Content(data=data, stamp=stamp, sha256=hashlib.sha256(data).hexdigest())


def make_stamp(found: os.stat_result) -> Stamp:
    """Return a stamp from a file's `stat`."""
    return Stamp(
        size=found.st_size,
        mtime_ns=bounded_ns(found.st_mtime_ns),
        inode=found.st_ino & INODE_MASK,
        ctime_ns=known_ctime(found.st_ctime_ns),
    )


def bounded_ns(time_ns: int) -> int:
    """Return a time in nanoseconds since the epoch, or the nearest one that the store can hold."""
    return max(-LARGEST, min(time_ns, LARGEST))


def known_ctime(ctime_ns: int) -> int:
    """Return a ctime that the store can hold, and that is not 0, which stands for an unknown one."""
    return bounded_ns(ctime_ns) or 1


def take_lease(opened: int) -> bool | None:
    """Keep writers out until the file is closed; return whether that worked, None if leases are unavailable.

    It fails while a process has the file open, or mapped, for writing. A process that opens it for
    writing later waits for us, some microseconds. Only the owner (or CAP_LEASE) gets a lease, and not
    on every file system.
    """
    if sys.platform != "linux":
        return None
    try:
        # The kernel signals the holder of a lease when a writer opens the file. The default signal,
        # SIGIO, would end this process; SIGURG is ignored.
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
    # Stamps alone do not suffice: between two equal ones a file can be filled and emptied again.
    leased = take_lease(opened)
    before = os.fstat(opened)
    if not stat.S_ISREG(before.st_mode):
        return NotAFile(reason=kind_of(before.st_mode))
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
        return Busy() if error.errno in _UNSTABLE else _unread(before, error)
    if len(data) != stamp.size or make_stamp(os.fstat(opened)) != stamp:
        return Busy()  # even if forced: the file may never have had these bytes
    return data, stamp


def _is_fresh(found: os.stat_result, now_seconds: float) -> bool:
    # A modification in the future is not fresh; another clock wrote it.
    return 0 <= now_seconds - found.st_mtime < UNLEASED_STILL_SECONDS


def _read_all(opened: int, size: int) -> bytes:
    """Read the expected number of bytes, and one more if the file has grown."""
    data = os.read(opened, size + 1)
    while len(data) < size and (part := os.read(opened, size + 1 - len(data))):
        data += part
    return data


def _open_folder(root: str, path: str) -> tuple[int, str]:
    """Open the folder of a path, following no link below the root; return it and the file's name.

    A path with an empty part, `.` or `..` is invalid: only a forged message or store can contain one.
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


def kind_of(mode: int) -> str:
    """Return what something is that is not a regular file, as a reason."""
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    if stat.S_ISDIR(mode):
        return "it is a folder"
    return "it is not a regular file"


def _unread(found: os.stat_result, error: OSError) -> Unread:
    code = codes.NO_PERMISSION if error.errno in _FORBIDDEN else codes.UNREADABLE
    return Unread(stamp=make_stamp(found), code=code, detail=error.strerror or str(error))
