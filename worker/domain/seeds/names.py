"""What the path of a file says about it, before anybody reads it. Pure functions over the path.

Called by the watch, which ignores what cannot be a page, and by the rules, which refuse copies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: An index row of PostgreSQL holds at most 2,704 bytes, and the key of a notice holds more than the path.
MOST_PATH_BYTES: Final = 1024
_MOST_BYTES_IN_CHARACTER: Final = 4

# Dotfiles are hidden, among them `.x.md.AbCdEf` (rsync, VS Code, Obsidian), `.#x` and `.~lock.x`.
_TEMPORARY_PREFIXES: Final = (".", "~$", "#", "~syncthing~")
_TEMPORARY_SUFFIXES: Final = (
    *("~", "#", ".swp", ".swx"),
    *(".tmp", ".temp", ".part", ".crdownload", ".bak"),
)
_PROBE: Final = "4913"  # vim creates and deletes it to test whether it may write

#: Folders in which network drives, file systems and archives keep deleted files, old states and metadata.
#: Those whose names begin with a dot (`.Trash-1000`, `.snapshot`, `.stversions`) are hidden anyway.
_BINS: Final = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@sharebin",
        "@snapshot",
        "@tmp",
        "__macosx",
        "lost+found",
        "network trash folder",
        "recycle bin",
        "recycled",
        "recycler",
        "system volume information",
        "temporary items",
        "trashbox",
        "~snapshot",
    }
)
#: Samba's snapshots, what `chkdsk` finds, the bins of Thecus drives, and a trash of one user.
_BIN: Final = re.compile(r"@gmt-[0-9.-]+|found\.[0-9]{3}|_nas_recycle_.*|trash-[0-9]+")

_SYNC = "a conflict copy of a program that synchronises folders: two people saved the page at once"
_MERGE = "a file that a merge tool leaves behind"
_BACKUP = "a backup that a program made before it changed the page"
_CONFLICTS = (
    "conflicted|sfconflict|conflict copy|case clash"
    "|(?:case|encoding|selective sync|white ?space) conflict"
)
_COPY = "a copy that a file manager or a browser made"

#: Each kind of copy with the form of its name, without the suffix. `name` is the name of the original.
_COPIES: Final = tuple(
    (kind, re.compile(rf"(?P<name>.*?){form}", flags))
    for kind, form, flags in (
        # Syncthing; rclone bisync and Resilio Sync; ownCloud; Synology Drive
        (_SYNC, r"\.sync-conflict-.*", re.IGNORECASE),
        (_SYNC, r"\.conflict[0-9]*", re.IGNORECASE),
        (_SYNC, r"_conflict-[0-9]{8}-[0-9]{6}", re.IGNORECASE),
        (_SYNC, r"_[^_]+_[a-z]{3}-[0-9]{2}-[0-9]{6}-[0-9]{4}_conflict", re.IGNORECASE),
        # Dropbox, Nextcloud, Box, Obsidian, iCloud; Dropbox; Nextcloud; Seafile; pCloud
        (_SYNC, rf"\s*[(\[](?:[^()\[\]]*\s)?(?:{_CONFLICTS})\b[^()\[\]]*[)\]]", re.IGNORECASE),
        # OneDrive appends the name of the computer.
        (_SYNC, r"-(?:DESKTOP|LAPTOP)-[0-9A-Z]{3,8}(?:-[0-9]+)?", 0),
        # git mergetool
        (_MERGE, r"(?:\.\w+)?[_.](?:BACKUP|BASE|LOCAL|REMOTE)(?:[_.][0-9]*)", 0),
        (_BACKUP, r"\.(?:orig|bak|rej)", re.IGNORECASE),
        # Windows in several languages; macOS; GNOME, KDE and Xfce
        (
            _COPY,
            r"\s[-–]\s(?:copy|copia|copie|cópia|kopi|kopia|kopie|kopya)(?:\s?\([0-9]+\))?",
            re.IGNORECASE,
        ),
        (_COPY, r" copy(?: [0-9]+)?", 0),
        (_COPY, r" \((?:another |[0-9]+(?:st|nd|rd|th) )?copy(?: [0-9]+)?\)", 0),
    )
)
#: A browser's second download. Nobody copies a folder under such a name, but people number parts.
_NUMBERED: Final = re.compile(r"(?P<name>.*\S) \([1-9][0-9]?\)")
_COPY_OF: Final = re.compile(r"Copy (?:\([0-9]+\) )?of (?P<name>.+)")
#: One of these is in the path of every copy, in lower case, and in few others.
_MAYBE_COPY: Final = re.compile(
    r"[)\]]|cop[yi]|cópia|kop[iy]|conflict|\.(?:orig|bak|rej)|desktop|laptop|backup|base|local|remote"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What a copy is, in words, and the path of the page that it was copied from."""

    kind: str
    original: str


def is_too_long(path: str) -> bool:
    """Return whether a path has more bytes than the store can index."""
    if len(path) * _MOST_BYTES_IN_CHARACTER <= MOST_PATH_BYTES:
        return False
    return len(path.encode(errors="surrogateescape")) > MOST_PATH_BYTES


def is_temporary(name: str) -> bool:
    """Return whether a file's name, without its folder, is hidden or a temporary one of a program."""
    return (
        name.startswith(_TEMPORARY_PREFIXES) or name.endswith(_TEMPORARY_SUFFIXES) or name == _PROBE
    )


def is_bin(folder: str) -> bool:
    """Return whether a folder of this name, without those above it, never holds pages; case is ignored."""
    name = folder.casefold()
    return name in _BINS or _BIN.fullmatch(name) is not None


def find_copy(path: str) -> Copy | None:
    """Return what kind of copy a path names, or None for an ordinary path.

    A folder can be a copy too; then its pages are.
    """
    if _MAYBE_COPY.search(path.lower()) is None:
        return None
    folders, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    found = _match(stem) or _match_file(stem)
    if found is not None:
        kind, original = found
        return Copy(kind=kind, original=f"{folders}{slash}{original}{dot}{suffix}")
    parts = folders.split("/")
    for place, folder in enumerate(parts):
        if (found := _match(folder)) is not None:
            kind, original = found
            return Copy(
                kind=kind, original="/".join((*parts[:place], original, *parts[place + 1 :], name))
            )
    return None


def original_of(path: str) -> str:
    """Return the path of the page that a copy was made from; for any other path, the path itself."""
    copy = find_copy(path)
    return path if copy is None else copy.original


def _match_file(stem: str) -> tuple[str, str] | None:
    found = _NUMBERED.fullmatch(stem) or _COPY_OF.fullmatch(stem)
    return (_COPY, found["name"]) if found is not None else None


def _match(name: str) -> tuple[str, str] | None:
    for kind, form in _COPIES:
        if (found := form.fullmatch(name)) is not None and found["name"]:
            return kind, found["name"]
    return None
