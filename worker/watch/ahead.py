"""A walk in a process of its own, so that a command can start and ask the store meanwhile.

A walk of 100,000 files takes as long as all else that an unchanged sync does, and Python's threads
would take turns. Nothing but what the walk saw comes back; where that fails, the walk is made here.
Called by `sync`.
"""

from __future__ import annotations

import marshal
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

from worker.domain.reconcile import Seen
from worker.settings import Settings
from worker.watch.ignore import SeedNames, seed_names
from worker.watch.scan import Walk, walk


def walk_ahead(settings: Settings) -> Walk:
    """Begin to walk the seeds folder, beside this process where that is safe and a gain.

    Call it before threads are started or connections opened, and take the walk's pages to the end.
    What changes meanwhile is found as in any walk: what it saw is compared later, and never trusted
    where the store says otherwise.
    """
    names = seed_names(settings.seeds.absolute(), settings.watch.suffixes)
    if not _is_gain():
        return walk(names)
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError:  # the system allows no more processes
        os.close(reading)
        os.close(writing)
        return walk(names)
    if child == 0:
        os.close(reading)  # so that it ends where this process ends before it has read
        _walk_and_exit(names, writing)
    os.close(writing)
    begun = Walk(pages=iter(()))
    begun.pages = _pages(names, begun, reading, child)
    return begun


def _is_gain() -> bool:
    """Return whether there is a second processor, and a system and a state in which forking is safe."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    return len(os.sched_getaffinity(0)) > 1


def _walk_and_exit(names: SeedNames, writing: int) -> None:
    """Walk, write what was seen, and end without any of the parent's tidying up."""
    try:
        begun = walk(names)
        pages = list(begun.pages)
        seen = marshal.dumps((pages, begun.unsure, begun.ignored, begun.root_missing))
        with open(writing, "wb") as pipe:
            pipe.write(seen)
    finally:
        os._exit(0)


def _pages(names: SeedNames, begun: Walk, reading: int, child: int) -> Iterator[list[Seen]]:
    with open(reading, "rb") as pipe:
        message = pipe.read()
    with suppress(ChildProcessError):  # who started us may have told us to ignore children
        os.waitpid(child, 0)
    try:
        pages, unsure, ignored, root_missing = marshal.loads(message)  # noqa: S302 - of our own child
    except EOFError:  # it ended before it had told all
        again = walk(names)
        yield from again.pages
        unsure, ignored, root_missing = again.unsure, again.ignored, again.root_missing
    else:
        yield from pages
    begun.unsure += unsure
    begun.ignored |= ignored
    begun.root_missing = root_missing
