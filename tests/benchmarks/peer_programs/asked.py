"""The protocol of a peer's program: for each line on standard input it syncs and prints the time it took.

The start of its process and its imports are not timed. Imported by the programs beside it, each of
which run in separate environments: nothing of the project is available here.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def answer(sync: Callable[[], object]) -> None:
    """Sync once for each line, and print seconds, processor seconds and peak MiB as a line of JSON."""
    _tell({"ready": True})
    for _ in sys.stdin:
        start, worked = time.perf_counter(), time.process_time()
        sync()
        took = {
            "seconds": time.perf_counter() - start,
            "processor_seconds": time.process_time() - worked,
            "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        _tell(took)


def places() -> tuple[Path, Path]:
    """Return the folder to sync and the one for the program's state, as the command line names them."""
    seeds, state = sys.argv[1:]
    return Path(seeds), Path(state)


def _tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
