"""Writes a mended file in the place of the one that was read: whole, or not at all.

What is mended is decided in `worker.domain.fix`. Called by `validate --fix`.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


class NotWrittenError(OSError):
    """The file stays as it is, and why, in words for people."""


def replace_file(path: str, *, was: bytes, becomes: bytes) -> None:
    """Replace a regular file that still holds `was`; its mode stays, and its owner where allowed.

    Raises `NotWrittenError` where the path is a symbolic link or no regular file, or where somebody
    changed it since it was read; other `OSError`s where it cannot be written.
    """
    target = Path(path)
    found = _look_at(target, was)
    # Hidden, so that neither the watcher nor an editor takes it for a document.
    descriptor, name = tempfile.mkstemp(prefix=".content-sync-", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(becomes)
            file.flush()
            with suppress(PermissionError):  # another's file that we may write all the same
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
            os.fsync(file.fileno())
        _look_at(target, was)  # an editor may have saved it in the meantime
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _look_at(target: Path, was: bytes) -> os.stat_result:
    """Return what the file system says of a regular file that holds `was`."""
    if target.is_symlink():
        raise NotWrittenError("it is a symbolic link; mend the file behind it")
    descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise NotWrittenError("it is no regular file")
        if file.read(len(was) + 1) != was:
            raise NotWrittenError("it was changed since it was read; try again")
    if not os.access(target, os.W_OK):
        raise NotWrittenError("it may not be written")
    return found
