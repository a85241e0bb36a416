"""Writes a version of a document back into the folder: whole, or not at all.

The store is not touched: the service sees the file and stores it as a new version. No symbolic link
is followed, nothing outside the folder is written, and what the store does not hold is never
overwritten unasked. Called by the command `restore`.
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
    """A version's file; `exact` where its bytes are those that were stored, by their hash."""

    data: bytes
    exact: bool


def restore(services: Services, path: str, number: int, *, unasked: bool) -> dict[str, Any] | None:
    """Write a version back into the folder; return what was done, None where there is no such version.

    Raises `WriteRefusedError` when the file on disk holds what the store does not, or when the
    version would be refused today, unless `unasked`; and always for what is no regular file. Raises
    `ConfigurationError` when the folder cannot be written.
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
        _refuse_errors(services, rebuilt.data, number)
    write_whole(services.settings.seeds, found["path"], rebuilt.data)
    return answer


def rebuild(front_matter: str, body: str, sha256: str) -> Rebuilt:
    """Return a version's file from what the store has of it, byte for byte where that is possible.

    The store keeps the front matter as it was written and the body with LF; the hash of the file of
    then tells which line ends, and whether a byte-order mark, make it the same again.
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
            f"{place} holds what is not stored, and would be lost: run content-sync sync first, "
            "or say --yes to overwrite it"
        )


def _refuse_errors(services: Services, data: bytes, number: int) -> None:
    examined = services.examine(data)
    if examined.facts is None:
        error = next(p for p in examined.problems if p.severity == "error")
        raise WriteRefusedError(
            f"version {number} would be refused today: line {error.span.line}: {error.message} "
            f"({error.code}); say --yes to write it all the same"
        )
