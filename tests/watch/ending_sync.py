"""`content-sync sync` on two processors, one of whose processes ends early.

`python ending_sync.py NOTES WHERE HOW COMMAND…` runs a command of the service. Each file that is looked at
leaves the process's id in NOTES, a line each. WHERE is `first` or `second`, the process that ends at its
100th file (`examine`) or within its first transaction (`write`), by SIGKILL; or it raises (`error`), or
both are interrupted as by Ctrl-C (`interrupt`). With `nowhere` both go on to the end. Run by
`test_share.py`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from worker import ingest
from worker.cli import main
from worker.writes import Writes

FIRST = os.getpid()


def make_mortal(notes: Path, where: str, how: str) -> None:
    examine, write = ingest.examine, Writes.write
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
                os.killpg(os.getpgrp(), signal.SIGINT)
            if how == "examine":
                os.kill(os.getpid(), signal.SIGKILL)
        return examine(data, **named)

    def write_or_end(self, connection, store):
        write(self, connection, store)
        if ends_here() and how == "write":
            os.kill(os.getpid(), signal.SIGKILL)

    ingest.examine, Writes.write = examine_and_note, write_or_end
    os.sched_getaffinity = lambda _pid: {0, 1}  # whatever this machine has


if __name__ == "__main__":
    make_mortal(Path(sys.argv[1]), *sys.argv[2:4])
    del sys.argv[1:4]
    main()
