"""What the processes of a deployment hold: memory, threads, file descriptors, inotify watches.

Read from `/proc`, for each part with its children together. Used by the soak.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one part holds; memory is resident, in MiB."""

    memory: float
    threads: int
    descriptors: int
    watches: int


def held_by(pid: int) -> Held:
    """Return what a process and its children hold now."""
    whole = psutil.Process(pid)
    children = [c for c in whole.children(recursive=True) if c.status() != psutil.STATUS_ZOMBIE]
    family = [whole, *children]
    return Held(
        memory=round(sum(one.memory_info().rss for one in family) / MEBIBYTE, 1),
        threads=sum(one.num_threads() for one in family),
        descriptors=sum(one.num_fds() for one in family),
        watches=sum(_watches(one.pid) for one in family),
    )


def _watches(pid: int) -> int:
    return sum(_lines(Path(f"/proc/{pid}/fdinfo").iterdir()))


def _lines(files: Iterable[Path]) -> Iterable[int]:
    for file in files:
        with suppress(OSError):  # closed in the meantime
            text = file.read_text(errors="replace")
            yield sum(line.startswith("inotify ") for line in text.splitlines())
