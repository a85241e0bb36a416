"""Writes a fixed file in the place of the one that was read: whole, or not at all.

What is fixed is decided in `worker.domain.rules.fix`. Called by `validate --fix`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from worker.atomic_write import replace_whole


class NotWrittenError(OSError):
    """The file stays as it is, and why, in words for people."""


def replace_file(path: str, *, was: bytes, becomes: bytes) -> None:
    """Replace a regular file that still holds `was`; its mode stays, and its owner where allowed.

    Raises `NotWrittenError` where the path is a symbolic link or no regular file, or where somebody
    changed it since it was read; other `OSError`s where it cannot be written.
    """
    target = Path(path)
    _look_at(target, was)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # An editor may save it in the meantime.
        replace_whole(folder, target.name, becomes, last_look=lambda: _look_at(target, was))
    finally:
        os.close(folder)


def _look_at(target: Path, was: bytes) -> None:
    """Raise `NotWrittenError` unless there is a regular file that holds `was` and may be written."""
    if target.is_symlink():
        raise NotWrittenError("it is a symbolic link; fix the file behind it")
    descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotWrittenError("it is no regular file")
        if file.read(len(was) + 1) != was:
            raise NotWrittenError("it was changed since it was read; try again")
    if not os.access(target, os.W_OK):
        raise NotWrittenError("it may not be written")
