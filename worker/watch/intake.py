"""Decides which hinted and scanned files are read when, and what counts as a live edit or as a load.

Live edits are read as soon as they have settled. Files that scans find, and files that arrive in large
numbers, wait in a backlog for room in the spool. The brake, not this module, decides about retirement.
Called by the watcher's loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime

from worker.domain.folder.reconcile import Seen
from worker.domain.folder.snapshot import Stamp
from worker.errors import ContentSyncError
from worker.ingest.spool import Spool
from worker.settings.model import Settings
from worker.watch.backlog import Backlog
from worker.watch.brake import Brake
from worker.watch.failures import Failures, UnsentError
from worker.watch.feed import Feed
from worker.watch.file_system import without_change_times
from worker.watch.ignore import IGNORE_FILE, SeedNames
from worker.watch.judging import Judging
from worker.watch.lane import Lane, Reading
from worker.watch.read import NotAFile, stamp_of
from worker.watch.scan import Survey
from worker.watch.settle import Gone, Hint, HintKind, Read, Settle

_FULL_SECONDS = 0.02  # how often a full spool is checked
#: How long a load and a scan may each delay a live edit, once or twice a turn. With 0.02 the slowest
#: edits during a load take 50% longer; with 0.004 they are no faster.
SLICE_SECONDS = 0.008
# Changed documents may fill the spool this many times further than new ones: one may be a retraction.
_CHANGED_SHARE = 4
# From this many times `max_batches` on, edits share batches: messages of one file would grow the queue.
_CROWDED_SHARE = 2
# Up to this many new files a second are read at once; more are a load, which edits must not wait behind.
_MOST_ARRIVALS = 16


class Intake:
    """The paths of one folder that wait to settle or to be read. Times are monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        *,
        names: SeedNames,
        feed: Feed,
        brake: Brake,
        spool: Spool,
        judging: Judging,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        watch = settings.watch
        self._settings = settings
        self._names = names
        self._feed = feed
        self._brake = brake
        self._spool = spool
        self.judging = judging
        self._now = now
        self._monotonic = monotonic
        self.settle = Settle(
            coalesce_seconds=watch.coalesce_ms / 1000,
            still_seconds=watch.still_ms / 1000,
            removal_seconds=watch.removal_ms / 1000,
            max_wait_seconds=watch.max_wait_seconds,
        )
        self.backlog = Backlog()
        self.failures = Failures()
        # Whether a file with an equal stamp is the same, so that an event need not be followed.
        self._proves_by_stamp = False
        self.names_changed = False  # `.seedignore` was reloaded, so a scan must follow
        self._hashing_since: int | None = None  # the scan whose racy files are being rehashed
        self._full_until = 0.0
        self._arrived: deque[str] = deque()  # new files that are due for a look
        self._edits = Load(settings.intake.batch_files)
        self._crowded = False
        self._arrivals = Load(min(_MOST_ARRIVALS, settings.intake.batch_files))

    @property
    def is_idle(self) -> bool:
        """Return whether no file waits."""
        return not (self.backlog or self.judging or len(self.settle))

    def next_at(self) -> float | None:
        """Return when the next file is due, or None."""
        if self._arrived:
            return self._monotonic()
        due = self.settle.next_at()
        if not (self.backlog or self.judging):
            return due
        return self._full_until if due is None else min(due, self._full_until)

    def hint(self, hint: Hint) -> None:
        """Accept a hint about a path; drop it if the path is not a seed's."""
        if hint.path == IGNORE_FILE or self._names.is_seed(hint.path):
            if hint.kind is HintKind.DELETED:
                self._feed.miss(hint.path)
            self.settle.hint(hint, self._monotonic())

    def clear(self) -> None:
        """Forget everything: a scan follows."""
        self.settle.clear()
        self._arrived.clear()
        self.backlog = Backlog()
        self.judging.clear()
        self._hashing_since = None

    def look(self) -> None:
        """Look at the paths that are due and read those that have settled, edits first.

        New files of a load are read for one slice of time; the rest wait for the next call.
        """
        at = self._monotonic()
        due = self.settle.due(at)
        crowd = _CROWDED_SHARE * self._settings.intake.max_batches
        self._crowded = bool(due) and self._spool.outstanding() >= crowd
        for path in due:
            if path in self._feed.known or path == IGNORE_FILE:
                self._look_at(path, at)
            else:
                self._arrived.append(path)
        self._feed.flush(Lane.LIVE)
        while self._arrived and self._monotonic() < at + SLICE_SECONDS:
            self._look_at(self._arrived.popleft(), at)
        self._feed.flush(Lane.LIVE)

    def _look_at(self, path: str, at: float) -> None:
        if path == IGNORE_FILE:
            self._look_at_ignore_file(at)
            return
        try:
            stamp = self.stamp(path)
        except Exception as error:  # noqa: BLE001 - one path never ends the watcher
            if not isinstance(error, OSError):
                self.failures.add(path, error)
            self.settle.forget(path)  # if a parent folder cannot be entered, a scan reports it
            return
        age_seconds = self._now().timestamp() - stamp.mtime_ns / 1e9 if stamp else 0.0
        match self.settle.look(path, stamp, at, age_seconds=age_seconds):
            case Read() as read if stamp is not None:
                self._brake.came_back([path])
                self._feed.missing.discard(path)
                if not (self._proves_by_stamp and self._feed.is_settled(path, stamp)):
                    self._read_or_queue(read, stamp, at)
            case Gone():
                self._miss(path, at)

    def _look_at_ignore_file(self, at: float) -> None:
        try:
            found = stamp_of(self._names.root, IGNORE_FILE)
        except OSError:
            found = None
        stamp = found if isinstance(found, Stamp) else None
        if self.settle.look(IGNORE_FILE, stamp, at) is not None:
            self._names.load()
            self.names_changed = True

    def _read_or_queue(self, read: Read, stamp: Stamp, at: float) -> None:
        """Read a settled path at once; queue it if it is part of a load or the workers lag behind.

        Queued edits are read before a load and share batches.
        """
        is_known = read.path in self._feed.known
        is_single = (self._edits if is_known else self._arrivals).admits(at)
        if read.forced or (is_single and not self._crowded):
            self._read(read)
        elif is_known:
            self.backlog.add_changed(read.path, live=is_single)
        else:
            self.backlog.add_new(read.path, stamp.size)

    def _read(self, read: Read) -> None:
        self.backlog.discard(read.path)
        outcome = self._take(read.path, Lane.LIVE, closed=read.closed, forced=read.forced)
        if outcome is Reading.BUSY:
            self.settle.busy(read, self._monotonic())
        elif outcome is Reading.ABSENT:
            self.settle.hint(Hint(kind=HintKind.DELETED, path=read.path), self._monotonic())

    def _take(self, path: str, lane: Lane, **how: bool) -> Reading:
        """Read a path; after an unforeseen error, name it and go on with the others."""
        try:
            outcome = self._feed.take(path, lane, **how)
        except (ContentSyncError, UnsentError):
            raise
        except Exception as error:  # noqa: BLE001 - one path never ends the watcher
            self.failures.add(path, error)
            return Reading.FAILED
        self.failures.forget(path)
        return outcome

    def _miss(self, path: str, at: float) -> None:
        """Pass a missing path to the brake; wait while an unread new file of its size may be its move."""
        held = self._feed.known.get(path)
        if held is None:
            return
        if self.backlog.may_hold(held.stamp.size):
            self.settle.hint(Hint(kind=HintKind.DELETED, path=path), at)
        else:
            self._brake.add(path)

    def stamp(self, path: str) -> Stamp | None:
        """Return the stamp of a seed, None if it does not exist; raise `OSError` if it cannot be read."""
        if not self._names.is_seed(path):
            return None
        found = stamp_of(self._names.root, path)
        if isinstance(found, NotAFile):
            self._feed.ignored.add(path, found.reason)
            return None
        return found

    def take_survey(self, survey: Survey) -> None:
        """Queue what a whole scan found: fresh files to settle first, the others to be read."""
        at = self._monotonic()
        self._proves_by_stamp = without_change_times(self._names.root) is None
        for path in survey.missing():
            self._feed.miss(path)
            if path not in self.settle and path not in self._brake:
                self.settle.hint(Hint(kind=HintKind.DELETED, path=path), at)
        if self.failures:
            found = survey.difference
            listed = (*found.new, *found.changed, *found.racy)
            self.failures.keep({seen[0] for seen in listed})
        for seen in survey.difference.new:
            if self._is_to_read(seen, at):
                self.backlog.add_new(*seen[:2])
        changed = [seen for seen in survey.difference.changed if self._is_to_read(seen, at)]
        live = len(changed) <= self._settings.intake.batch_files
        for path, *_ in changed:
            self.backlog.add_changed(path, live=live)
        self.backlog.racy.clear()  # the survey lists all that are still racy
        self.backlog.racy.extend(path for path, *_ in survey.difference.racy)
        self._hashing_since = survey.started
        self.judging.find(survey.has_seen)

    def _is_to_read(self, seen: Seen, at: float) -> bool:
        """Return whether a file that a scan found can be read now; a fresh one has to settle."""
        path, *numbers = seen
        stamp = Stamp(*numbers)
        if path in self.settle:
            return False
        if self._feed.is_settled(path, stamp):
            return False
        age_seconds = self._now().timestamp() - stamp.mtime_ns / 1e9
        if 0 <= age_seconds < self._settings.watch.still_ms / 1000:
            self.settle.hint(Hint(kind=HintKind.WRITTEN, path=path), at)
            return False
        return True

    def step(self) -> None:
        """Read a slice of the backlog, as far as the spool has room."""
        until = self._monotonic() + SLICE_SECONDS
        self._step_racy(until)
        backlog = self.backlog
        waits = backlog.changed or backlog.new or self.judging
        if not waits or self._monotonic() < self._full_until:
            return
        most, outstanding = self._settings.intake.max_batches, self._spool.outstanding()
        for _ in range(self._settings.intake.batch_files):
            if backlog.changed and outstanding < most * _CHANGED_SHARE:
                path, live = backlog.changed.popitem(last=False)
                self._read_found(path, Lane.LIVE if live else Lane.BULK)
            elif outstanding >= most:
                break
            elif backlog.new:
                self._read_new()
            elif (path_again := self.judging.next()) is not None:
                self._read_found(path_again, Lane.BULK)
            else:
                break
            if self._monotonic() >= until:
                break
        else:
            return
        if outstanding >= most:
            self._full_until = self._monotonic() + _FULL_SECONDS

    def _step_racy(self, until: float) -> None:
        racy = self.backlog.racy
        while racy and self._monotonic() < until:
            if self._read_found(racy.popleft(), Lane.LIVE) in {Reading.BUSY, Reading.FAILED}:
                self._hashing_since = None
        if not racy and self._hashing_since is not None:
            self._feed.verified = self._hashing_since
            self._hashing_since = None

    def _read_new(self) -> None:
        path, size, again = self.backlog.next_new()
        if self._read_found(path, Lane.BULK, hasty=not again) is Reading.UNSURE:
            self.backlog.add_new(path, size, again=True)

    def _read_found(self, path: str, lane: Lane, *, hasty: bool = False) -> Reading:
        outcome = self._take(path, lane, hasty=hasty)
        if outcome in {Reading.BUSY, Reading.ABSENT}:
            kind = HintKind.WRITTEN if outcome is Reading.BUSY else HintKind.DELETED
            self.settle.hint(Hint(kind=kind, path=path), self._monotonic())
        return outcome


class Load:
    """Distinguishes a load (more than `most` files a second, until a second has fewer) from single files."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since = float("-inf")
        self._count = 0
        self._lasts = False

    def admits(self, at: float) -> bool:
        """Count one file and return whether it is a single one, not part of a load."""
        if at - self._since >= 1.0:
            self._lasts = at - self._since < 2.0 and self._count > self._most
            self._since, self._count = at, 0
        self._count += 1
        return self._count <= self._most and not self._lasts
