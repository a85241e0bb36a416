"""Settled paths become snapshots, and snapshots become batches that are sent on.

The feed knows what was sent for each path, so that nothing is read twice without need, and what is
still on its way to the store, so that a scan does not send it again. It recognises moves by equal
bytes; for any other new file it names those that are gone of which it may be an edited one, and the
worker decides. When to read, and what may be retired, is for the caller to decide. Called by the
watcher's loop and by `sync`, in one thread.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from posixpath import basename

from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import is_racy, was_unread
from worker.domain.folder.snapshot import Batch, Known, Removal, Snapshot, Stamp, Unreadable
from worker.domain.seeds.seed import is_plain_note, looks_retracted
from worker.settings.model import Settings
from worker.watch.attempts import Suspects
from worker.watch.ignore import Told
from worker.watch.in_flight import InFlight
from worker.watch.lane import Lane, Reading
from worker.watch.missing import MOST_ORIGINS, Missing, Origins
from worker.watch.observation_number import Observed
from worker.watch.read import (
    Absent,
    Busy,
    Content,
    NotAFile,
    Unread,
    read_file,
    stamp_of,
)


@dataclass(slots=True)
class _OpenBatch:
    """A batch that is being filled."""

    snapshots: list[Snapshot] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    attempts: int = 0

    @property
    def files(self) -> int:
        return len(self.snapshots) + len(self.unreadable) + len(self.removals)


class Feed:
    """Reads settled paths and sends what is new of them.

    `send` takes a batch, its bytes and its lane; what it raises passes through, and then `known`
    must be loaded from the store again. `withdraw` forgets a batch that was lost, and tells whether
    a worker had begun it: then one of its files may have ended that worker, and each is sent again
    alone, with the number of its attempts. So is what a process before this one had begun. `kept`
    returns the ids of the batches that wait for a worker, or whose worker has ended.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        root: str,
        send: Callable[[Batch, bytes, Lane], None],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        withdraw: Callable[[str], bool] = lambda _batch_id: False,
        kept: Callable[[], Collection[str]] = frozenset,
        begun_before: Iterable[Batch] = (),
    ) -> None:
        self._intake = settings.intake
        self._fields = settings.fields
        self._root = root
        self._send = send
        self._in_flight = InFlight(withdraw=withdraw, kept=kept)
        self._monotonic = monotonic
        self.observed = Observed(now)
        self.known = KnownFiles()
        self._origins: Origins | None = None  # made when the first new file asks for it
        self.missing = Missing()
        self.told = Told()
        self.verified = 0  # when all racy files were last hashed again, as an observation
        self._open = {lane: _OpenBatch() for lane in Lane}
        self._suspects = Suspects(begun_before)
        self.notes: dict[str, Stamp] = {}  # plain notes, which become no documents

    def load(self, fresh: KnownFiles, newest: int) -> None:
        """Take what the store knows, and lay over it what is still on its way there.

        `fresh` becomes the feed's own; `newest` is the largest observation in the store.
        """
        self.observed.raise_to(newest)
        at = self._monotonic()
        found = self._in_flight.overlay(fresh, at)
        for path in found.arrived:
            self._suspects.discard(path)
        self._suspects.add(found.begun)
        self.known = fresh
        self._origins = None
        self.missing.keep(fresh, at)

    def forget_known(self) -> None:
        """Make room before `load`: two maps of 100,000 documents are worth avoiding."""
        self.known = KnownFiles()
        self._origins = None

    def is_settled(self, path: str, stamp: Stamp) -> bool:
        """Return whether a stamp proves that what was sent for a path is what is there."""
        held = self.known.get(path)
        if held is None:
            return self.notes.get(path) == stamp
        return held.stamp == stamp and not (is_racy(held, self.verified) or was_unread(held))

    @property
    def is_undecided(self) -> bool:
        """Return whether something was sent that may be a move, and the store has not said yet."""
        waiting = any(s.candidates for batch in self._open.values() for s in batch.snapshots)
        return waiting or self._in_flight.is_undecided

    @property
    def is_quiet(self) -> bool:
        """Return whether all that it knows is what the store said: nothing was sent or missed since."""
        is_open = any(batch.files for batch in self._open.values())
        return not (is_open or self.missing) and self._in_flight.is_empty

    def miss(self, path: str) -> None:
        """Note that a file is missed: another one may be what it became."""
        if (held := self.known.get(path)) is not None:
            self.missing.add(path, held, self._monotonic())

    def forget_notes(self, paths: Iterable[str]) -> None:
        """Forget plain notes: a whole walk did not see them."""
        for path in paths:
            self.notes.pop(path, None)

    def take(
        self,
        path: str,
        lane: Lane,
        *,
        closed: bool = False,
        forced: bool = False,
        hasty: bool = False,
    ) -> Reading:
        """Read a path and put what is new of it into the open batch of its lane.

        With `hasty` a file that may be an edited one of those that are gone is left for later, when
        all have been read whose bytes are those of one that is gone: they come first.
        """
        observed = self.observed.next()
        found = read_file(
            self._root,
            path,
            max_bytes=self._intake.max_file_bytes,
            closed=closed,
            forced=forced,
            now_seconds=observed / 1e6,
        )
        match found:
            case Content():
                return self._take_content(path, found, observed, lane, hasty=hasty)
            case Unread():
                return self._take_refused(path, found, observed, lane)
            case Busy():
                return Reading.BUSY
            case NotAFile(reason=reason):
                self.told.tell(path, reason)
                return Reading.IGNORED
            case Absent():
                return Reading.ABSENT

    def remove(self, path: str, lane: Lane = Lane.LIVE) -> None:
        """Send that a path is gone."""
        self._make_room(lane, 0)
        removal = Removal(path=path, observed=self.observed.next())
        self._open[lane].removals.append(removal)
        if (held := self.known.pop(path, None)) is not None:
            self.missing.add(path, held, self._monotonic(), retired=True)

    def flush(self, *lanes: Lane) -> None:
        """Send the open batches of these lanes, by default of all."""
        for lane in lanes or Lane:
            batch = self._open[lane]
            if batch.files:
                self._open[lane] = _OpenBatch()
                self._dispatch(batch, lane)

    def drop_open(self) -> None:
        """Forget the open batches; what was to be sent is found again by a scan."""
        self._open = {lane: _OpenBatch() for lane in Lane}

    def _take_content(
        self, path: str, found: Content, observed: int, lane: Lane, *, hasty: bool
    ) -> Reading:
        held = self.known.get(path)
        was_live = held is not None and held.live
        if path.lower().endswith(".txt") and not was_live and is_plain_note(found.data):
            self.notes[path] = found.stamp
            self.told.tell(path, "it is a plain note: a text file that does not begin with ---")
            if held is not None:
                self.remove(path)
            return Reading.IGNORED
        self.notes.pop(path, None)
        self.told.forget(path)
        if held is not None and held.sha256 == found.sha256 and held.stamp == found.stamp:
            self.known[path] = held._replace(observed=observed)
            return Reading.SAME
        self.missing.discard(path)
        source = None if was_live else self._find_source(path, found)
        candidates: tuple[str, ...] = ()
        if source is None and not was_live:
            candidates = self.missing.candidates(path, found.stamp, self._is_gone)
        if looks_retracted(found.data, self._fields):
            lane = Lane.LIVE
        elif candidates and hasty:
            return Reading.UNSURE
        self._make_room(lane, len(found.data), self._suspects.attempts(path, found.sha256))
        if source is not None and any(s.path == source for s in self._open[lane].snapshots):
            self.flush(lane)  # two steps of one document need two transactions
        batch = self._open[lane]
        batch.snapshots.append(
            Snapshot(
                path=path,
                stamp=found.stamp,
                sha256=found.sha256,
                observed=observed,
                moved_from=source,
                candidates=candidates,
            )
        )
        batch.parts.append(found.data)
        batch.size += len(found.data)
        self.known[path] = Known(
            stamp=found.stamp,
            sha256=found.sha256,
            observed=observed,
            live=held is None or held.live,
        )
        if self._origins is not None:
            self._origins.add(path, found.sha256)
        if source is not None:
            del self.known[source]
            self.missing.discard(source)
            return Reading.MOVED
        return Reading.NEW if held is None else Reading.CHANGED

    def _take_refused(self, path: str, found: Unread, observed: int, lane: Lane) -> Reading:
        held = self.known.get(path)
        unread = unread_sha256(found.stamp, found.code)
        if held is not None and held.sha256 == unread:
            return Reading.SAME
        self._make_room(lane, 0)
        self._open[lane].unreadable.append(
            Unreadable(
                path=path,
                stamp=found.stamp,
                observed=observed,
                code=found.code,
                detail=found.detail,
            )
        )
        self.known[path] = Known(
            stamp=found.stamp,
            sha256=unread,
            observed=observed,
            live=held is not None and held.live,
        )
        return Reading.NEW if held is None else Reading.CHANGED

    def _find_source(self, path: str, found: Content) -> str | None:
        """Return the path that had these bytes and is really gone.

        A rename keeps the inode, or else the name. Of very many equal files none is told from
        another.
        """
        if self._origins is None:
            self._origins = Origins(self.known)
        guesses = self._origins.find(found.sha256)
        if len(guesses) == MOST_ORIGINS:
            return None

        def unlikeness(source: str) -> tuple[bool, bool, str]:
            inode = self.known[source].stamp.inode
            return inode != found.stamp.inode, basename(source) != basename(path), source

        return min((p for p in guesses if self._left(p, found)), key=unlikeness, default=None)

    def _left(self, path: str, found: Content) -> bool:
        held = self.known.get(path)
        if held is None or not held.live or held.sha256 != found.sha256:
            return False
        return self._is_gone(path)

    def _is_gone(self, path: str) -> bool:
        try:
            return not isinstance(stamp_of(self._root, path), Stamp)
        except OSError:
            return False

    def _make_room(self, lane: Lane, size: int, attempts: int = 0) -> None:
        """Send the open batch where the next file is one too many; a suspect travels alone."""
        batch = self._open[lane]
        full = batch.files >= self._intake.batch_files or attempts or batch.attempts
        if full or (batch.size and batch.size + size > self._intake.batch_bytes):
            self.flush(lane)
        self._open[lane].attempts = attempts

    def _dispatch(self, open_batch: _OpenBatch, lane: Lane) -> None:
        batch = Batch(
            id=uuid.uuid4().hex,
            snapshots=tuple(open_batch.snapshots),
            unreadable=tuple(open_batch.unreadable),
            removals=tuple(open_batch.removals),
            bulk=lane is Lane.BULK,
            attempts=open_batch.attempts,
        )
        self._send(batch, b"".join(open_batch.parts), lane)
        self._in_flight.note(batch, self.known, self._monotonic())
