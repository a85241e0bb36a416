"""Puts a file in the place of another: whole, or not at all. Called by `folder` and `validate --fix`."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_whole(
    folder: int, name: str, data: bytes, *, last_look: Callable[[], object] | None = None
) -> None:
    """Write a file into an open folder at once: who reads it sees the old one or the new one.

    The mode of a file that was there is kept, and its owner where that is allowed. `last_look` is
    called just before, and may raise to leave the old one. Raises `OSError` when it cannot be written.
    """
    before = None
    with suppress(FileNotFoundError):
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    hidden = f".content-sync-{secrets.token_hex(8)}.tmp"  # hidden files are no seeds
    opened = os.open(hidden, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(data)
            file.flush()
            if before is not None:
                with suppress(PermissionError):  # another's file that we may write all the same
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            os.fsync(file.fileno())
        if last_look is not None:
            last_look()
        os.replace(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(hidden, dir_fd=folder)
        raise
    with suppress(OSError):  # a network share may not know how
        os.fsync(folder)
