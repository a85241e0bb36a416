"""Which names in the folder are seeds, and why others are not.

A seed has one of the suffixes of the settings, is neither hidden nor an editor's temporary file, and
is not named by `.seedignore` at the root (gitignore syntax). A name that could not be kept, shown or
sent safely is ignored with a reason, which is said once. This looks at names alone, `.seedignore`
excepted; `read` and `scan` look at what lies behind them.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from worker.domain.folder.snapshot import Stamp
from worker.watch.read import Content, read_file, stamp_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

logger = logging.getLogger("content_sync.watch")

IGNORE_FILE = ".seedignore"
_MAX_IGNORE_BYTES = 256 * 1024
_MOST_TOLD = 10_000

# Dotfiles are hidden: rsync's, VS Code's and Obsidian's `.x.md.AbCdEf`, `.#x`, `.~lock.x` among them.
_TEMPORARY_PREFIXES = (".", "~$", "#", "~syncthing~")
_TEMPORARY_SUFFIXES = ("~", "#", ".swp", ".swx", ".tmp", ".temp", ".part", ".crdownload", ".bak")
_PROBE = "4913"  # vim makes and deletes it to learn whether it may write

# Control characters, surrogates (bytes that are not UTF-8), and line and paragraph separators.
_UNSAFE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}


class SeedNames:
    """The names that are seeds below one root. Reads `.seedignore` when told to, not by itself."""

    def __init__(self, root: str, suffixes: Sequence[str]) -> None:
        self.root = root
        self._suffixes = tuple(suffix.lower() for suffix in suffixes)
        # What most names are: a seed's at the first glance.
        endings = (
            "|".join(re.escape(s) for s in self._suffixes if self.is_candidate(f"x{s}")) or "(?!)"
        )
        self.is_plain = re.compile(rf"[0-9A-Za-z_][ -~]*(?:{endings})").fullmatch
        self._spec: GitIgnoreSpec | None = None
        self._stamp: Stamp | None = None

    def is_seed(self, path: str) -> bool:
        """Return whether a path relative to the root is that of a seed, its folders included."""
        folder, _, name = path.rpartition("/")
        return (
            self.is_candidate(name)
            and unsafe_name(name) is None
            and self.enters(folder, whole=True)
            and not self.is_excluded(path)
        )

    def is_candidate(self, name: str) -> bool:
        """Return whether a file's name, without its folder, is meant to be a seed's."""
        return (
            (name.endswith(self._suffixes) or name.lower().endswith(self._suffixes))
            and not name.startswith(_TEMPORARY_PREFIXES)
            and not name.endswith(_TEMPORARY_SUFFIXES)
            and name != _PROBE
        )

    def enters(self, folder: str, *, whole: bool = False) -> bool:
        """Return whether seeds are looked for in a folder; `whole` looks at the folders above too."""
        if not folder:
            return True
        above, _, name = folder.rpartition("/")
        return (
            not name.startswith(".")
            and unsafe_name(name) is None
            and not self.is_excluded(f"{folder}/")
            and (not whole or self.enters(above, whole=True))
        )

    def is_excluded(self, path: str) -> bool:
        """Return whether `.seedignore` names a path; a folder's path ends with a slash."""
        return self._spec is not None and self._spec.match_file(path)

    @property
    def has_patterns(self) -> bool:
        """Return whether `.seedignore` names anything."""
        return self._spec is not None

    def is_current(self) -> bool:
        """Return whether `.seedignore` is still the file that was loaded."""
        try:
            found = stamp_of(self.root, IGNORE_FILE)
        except OSError:
            return True
        return (found if isinstance(found, Stamp) else None) == self._stamp

    def load(self) -> None:
        """Read `.seedignore`. One that cannot be used is told of, and the patterns stay as they are."""
        found = read_file(self.root, IGNORE_FILE, max_bytes=_MAX_IGNORE_BYTES, forced=True)
        if not isinstance(found, Content):
            self._stamp = None
            if stamp_is_there(self.root):
                logger.warning("%s cannot be read; what it said before still holds", IGNORE_FILE)
            else:
                self._spec = None
            return
        self._stamp = found.stamp
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 8 ms that most folders do not need

        try:
            lines = found.data.decode("utf-8-sig").splitlines()
            spec = GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            logger.warning(
                "%s is not usable: %s; what it said before still holds", IGNORE_FILE, error
            )
            return
        self._spec = spec if any(pattern.include is not None for pattern in spec.patterns) else None


def stamp_is_there(root: str) -> bool:
    """Return whether there is a `.seedignore` of any kind, or none can be told."""
    try:
        return stamp_of(root, IGNORE_FILE) is not None
    except OSError:
        return True


def unsafe_name(name: str) -> str | None:
    """Return why a name cannot be a seed's, or None."""
    if name.isascii() and name.isprintable():
        return None
    if not any(unicodedata.category(character) in _UNSAFE_CATEGORIES for character in name):
        return None
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return "its name holds a control character or a line break"


def shown(path: str) -> str:
    """Return a path that may stand in a log line: unsafe characters escaped."""
    return "".join(
        character if unsafe_name(character) is None else ascii(character)[1:-1]
        for character in path
    )


class Told:
    """What was said of ignored files, so that each is told once."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def tell(self, path: str, reason: str) -> None:
        """Log why a file is ignored, unless that was said already."""
        if self._told.get(path) == reason:
            return
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told[path] = reason
        logger.info("ignored %s: %s", shown(path), reason, extra={"path": shown(path)})

    def forget(self, path: str) -> None:
        """Say it again when it happens again: the file was fixed in between."""
        self._told.pop(path, None)


def seed_names(root: Path | str, suffixes: Sequence[str]) -> SeedNames:
    """Return the names that are seeds below a root, with its `.seedignore` loaded."""
    names = SeedNames(str(root), suffixes)
    names.load()
    return names
