"""Checks that the seeds folder exists. Called before a watch, a sync and a check of the folder."""

from __future__ import annotations

import os
from pathlib import Path

from worker.errors import ConfigurationError


def require_folder(seeds: Path) -> None:
    """Raise `ConfigurationError` if the seeds folder is missing or cannot be listed."""
    if not seeds.is_dir():
        what = "is not a folder" if seeds.exists() else "does not exist"
        raise ConfigurationError(
            f"the seeds folder {seeds.absolute()} {what}: make it, run `content-sync init`, "
            "or set CONTENT_SYNC_SEEDS"
        )
    if not os.access(seeds, os.R_OK | os.X_OK):
        raise ConfigurationError(
            f"the seeds folder {seeds.absolute()} cannot be read: let this user list it, "
            "or set CONTENT_SYNC_SEEDS"
        )
