"""Compares the folder with the store in both directions, file by file and hash by hash.

Changes nothing. Keeps only those paths in memory whose newest version no hash proves. A file that changed
after the last scan counts as waiting, because the next scan takes it in. Called by `worker.run.verify`.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from worker.domain.folder import laws
from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.laws import Breaches, KnownFile
from worker.domain.folder.snapshot import Stamp
from worker.domain.seeds.seed import Seed, is_plain_note, parse_seed
from worker.errors import BrokerUnavailableError
from worker.library.services import Services
from worker.messages.silence_alarm import SYNC
from worker.store import evidence, holds, library, liveness
from worker.store.documents import LIVE
from worker.store.engine import Connection
from worker.watch.ignore import SeedNames, seed_names
from worker.watch.read import Absent, Busy, Content, NotAFile, Unread, read_file, stamp_of
from worker.watch.scan import Walk, walk

_NOTES_SUFFIX = ".txt"


def check_folder(
    services: Services,
    connection: Connection,
    findings: Breaches,
    *,
    unproven: set[str],
    step: Callable[[int], None],
) -> None:
    """Add every contradiction between the folder and this view of the store.

    `unproven` holds the paths whose newest version its own hash does not prove; a path that its file proves
    is removed. `step` gets the number of files that were just checked.
    """
    _Comparison(services, connection, findings, unproven).run(step)


class _Comparison:
    """One comparison of the folder with a view of the store, in both directions."""

    def __init__(
        self, services: Services, connection: Connection, findings: Breaches, unproven: set[str]
    ) -> None:
        self.connection = connection
        self.findings = findings
        self.unproven = unproven
        self.settings = services.settings
        self.root = str(services.settings.seeds.absolute())
        self.looked_ns = _last_look_ns(services, connection)
        standing = holds.list_standing(connection, holds.REMOVALS)
        self.held = frozenset(path for hold in standing for path in hold.removals)

    def run(self, step: Callable[[int], None]) -> None:
        """Compare everything; `step` gets the number of files that were just checked."""
        names = seed_names(self.root, self.settings.watch)
        begun = walk(names)
        for page in begun.pages:
            paths = [seen[0] for seen in page]
            known = evidence.known_files(self.connection, paths)
            for path in paths:
                self._check_file(path, known.get(path, KnownFile()))
            step(len(paths))
        self._check_absent(names, begun)

    def _check_file(self, path: str, known: KnownFile) -> None:
        """Compare one file with what the store says of it."""
        found = read_file(
            self.root, path, max_bytes=self.settings.intake.max_file_bytes, forced=True
        )
        match found:
            case Content(data=data, sha256=sha256):
                is_note = path.lower().endswith(_NOTES_SUFFIX) and is_plain_note(data)
                if is_note and known.state != LIVE:
                    return
            case Unread(stamp=stamp, code=code):
                data, sha256 = b"", unread_sha256(stamp, code)
            case Busy() | Absent():
                self.findings.checked["waiting"] += 1
                return
            case NotAFile():
                return
        self.findings.checked["files"] += 1
        breach = laws.check_file(path, sha256, known)
        if breach is None:
            if known.sha256 == sha256:
                self._check_head(path, data, sha256, known)
        elif self._is_later(Path(self.root, path)) or _was_unread(known):
            self.findings.checked["waiting"] += 1
        else:
            self.findings.add([breach])

    def _check_head(self, path: str, data: bytes, sha256: str, known: KnownFile) -> None:
        """Compare a document's file with its newest version, unless a hash has proved them equal."""
        if known.version_sha256 == sha256 and path not in self.unproven:
            return
        version = evidence.find_version_at(self.connection, path)
        seed = parse_seed(data)
        if version is not None and isinstance(seed, Seed):
            breach = laws.check_head_file(path, version, seed, sha256)
            if breach is None and version.sha256 == sha256:
                self.unproven.discard(path)
            self.findings.add([breach])

    def _check_absent(self, names: SeedNames, begun: Walk) -> None:
        """Look for missing files, and for folders that cannot be read: what is in them is unseen."""
        unsure = tuple(f"{folder}/" if folder else "" for folder in begun.unsure)
        for folder, live in library.count_live_below(self.connection, sorted(begun.unsure)).items():
            self.findings.add([laws.check_unseen(folder, live)])
        for path, refused in evidence.expected_files(self.connection):
            if path.startswith(unsure) or self._is_there(names, path) or path in self.held:
                continue
            if self._is_later(self._folder_of(path)):
                self.findings.checked["waiting"] += 1
            else:
                self.findings.add([laws.check_absent(path, refused=refused)])

    def _is_there(self, names: SeedNames, path: str) -> bool:
        try:
            return names.is_seed(path) and isinstance(stamp_of(self.root, path), Stamp)
        except OSError:
            return True

    def _folder_of(self, path: str) -> Path:
        """Return the folder of a path, or its nearest ancestor that still exists."""
        folder = Path(self.root, path).parent
        while folder != Path(self.root) and not folder.is_dir():
            folder = folder.parent
        return folder

    def _is_later(self, place: Path) -> bool:
        """Return whether a place changed after the last scan."""
        try:
            found = place.lstat()
        except OSError:
            return True
        # A file's ctime, which nobody can set back; a folder's mtime, which its entries change.
        changed_ns = found.st_mtime_ns if stat.S_ISDIR(found.st_mode) else found.st_ctime_ns
        return changed_ns > self.looked_ns


def _was_unread(known: KnownFile) -> bool:
    """Return whether the watcher could not read the file; this process may be able to."""
    return (known.refused_sha256 or "").startswith("unread-")


def _last_look_ns(services: Services, connection: Connection) -> int:
    """Return the time, in ns since the epoch, until which the store has taken in the whole folder.

    Returns 0 if there was no scan yet. A file that a watcher has read and no worker has stored is not taken
    in.
    """
    heartbeats = liveness.find_heartbeats(connection)
    looks = []
    if (sync := heartbeats.get(SYNC)) is not None:
        looks.append(sync.data.get("started"))
    if (watcher := heartbeats.get("watcher")) is not None and not watcher.data.get("unread"):
        with suppress(BrokerUnavailableError):
            if not services.spool.outstanding():
                looks.append(watcher.data.get("last_scan"))
    instants = (datetime.fromisoformat(look) for look in looks if look)
    return max((round(at.timestamp() * 1_000_000) * 1000 for at in instants), default=0)
