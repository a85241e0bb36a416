"""`content-sync sync` on two processors, one of whose processes ends early.

`python ending_sync.py NOTES WHERE HOW COMMAND…` runs a command of the service. Each file that is looked at
leaves the process's id in NOTES, a line each. WHERE is `first` or `second`, the process that ends at its
100th file (`examine`) or within its first transaction (`write`), by SIGKILL; or it raises (`error`), or
both are interrupted as by Ctrl-C (`interrupt`). With `fork` they are interrupted while the process forks
to share, with `walk` while it forks to walk, and with `nowhere` both go on to the end.

Neither of two processes reads on before both have drawn files: one that gets no processor for a while would
find none left, and not end early. Run by `test_second_process.py`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from worker.cli import main
from worker.ingest import batch
from worker.ingest.rows import Writes
from worker.watch import sync

FIRST = os.getpid()


def interrupt() -> None:
    os.killpg(os.getpgrp(), signal.SIGINT)


def make_mortal(notes: Path, where: str, how: str) -> None:
    examine, write = batch.examine, Writes.write
    looked_at = 0

    def ends_here() -> bool:
        return where == ("first" if os.getpid() == FIRST else "second")

    def examine_and_note(data, **named):
        nonlocal looked_at
        looked_at += 1
        with notes.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if ends_here() and looked_at == 100:
            if how == "error":
                raise LookupError("nobody thought of that")
            if how == "interrupt":
                interrupt()
            if how == "examine":
                os.kill(os.getpid(), signal.SIGKILL)
        return examine(data, **named)

    def write_or_end(self, connection, store, ledger):
        write(self, connection, store, ledger)
        if ends_here() and how == "write":
            os.kill(os.getpid(), signal.SIGKILL)

    batch.examine, Writes.write = examine_and_note, write_or_end
    if where == "walk":
        os.register_at_fork(after_in_parent=interrupt)
    os.sched_getaffinity = lambda _pid: {0, 1}  # whatever this machine has


def draw_together(drawn: Path, where: str) -> None:
    sharing = sync.sharing

    def together(paths):
        first = next(paths)
        with drawn.open("a") as file:
            file.write("drawn\n")
        while len(drawn.read_text().splitlines()) < 2 and FIRST in {os.getpid(), os.getppid()}:
            time.sleep(0.01)
        yield first
        yield from paths

    @contextmanager
    def sharing_together(files, work):
        drawn.write_text("")
        if where == "fork":
            os.register_at_fork(after_in_parent=interrupt)
        with sharing(files, lambda paths, tell: work(together(paths), tell)) as (paths, second):
            yield together(paths), second

    sync.sharing = sharing_together


if __name__ == "__main__":
    make_mortal(Path(sys.argv[1]), *sys.argv[2:4])
    draw_together(Path(sys.argv[1]).with_name("drawn"), sys.argv[2])
    del sys.argv[1:4]
    main()
