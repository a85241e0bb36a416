"""The options of the command: sizes, runs, the real library. Made once and passed to each benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SIZES = (1_432, 20_000, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How large and how often; `corpus` is a folder or an archive of the real library.

    `sizes` are the made libraries to compare with git on, `pages` is the one large library of the
    others; `seconds` is how long an idle service is looked at.
    """

    runs: int = 5
    edits: int = 200
    sizes: tuple[int, ...] = SIZES
    pages: int = 100_000
    seconds: int = 60
    corpus: Path | None = None
    floors: bool = True
    peers: bool = False
