"""Decides which names in the folder are seeds, and why others are not.

A seed has one of the suffixes from the settings, is neither hidden nor an editor's temporary file, is not
in a bin of a drive, and is not excluded by `.seedignore` at the root (gitignore syntax). A name that
cannot be stored, shown or sent safely is ignored, and the reason is logged once. This module looks at
names (and reads `.seedignore`); `read` and `scan` look at the files.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from worker.domain.folder.snapshot import Stamp
from worker.domain.seeds.names import MOST_PATH_BYTES, is_bin, is_temporary, is_too_long
from worker.watch.read import Content, read_file, stamp_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from worker.settings.model import WatchSettings

logger = logging.getLogger("content_sync.watch")

IGNORE_FILE = ".seedignore"
_MAX_IGNORE_BYTES = 256 * 1024
_MOST_LOGGED = 10_000

_HIDDEN = "it is hidden"
_TEMPORARY = "it is hidden, or a temporary file of a program"
_EXCLUDED = f"{IGNORE_FILE} excludes it"
_BIN = "a drive or a program keeps deleted files, snapshots or metadata in it"

# Control characters, surrogates (bytes that are not UTF-8), and line and paragraph separators.
_UNSAFE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}


class SeedNames:
    """The names that are seeds below one root. Reads `.seedignore` only in `load`."""

    def __init__(self, root: str, watch: WatchSettings) -> None:
        self.root = root
        self._folders = frozenset(folder.casefold() for folder in watch.ignore_folders)
        self._suffixes = tuple(suffix.lower() for suffix in watch.suffixes)
        # Matches most seeds' names at once, without the checks of `is_seed`.
        endings = (
            "|".join(re.escape(s) for s in self._suffixes if self.is_candidate(f"x{s}")) or "(?!)"
        )
        self.is_plain = re.compile(rf"[0-9A-Za-z_][ -~]*(?:{endings})").fullmatch
        self._spec: GitIgnoreSpec | None = None
        self._stamp: Stamp | None = None

    def is_seed(self, path: str) -> bool:
        """Return whether a path relative to the root names a seed; its folders are checked too."""
        return self.reason(path) is None

    def reason(self, path: str) -> str | None:
        """Return why a path names no seed, or None for a seed's; its folders are checked too."""
        folder, _, name = path.rpartition("/")
        if not self.is_candidate(name):
            return _TEMPORARY if is_temporary(name) else self._other_suffix()
        return (
            unsafe_path(path)
            or self.folder_reason(folder)
            or (_EXCLUDED if self.is_excluded(path) else None)
        )

    def is_candidate(self, name: str) -> bool:
        """Return whether a file's name, without its folder, looks like a seed's."""
        return (
            name.endswith(self._suffixes) or name.lower().endswith(self._suffixes)
        ) and not is_temporary(name)

    def resembles(self, name: str) -> bool:
        """Return whether a file's name is a seed's, or a temporary one with a suffix, as `a.md.tmp`."""
        lower = name.lower()
        return self.is_candidate(name) or (
            is_temporary(name) and any(suffix in lower for suffix in self._suffixes)
        )

    def enters(self, folder: str) -> bool:
        """Return whether a folder, in folders that are entered, is searched for seeds."""
        return self.own_reason(folder) is None

    def folder_reason(self, folder: str) -> str | None:
        """Return why a folder or one above it is not searched for seeds, or None if it is."""
        for end in (*(place for place, sign in enumerate(folder) if sign == "/"), len(folder)):
            if end and (reason := self.own_reason(folder[:end])) is not None:
                return f"its folder {folder[:end]} is ignored: {reason}"
        return None

    def own_reason(self, folder: str) -> str | None:
        """Return why a folder, in folders that are entered, is not searched, or None if it is."""
        name = folder.rpartition("/")[2]
        if name.startswith("."):
            return _HIDDEN
        if is_bin(name):
            return _BIN
        if name.casefold() in self._folders:
            return "watch.ignore_folders names it"
        return unsafe_path(folder) or (_EXCLUDED if self.is_excluded(f"{folder}/") else None)

    def _other_suffix(self) -> str:
        *first, last = self._suffixes
        ends = f"{', '.join(first)} or {last}" if first else last
        return f"its name does not end in {ends} (watch.suffixes)"

    def is_excluded(self, path: str) -> bool:
        """Return whether `.seedignore` excludes a path; a folder's path ends with a slash."""
        return self._spec is not None and self._spec.match_file(path)

    @property
    def has_patterns(self) -> bool:
        """Return whether `.seedignore` has a pattern."""
        return self._spec is not None

    def is_current(self) -> bool:
        """Return whether `.seedignore` is still the file that was loaded."""
        try:
            found = stamp_of(self.root, IGNORE_FILE)
        except OSError:
            return True
        return (found if isinstance(found, Stamp) else None) == self._stamp

    def load(self) -> None:
        """Read `.seedignore`. If that fails, log a warning and keep the current patterns."""
        found = read_file(self.root, IGNORE_FILE, max_bytes=_MAX_IGNORE_BYTES, forced=True)
        if not isinstance(found, Content):
            self._stamp = None
            if ignore_file_may_exist(self.root):
                logger.warning("%s cannot be read; its last patterns stay in force", IGNORE_FILE)
            else:
                self._spec = None
            return
        self._stamp = found.stamp
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 8 ms, and few folders need it

        try:
            lines = found.data.decode("utf-8-sig").splitlines()
            spec = GitIgnoreSpec.from_lines(lines)
        except ValueError as error:
            logger.warning(
                "%s is not usable: %s; its last patterns stay in force", IGNORE_FILE, error
            )
            return
        self._spec = spec if any(pattern.include is not None for pattern in spec.patterns) else None


def ignore_file_may_exist(root: str) -> bool:
    """Return whether a `.seedignore` of any kind exists; True if that cannot be determined."""
    try:
        return stamp_of(root, IGNORE_FILE) is not None
    except OSError:
        return True


def unsafe_path(path: str) -> str | None:
    """Return why a seed cannot have this path below folders that are safe, or None if it can."""
    if is_too_long(path):
        return f"its path has more than {MOST_PATH_BYTES:,} bytes"
    return unsafe_name(path.rpartition("/")[2])


def unsafe_name(name: str) -> str | None:
    """Return why a seed cannot have this name, or None if it can."""
    if name.isascii() and name.isprintable():
        return None
    if not any(unicodedata.category(character) in _UNSAFE_CATEGORIES for character in name):
        return None
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return "its name contains a control character or a line break"


def shown(path: str) -> str:
    """Return a path with unsafe characters escaped, for a log line."""
    return "".join(
        character if unsafe_name(character) is None else ascii(character)[1:-1]
        for character in path
    )


class IgnoreLog:
    """Logs why files are ignored, each reason once."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, path: str, reason: str) -> None:
        """Log why a file is ignored, unless the last line about it gave the same reason."""
        if self._reasons.get(path) == reason:
            return
        if len(self._reasons) >= _MOST_LOGGED:
            self._reasons.clear()
        self._reasons[path] = reason
        logger.info("ignored %s: %s", shown(path), reason, extra={"path": shown(path)})

    def forget(self, path: str) -> None:
        """Forget a file that is not ignored any more, so that a later reason is logged again."""
        self._reasons.pop(path, None)


def seed_names(root: Path | str, watch: WatchSettings) -> SeedNames:
    """Return the names that are seeds below a root, with its `.seedignore` loaded."""
    names = SeedNames(str(root), watch)
    names.load()
    return names
