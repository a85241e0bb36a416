"""Turns settled paths into snapshots, and snapshots into batches that are sent to a worker.

The feed remembers what was sent for each path, so it reads nothing twice without need, and what is in
flight, so a scan does not send it again. It recognises a move by equal bytes. For any other new file
it lists the missing files that it may be an edited copy of, and the worker decides. The caller decides
when to read and what may be retired. Called by the watcher's loop and by `sync`, in one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from posixpath import basename

from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import is_racy, was_unread
from worker.domain.folder.snapshot import (
    BATCH_FORMAT,
    SHARED_FORMAT,
    Batch,
    Known,
    Removal,
    Snapshot,
    Source,
    Stamp,
    Turn,
    Unreadable,
)
from worker.domain.folder.swaps import find_swaps
from worker.domain.seeds.seed import is_plain_note, looks_retracted
from worker.settings.model import Settings
from worker.watch.attempts import Suspects
from worker.watch.ignore import IgnoreLog
from worker.watch.in_flight import InFlight
from worker.watch.lane import Lane, Reading
from worker.watch.missing import MOST_ORIGINS, Missing, Origins
from worker.watch.observation_number import ObservationNumbers
from worker.watch.open_batch import OpenBatch
from worker.watch.read import (
    Absent,
    Busy,
    Content,
    NotAFile,
    Unread,
    read_file,
    stamp_of,
)


class Feed:
    """Reads settled paths and sends those that have changed.

    `send` takes a batch, its bytes and its lane. If it raises, the error passes through and `known` must
    be loaded from the store again. `withdraw` deletes a lost batch and returns whether a worker had
    started it. If so, one of its files may have ended that worker, and each is sent again alone with the
    number of attempts; so are the files of `unfinished`, batches from an earlier process. `kept` returns
    the IDs of the batches that wait for a worker or whose worker has ended.
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
        unfinished: Iterable[Batch] = (),
    ) -> None:
        self._intake = settings.intake
        self._fields = settings.fields
        self._root = root
        self._send = send
        self._in_flight = InFlight(withdraw=withdraw, kept=kept)
        self._monotonic = monotonic
        #: Whether an equal file that is not racy any more is sent once, so that the store knows it, too. A
        #: watcher does without: it remembers `verified`.
        self.keeps_proof = False
        #: The format of the batches, which every worker reads. The shared one has no ctimes.
        self.batch_format = BATCH_FORMAT
        self.judge = ""  # the ID of the rules and settings for the files
        self.observed = ObservationNumbers(now)
        self.known = KnownFiles()
        self._origins: Origins | None = None  # built when the first new file needs it
        self.missing = Missing()
        self.ignored = IgnoreLog()
        #: The observation number of the last time that all racy files were rehashed.
        self.verified = 0
        self._open = {lane: OpenBatch() for lane in Lane}
        self._suspects = Suspects(unfinished)
        # By path, the last observation sent after which another document may live there, or may have left.
        self._turns: dict[str, Turn] = {}
        self._asked: dict[str, Turn] = {}
        # By path, the last live edit that was sent: a refusal or a removal after it would make it stale.
        self._edits: dict[str, int] = {}
        self.notes: dict[str, Stamp] = {}  # plain notes, which do not become documents

    def load(self, fresh: KnownFiles, newest: int) -> None:
        """Load the store's data and overlay what is in flight.

        The feed keeps and changes `fresh`. `newest` is the largest observation number in the store.
        """
        self.observed.raise_to(newest)
        at = self._monotonic()
        found = self._in_flight.overlay(fresh, at)
        for path in found.arrived:
            self._suspects.discard(path)
        self._suspects.add(found.started)
        self.known = fresh
        self._origins = None
        for turns in (self._turns, self._asked):
            for path in [path for path, turn in turns.items() if turn.path not in self._in_flight]:
                del turns[path]
        self._edits = {path: n for path, n in self._edits.items() if path in self._in_flight}
        self.missing.keep(fresh, at)

    def forget_known(self) -> None:
        """Free memory before `load`, which would otherwise need two maps of 100,000 documents."""
        self.known = KnownFiles()
        self._origins = None

    def is_settled(self, path: str, stamp: Stamp) -> bool:
        """Return whether a stamp proves that the file is what was sent for the path."""
        held = self.known.get(path)
        if held is None:
            return self.notes.get(path) == stamp
        if is_racy(held, self.verified) or was_unread(held) or not held.judged:
            return False
        # What is sent without ctimes comes back from the store without them.
        is_shared = self.batch_format == SHARED_FORMAT and held.stamp.lacks_only_ctime(stamp)
        return held.stamp == stamp or is_shared

    @property
    def is_undecided(self) -> bool:
        """Return whether a file may be a move and the worker has not decided yet."""
        waiting = any(s.candidates for batch in self._open.values() for s in batch.snapshots)
        return waiting or self._in_flight.is_undecided

    @property
    def is_quiet(self) -> bool:
        """Return whether the feed knows nothing beyond the store: no batch or missing file is pending."""
        is_open = any(batch.files for batch in self._open.values())
        return not (is_open or self.missing) and self._in_flight.is_empty

    def miss(self, path: str) -> None:
        """Record that a file is missing, so that a new file may continue it."""
        if (held := self.known.get(path)) is not None:
            self.missing.add(path, held, self._monotonic())

    def forget_notes(self, paths: Iterable[str]) -> None:
        """Forget plain notes that a whole walk did not see."""
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
        """Read a path and add it to the open batch of its lane if it has changed.

        `hasty`: return UNSURE for a file that may be an edited copy of a missing one. Read it again after
        the others: a file with exactly the missing one's bytes takes precedence.
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
                return self._take_unread(path, found, observed, lane)
            case Busy():
                return Reading.BUSY
            case NotAFile(reason=reason):
                self.ignored.add(path, reason)
                return Reading.IGNORED
            case Absent():
                return Reading.ABSENT

    def remove(self, path: str, lane: Lane = Lane.LIVE) -> None:
        """Send the removal of a path."""
        self._make_room(lane, 0)
        observed = self.observed.next()
        # It does not wait for a file that may continue the document: that may be behind a load.
        removal = Removal(
            path=path,
            observed=observed,
            follows=_present(self._turns.get(path)),
            after=self._edits.pop(path, 0),
        )
        self._turns[path] = Turn(path, observed)
        self._open[lane].removals.append(removal)
        if (held := self.known.pop(path, None)) is not None:
            self.missing.add(path, held, self._monotonic(), removed=observed)

    def flush(self, *lanes: Lane) -> None:
        """Send the open batches of these lanes (default: all)."""
        for lane in lanes or Lane:
            batch = self._open[lane]
            if batch.files:
                self._open[lane] = OpenBatch()
                self._dispatch(batch, lane)

    def drop_open(self) -> None:
        """Discard the open batches; a scan finds their files again."""
        self._open = {lane: OpenBatch() for lane in Lane}

    def _take_content(
        self, path: str, found: Content, observed: int, lane: Lane, *, hasty: bool
    ) -> Reading:
        held = self.known.get(path)
        live = held if held is not None and held.live else None
        if path.lower().endswith(".txt") and live is None and is_plain_note(found.data):
            self.notes[path] = found.stamp
            self.ignored.add(path, "it is a plain note: a text file that does not begin with ---")
            if held is not None:
                self.remove(path)
            return Reading.IGNORED
        self.notes.pop(path, None)
        self.ignored.forget(path)
        if held is not None and self._has(held, found, observed):
            return Reading.SAME
        again = held is not None and not held.judged and held.sha256 == found.sha256
        self.missing.discard(path)
        source, candidates = self._find_origin(path, held, found)
        if not again and looks_retracted(found.data, self._fields):
            lane = Lane.LIVE
        elif candidates and hasty:
            return Reading.UNSURE
        self._make_room(lane, len(found.data), self._suspects.attempts(path, found.sha256))
        if source is not None and any(s.path == source.path for s in self._open[lane].snapshots):
            self.flush(lane)  # two changes of one document need two transactions
        snapshot = Snapshot(
            path=path,
            stamp=found.stamp,
            sha256=found.sha256,
            observed=observed,
            follows=_present(self._turns.get(path), self._asked.get(path)),
            after=self._edits.get(path, 0),
            moved_from=source,
            candidates=candidates,
        )
        batch = self._open[lane]
        batch.snapshots.append(snapshot)
        batch.parts.append(found.data)
        batch.size += len(found.data)
        if live is not None and live.sha256 != found.sha256 and source is None:
            batch.before[path] = live
        if lane is Lane.LIVE:
            self._edits[path] = observed
        self.known[path] = Known(
            stamp=found.stamp,
            sha256=found.sha256,
            observed=observed,
            live=held is None or held.live,
        )
        self._note_moves(snapshot)
        if source is not None:
            return Reading.MOVED
        return Reading.NEW if held is None else Reading.AGAIN if again else Reading.CHANGED

    def _has(self, held: Known, found: Content, observed: int) -> bool:
        """Return whether the store has a file's content, and need not get it again."""
        if held.sha256 != found.sha256 or held.stamp != found.stamp or not held.judged:
            return False
        proven = is_racy(held, 0) and not is_racy(held._replace(observed=observed), 0)
        return not (proven and self.keeps_proof)

    def _note_moves(self, snapshot: Snapshot) -> None:
        """Remember which documents may live at a new file's path, and elsewhere no more."""
        path, source = snapshot.path, snapshot.moved_from
        turn = Turn(path, snapshot.observed)
        if self._origins is not None:
            self._origins.add(path, snapshot.sha256)
        if source is not None:
            del self.known[source.path]
            self.missing.discard(source.path)
            self._turns[source.path] = self._turns[path] = turn
        elif snapshot.candidates:
            self._turns[path] = turn
            self._asked.update(dict.fromkeys((one.path for one in snapshot.candidates), turn))

    def _take_unread(self, path: str, found: Unread, observed: int, lane: Lane) -> Reading:
        held = self.known.get(path)
        unread = unread_sha256(found.stamp, found.code)
        if held is not None and held.sha256 == unread and held.judged:
            return Reading.SAME
        self._make_room(lane, 0)
        self._open[lane].unreadable.append(
            Unreadable(
                path=path,
                stamp=found.stamp,
                observed=observed,
                code=found.code,
                detail=found.detail,
                follows=_present(self._turns.get(path), self._asked.get(path)),
                after=self._edits.get(path, 0),
            )
        )
        self.known[path] = Known(
            stamp=found.stamp,
            sha256=unread,
            observed=observed,
            live=held is not None and held.live,
        )
        return Reading.NEW if held is None else Reading.CHANGED

    def _find_origin(
        self, path: str, held: Known | None, found: Content
    ) -> tuple[Source | None, tuple[Source, ...]]:
        """Return where a file moved from, or else the missing files that it may be an edited copy of.

        A page that changes is no move, unless it has the bytes of another one that is missing.
        """
        live = held is not None and held.live
        is_same = (
            held is not None and held.sha256 == found.sha256
        )  # it was here before, refused or not
        if is_same or (live and not len(self.missing)):
            return None, ()
        source = self._find_source(path, found)
        if source is not None or live:
            return source, ()
        return None, self.missing.candidates(path, found.stamp, self._is_gone)

    def _find_source(self, path: str, found: Content) -> Source | None:
        """Return the path that had these bytes and no longer exists.

        A rename keeps the inode, or at least the name. Among very many equal files the source is
        unknowable.
        """
        if self._origins is None:
            self._origins = Origins(self.known)
        guesses = self._origins.find(found.sha256)
        if len(guesses) == MOST_ORIGINS:
            return None

        def unlikeness(source: str) -> tuple[bool, bool, str]:
            inode = self.known[source].stamp.inode
            return inode != found.stamp.inode, basename(source) != basename(path), source

        sources = (source for source in guesses if self._moved_away(source, found))
        source = min(sources, key=unlikeness, default=None)
        return None if source is None else Source(source, self.known[source].observed)

    def _moved_away(self, path: str, found: Content) -> bool:
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
        """Send the open batch if the next file does not fit; a suspect travels alone."""
        batch = self._open[lane]
        full = batch.files >= self._intake.batch_files or attempts or batch.attempts
        if full or (batch.size and batch.size + size > self._intake.batch_bytes):
            self.flush(lane)
        self._open[lane].attempts = attempts

    def _name_swaps(self, batch: OpenBatch) -> None:
        """Name where the pages of a batch come from that swapped their paths."""
        new = {s.path: s.sha256 for s in batch.snapshots if s.path in batch.before}
        old = {path: batch.before[path].sha256 for path in new}
        swaps = find_swaps(old, new) if len(new) > 1 else {}
        for number, snapshot in enumerate(batch.snapshots):
            if (other := swaps.get(snapshot.path)) is not None:
                source = Source(other, batch.before[other].observed)
                batch.snapshots[number] = replace(snapshot, moved_from=source)
                self._turns[snapshot.path] = Turn(snapshot.path, snapshot.observed)

    def _dispatch(self, open_batch: OpenBatch, lane: Lane) -> None:
        self._name_swaps(open_batch)
        batch = open_batch.close(lane, judge=self.judge, batch_format=self.batch_format)
        self._send(batch, b"".join(open_batch.parts), lane)
        self._in_flight.note(batch, self.known, self._monotonic())


def _present(*turns: Turn | None) -> tuple[Turn, ...]:
    return tuple(turn for turn in turns if turn is not None)
