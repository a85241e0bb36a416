"""Back up or restore a store, and end with SIGKILL before or after a chosen step.

`python mortal_copies.py backup|restore FILE before|after MODULE.NAME`. Run by test_backup.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from worker.run.backup import back_up
from worker.run.restore_store import restore_store
from worker.settings.model import load_settings


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def main(what: str, file: str, when: str, step: str) -> None:
    place, _, name = step.rpartition(".")
    module = shutil if place == "shutil" else import_module(f"worker.{place}")
    whole = getattr(module, name)

    def mortal(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            die()
        whole(*arguments, **named)
        die()

    setattr(module, name, mortal)
    settings = load_settings()
    if what == "backup":
        back_up(settings, Path(file))
    else:
        restore_store(settings, Path(file), replace=True, now=datetime.now(UTC))


if __name__ == "__main__":
    main(*sys.argv[1:])
