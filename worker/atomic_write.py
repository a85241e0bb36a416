"""Replaces a file atomically: readers see the old content or the new, never a part.

Called by `worker.library.seeds_folder`, `worker.reviews`, and `validate --fix`.
"""

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
    """Write a file into an open folder, atomically and durably.

    Keeps the mode of the file that it replaces, and its owner where that is allowed. `last_look` runs just
    before the replacement, and may raise to keep the old file. Raises `OSError` when writing fails.
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
                with suppress(PermissionError):  # the file of another user, which we may write
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
    with suppress(OSError):  # some network shares cannot
        os.fsync(folder)
