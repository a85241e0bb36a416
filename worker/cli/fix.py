"""Replaces a file by its fixed content, completely or not at all.

`worker.domain.rules.fix` decides what to fix. Called by `validate --fix`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from worker.atomic_write import replace_whole


class NotWrittenError(OSError):
    """The reason why a file was not replaced, in words for people."""


def replace_file(path: str, *, was: bytes, becomes: bytes) -> None:
    """Replace a regular file whose content is still `was`; keep its mode and, if possible, its owner.

    Raises `NotWrittenError` when the path is a symbolic link, not a regular file, or was changed since it
    was read. Raises other kinds of `OSError` when it cannot be written.
    """
    target = Path(path)
    _look_at(target, was)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # The last look finds what an editor saved while the new file was written.
        replace_whole(folder, target.name, becomes, last_look=lambda: _look_at(target, was))
    finally:
        os.close(folder)


def _look_at(target: Path, was: bytes) -> None:
    """Raise `NotWrittenError` unless a regular, writable file holds `was`."""
    if target.is_symlink():
        raise NotWrittenError("it is a symbolic link; fix the file behind it")
    descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotWrittenError("it is not a regular file")
        if file.read(len(was) + 1) != was:
            raise NotWrittenError("it was changed since it was read; try again")
    if not os.access(target, os.W_OK):
        raise NotWrittenError("it is read-only")
