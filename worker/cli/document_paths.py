"""Which document a person means by a path on the command line, from any folder.

`worker.cli.output` looks documents up by these paths.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.settings.model import Settings


def candidates(path: str, settings: Settings) -> list[str]:
    """Return the paths in the seeds folder that a path can mean, the likeliest first.

    `seeds/a.md` and `a.md` mean the same document. Inside the seeds folder, a path first means the file
    in the working directory, as in other programs.
    """
    own = [path, os.path.normpath(path)]
    here = below_seeds(path, settings)
    of_root = below_seeds(settings.root / path, settings)
    inside = below_seeds(os.curdir, settings) is not None
    ordered = [here, *own, of_root] if inside else [*own, here, of_root]
    return list(dict.fromkeys(one for one in ordered if one is not None))


def below_seeds(path: str | Path, settings: Settings) -> str | None:
    """Return the path of a file or folder in the seeds folder, or None when it is outside."""
    below = os.path.relpath(path or os.curdir, settings.seeds)
    return None if below.split(os.sep, 1)[0] == os.pardir else below
