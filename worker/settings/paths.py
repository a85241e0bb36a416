"""Where the relative paths of a settings file begin: at the project's root.

The root is the folder of the settings file, or the one above when that folder is named `config`. The
defaults begin there too. Paths in environment variables and flags begin at the working directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.settings.sources import DEFAULT_CONFIG, working_directory

#: The settings that are paths, with their table.
_PATHS = {
    ("seeds",),
    ("schema_file",),
    ("templates",),
    ("review", "reviewers_file"),
    ("calendar", "file"),
}
#: An SQLite URL that names a file by a relative path.
_RELATIVE_SQLITE = re.compile(r"^(?P<start>sqlite(\+\w+)?:///)(?P<path>(?!:memory:|file:)[^/?].*)")


def root_of(config: Path | None) -> Path:
    """Return the project's root; it is relative when it is the working directory."""
    if config is None:
        return Path()
    folder = Path(os.path.normpath(config.absolute())).parent
    root = folder.parent if folder.name == DEFAULT_CONFIG.parent.name else folder
    return Path() if root == working_directory() else root


def from_root(values: Mapping[str, Any], root: Path, *, at: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of a settings file with the root in front of its relative paths."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        place = (*at, name)
        if isinstance(value, Mapping):
            result[name] = from_root(value, root, at=place)
        elif isinstance(value, str) and place in _PATHS:
            result[name] = str(root / value)
        elif isinstance(value, str) and place == ("store_url",):
            result[name] = _RELATIVE_SQLITE.sub(
                lambda match: f"{match['start']}{root / match['path']}", value
            )
        else:
            result[name] = value
    return result
