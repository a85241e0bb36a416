"""Replaces a file atomically: readers see the old content or the new, never a part.

The new file lies hidden beside the old one, locked by its process, until it takes the old one's name. What a
killed process left there is removed by the next write into the folder. Called by
`worker.library.seeds_folder`, `worker.reviews`, and `validate --fix`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_HIDDEN = re.compile(r"\.content-sync-[0-9a-f]{16}\.tmp")  # hidden files are no seeds
_ACCESS_LIST = "system.posix_acl_access"


def replace_whole(
    folder: int, name: str, data: bytes, *, last_look: Callable[[], object] | None = None
) -> None:
    """Write a file into an open folder, atomically and durably.

    Keeps the group, the mode, the access list and the extended attributes of the file that it replaces, and
    its owner where that is allowed; at no moment is the content open to more people than the old file was.
    `last_look` runs just before the replacement, and may raise to keep the old file. Raises `OSError` when
    writing fails.
    """
    _sweep(folder)
    old = _open_old(folder, name)
    hidden, new = "", -1
    try:
        hidden, new = _create(folder, 0o666 if old is None else 0o600)
        with os.fdopen(new, "wb") as file:
            file.write(data)
            file.flush()
            if old is not None:
                _take_over(old, new)
            os.fsync(new)
            if last_look is not None:
                last_look()
            os.replace(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        if hidden:
            with suppress(OSError):
                os.unlink(hidden, dir_fd=folder)
        raise
    finally:
        if old is not None:
            os.close(old)
    with suppress(OSError):  # some network shares cannot
        os.fsync(folder)


def _open_old(folder: int, name: str) -> int | None:
    """Open the regular file that will be replaced; return None if there is none."""
    try:
        old = os.open(name, _OLD_FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return None
        raise
    if stat.S_ISREG(os.fstat(old).st_mode):
        return old
    os.close(old)
    return None


def _create(folder: int, mode: int) -> tuple[str, int]:
    """Create a hidden file, locked as long as it is open; return its name and its descriptor."""
    while True:
        name = f".content-sync-{secrets.token_hex(8)}.tmp"
        new = os.open(name, _NEW_FILE, mode, dir_fd=folder)
        with suppress(OSError):  # some network shares have no locks, and nothing is swept there
            fcntl.flock(new, fcntl.LOCK_EX)
        if os.fstat(new).st_nlink:
            return name, new
        os.close(new)  # swept before it was locked


def _sweep(folder: int) -> None:
    """Remove the hidden files of processes that were killed: nobody has them locked."""
    for name in filter(_HIDDEN.fullmatch, os.listdir(folder)):
        with suppress(OSError):  # locked, gone, or another user's
            left = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(left)


def _take_over(old: int, new: int) -> None:
    """Give a new file who may do what with the old one, and the old one's attributes.

    Raises `PermissionError` where that would open it to others: an access list names the group that cannot be
    kept.
    """
    was = os.fstat(old)
    mode = stat.S_IMODE(was.st_mode)
    for owner in (was.st_uid, -1):  # the file of another user, in a group of ours
        with suppress(OSError):
            os.fchown(new, owner, was.st_gid)
            break
    now = os.fstat(new)
    attributes = _attributes(old)
    if now.st_uid != was.st_uid:
        mode &= 0o777
    if now.st_gid != was.st_gid:
        if _ACCESS_LIST in attributes:
            raise PermissionError(errno.EPERM, "its group and its access list cannot be kept")
        mode &= 0o707 | (mode & 0o007) << 3  # the other group may do what everybody may
    for name in _attributes(new).keys() - attributes.keys():  # such as the folder's access list
        _set(new, name, None)
    for name, value in attributes.items():
        _set(new, name, value)
    os.fchmod(new, mode)


def _attributes(file: int) -> dict[str, bytes]:
    found = {}
    with suppress(OSError):  # this file system has none
        for name in os.listxattr(file):
            with suppress(OSError):
                found[name] = os.getxattr(file, name)
    return found


def _set(file: int, name: str, value: bytes | None) -> None:
    """Set or remove an attribute; those of the system's own, such as a label of SELinux, if possible."""
    try:
        if value is None:
            os.removexattr(file, name)
        else:
            os.setxattr(file, name, value)
    except OSError:
        if name == _ACCESS_LIST or name.startswith("user."):
            raise
