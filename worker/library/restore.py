"""Writes a version of a document back into the folder: whole, or not at all.

Does not change the store: the service sees the file and stores it as a new version. Follows no symbolic
link, writes nothing outside the folder, and overwrites no unstored content without being asked. Called by
the command `restore`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from typing import Any

from worker.library.seeds_folder import WriteRefusedError, look, place_of, write_whole
from worker.library.services import Services
from worker.watch.read import Content, Unread

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A version's file; `exact` if its bytes have the stored hash."""

    data: bytes
    exact: bool


def restore(services: Services, path: str, number: int, *, unasked: bool) -> dict[str, Any] | None:
    """Write a version back into the folder; return what was done, or None if the version does not exist.

    Raises `WriteRefusedError` if the file on disk has content that is not stored, or if the version would
    be refused today (`unasked` skips both checks), and always if it is not a regular file. Raises
    `ConfigurationError` if the folder cannot be written.
    """
    found = services.version_to_restore(path, number)
    if found is None:
        return None
    place = place_of(services.settings, found["path"])
    rebuilt = rebuild(found["front_matter"], found["body"], found["sha256"])
    on_disk = look(services.settings, found["path"], forced=True)
    answer = {
        "path": found["path"],
        "number": number,
        "written": True,
        "exact": rebuilt.exact,
        "retired": found["retired"],
        "newest": number == found["newest"],
    }
    if isinstance(on_disk, Content) and on_disk.data == rebuilt.data:
        return answer | {"written": False}
    if not unasked:
        _refuse_loss(on_disk, found["stored"], place)
        _refuse_errors(services, found["path"], rebuilt.data, number)
    write_whole(services.settings.seeds, found["path"], rebuilt.data)
    return answer


def rebuild(front_matter: str, body: str, sha256: str) -> Rebuilt:
    """Return a version's file from its stored parts, byte for byte if possible.

    The store has the front matter as written, and the body with LF. The file's hash shows which line ends
    it had, and whether it had a byte-order mark.
    """
    written = "\r\n" if "\r\n" in front_matter else "\r" if "\r" in front_matter else "\n"
    ends = dict.fromkeys((written, "\n", "\r\n", "\r"))
    first = b""
    for mark, fence, end in product(("", _BOM), ends, ends):
        text = body if end == "\n" else body.replace("\n", end)
        data = f"{mark}---{fence}{front_matter}---{fence}{text}".encode()
        if hashlib.sha256(data).hexdigest() == sha256:
            return Rebuilt(data=data, exact=True)
        first = first or data
    return Rebuilt(data=first, exact=False)


def _refuse_loss(on_disk: Any, stored: frozenset[str], place: str) -> None:
    unknown = (isinstance(on_disk, Content) and on_disk.sha256 not in stored) or isinstance(
        on_disk, Unread
    )
    if unknown:
        raise WriteRefusedError(
            f"{place} has content that is not stored and would be lost: run content-sync sync first, "
            "or use --yes to overwrite it"
        )


def _refuse_errors(services: Services, path: str, data: bytes, number: int) -> None:
    examined = services.examine(path, data)
    if examined.facts is None:
        error = next(p for p in examined.problems if p.severity == "error")
        raise WriteRefusedError(
            f"version {number} would be refused today: line {error.span.line}: {error.message} "
            f"({error.code}); use --yes to write it anyway"
        )
