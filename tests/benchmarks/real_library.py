"""The library to measure on: a copy of the real one, or a made one of its size.

Called by the benchmarks alone.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from pathlib import Path

from made import make_library
from timing import say

REAL_PAGES = 1_432
#: What was written within two seconds is hashed again by the next scan, as git does.
AGE_SECONDS = 3600


def take_library(folder: Path, corpus: Path | None) -> tuple[Path, bool]:
    """Fill a new folder, all of it an hour old; returns it, and whether it is the real library."""
    if corpus is None:
        say("no real library (CONTENT_SYNC_CORPUS): a made one of its size")
        return make_library(folder, REAL_PAGES), False
    if corpus.is_dir():
        shutil.copytree(corpus, folder)
    else:
        with tarfile.open(corpus) as archive:
            archive.extractall(folder, filter="data")
    then = time.time() - AGE_SECONDS
    for path in folder.rglob("*.md"):
        os.utime(path, (then, then))
    return folder, True
