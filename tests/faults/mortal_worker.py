"""A worker that a file ends: its process kills itself with SIGKILL whenever it looks at such a file.

`python mortal_worker.py NOTES WHO COMMAND…` runs a command of the service. WHO is `child`, or `all` for
the whole worker, as when a container runs out of memory; or `error`, which raises instead. Each death
leaves a line in NOTES. Run by `test_poison.py`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from worker.cli import main
from worker.ingest import batch

WORD = b"the word that kills"


def make_mortal(notes: Path, who: str) -> None:
    whole = batch.examine

    def examine(data, **named):
        if WORD in data:
            with notes.open("a") as file:
                file.write(f"{who}\n")
            match who:
                case "child":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "all":
                    os.killpg(os.getpgrp(), signal.SIGKILL)
                case _:
                    raise LookupError("nobody thought of that")
        return whole(data, **named)

    batch.examine = examine


if __name__ == "__main__":
    make_mortal(Path(sys.argv[1]), sys.argv[2])
    del sys.argv[1:3]
    main()
