"""A whole library moved into the folder of a service that runs over Redis, beside git.

Timed from the rename of the folder to the last page's commit, or refusal. Called by the command alone.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from statistics import median
from typing import Any

from git import Git
from installation import Installation, distributed
from options import Options
from real_library import take_library
from support.waiting import wait_until
from timing import say, show, temporary

LONGEST_SECONDS = 600
#: The target, as a ratio to git.
RATIO = 1.0


def measure_drop(options: Options) -> dict[str, Any]:
    """Drop the real library, or a made one of its size, on two worker processes and PostgreSQL."""
    gits, durable_gits, drops = [], [], []
    with temporary() as folder:
        library, real = take_library(folder / "library", options.corpus)
        pages = sum(1 for _ in library.rglob("*.md"))
        for number in range(options.runs):
            say(f"drop: run {number + 1} of {options.runs}")
            gits.append(Git(library, folder).commit().seconds)
            durable_gits.append(Git(library, folder, durable=True).commit().seconds)
            shutil.copytree(library, folder / "copy")
            with distributed() as installation:
                drops.append(_drop(installation, folder / "copy", pages))
    what = f"{pages:,} {'real' if real else 'made'} pages"
    show(
        f"{what} moved in over Redis, two worker processes, PostgreSQL; medians of {options.runs}",
        ["", "seconds", "min–max", "to git", "target"],
        [
            [
                name,
                f"{median(seconds):.2f}",
                f"{min(seconds):.2f}–{max(seconds):.2f}",
                f"{median(seconds) / median(gits):.2f}",
                f"{RATIO}{' over' if median(drops) > RATIO * median(gits) else ''}"
                if seconds is drops
                else "",
            ]
            for name, seconds in (
                ("git add + commit", gits),
                ("the same, as durable as ours", durable_gits),
                ("until all are stored or refused", drops),
            )
        ],
    )
    return {
        "pages": pages,
        "real": real,
        "seconds": drops,
        "git_seconds": gits,
        "durable_git_seconds": durable_gits,
    }


def _drop(installation: Installation, library: Path, pages: int) -> float:
    """Move a library in and return how many seconds it takes until each page has its row."""
    answered = "SELECT count(*) FROM paths WHERE state != 'gone'"
    start = time.perf_counter()
    library.rename(installation.seeds / "library")
    wait_until(
        lambda: installation.ask(answered) == (pages,),
        timeout=LONGEST_SECONDS,
        what=f"{pages} pages",
    )
    return time.perf_counter() - start
