"""One scan to the end, without a loop, broker or spool: what `content-sync sync` does.

The rules are the watcher's: what is being written is left out and said, what is gone must be gone for
a while, and a mass disappearance is held. A second process helps with a large load. What reads seeds
is loaded once one differs. Called by the command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.domain.folder.reconcile import Difference, Seen, compare, find_missing
from worker.domain.folder.snapshot import Batch, Stamp
from worker.ingest.outcomes import SyncReport
from worker.settings.model import Settings
from worker.watch.brake import Brake, Record
from worker.watch.ignore import SeedNames, seed_names
from worker.watch.lane import Lane, Reading
from worker.watch.read import UNLEASED_STILL_SECONDS, stamp_of
from worker.watch.root import require_folder
from worker.watch.scan import Walk, is_marked, sift, walk
from worker.watch.second_process import is_worth_sharing, sharing

if TYPE_CHECKING:
    from worker.ingest import outcomes
    from worker.watch.feed import Feed

# A batch here is a transaction and no message, so that it may be larger: a commit takes some
# milliseconds, whatever it holds, and small files fill no batch of bytes. With still larger ones, of
# two processes that share a load one would wait for the other at the end.
_FILES_IN_BATCH = 500
# Longer than a file must stand still where neither a close nor a lease tells that it is finished.
_BUSY_SECONDS = UNLEASED_STILL_SECONDS + 0.5


@dataclass(slots=True, kw_only=True)
class Synced:
    """What one scan found. `held` paths are gone and were not retired; `ignored` holds reasons.

    `new`, `changed` and `moved` count what was sent on, or with `dry_run` what would be read; `report`
    counts what came of it.
    """

    scanned: int = 0
    unchanged: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    removed: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    report: SyncReport = field(default_factory=SyncReport)

    def merge(self, share: Synced) -> None:
        """Add what the second process read and took in."""
        self.unchanged += share.unchanged
        self.new += share.new
        self.changed += share.changed
        self.moved += share.moved
        self.busy += share.busy
        self.ignored |= share.ignored
        self.report.merge(share.report)


def sync_once(  # noqa: PLR0913 - all that one scan is given
    *,
    settings: Settings,
    record: Record,
    ingest: Callable[[Batch, bytes], Iterable[outcomes.Outcome]],
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    full: bool = False,
    dry_run: bool = False,
    begun: Walk | None = None,
    before_fork: Callable[[], None] | None = None,
) -> Synced:
    """Scan the folder once and give `ingest` every batch with its bytes.

    `full` reads every file, whatever its stamp says. `dry_run` reads and sends nothing: its counts
    are of stamps. `progress` gets how many files of all are done. `begun` is a walk of the folder that has
    begun already (see `worker.watch.scan_process`). With `before_fork` a large load may be shared with a
    forked process: it is called just before, and closes what must not cross a fork. Raises
    `ConfigurationError` where there is no folder, and whatever `record` and `ingest` raise, there too.
    """
    require_folder(settings.seeds)
    root = str(settings.seeds.absolute())
    names = seed_names(root, settings.watch.suffixes)
    begun = begun or walk(names)
    stamps = record.stamps()
    scanned, unproven = sift(begun, stamps, everything=full)
    missing_since = time.monotonic()
    found = Synced(scanned=scanned, unchanged=scanned, unsure=begun.unsure, ignored=begun.ignored)
    if not (unproven or stamps):
        if not dry_run:
            record.end_hold()  # whatever was gone is back
        return found
    from worker.watch.feed import Feed  # noqa: PLC0415 - parsers and all, which take a while to load

    def send(batch: Batch, data: bytes, _lane: Lane) -> None:
        for outcome in ingest(batch, data):
            found.report.add(outcome)

    feed = Feed(
        _with_large_batches(settings), root=root, send=send, now=now, monotonic=time.monotonic
    )
    feed.load(record.known_files(), record.newest_observation())
    difference = Difference()
    compare(feed.known, unproven, difference, everything=full)
    unseen = [path for path, *_ in stamps if path in feed.known]
    missing = find_missing(unseen, {path for path, *_ in unproven}, begun.unsure)
    doubtful = [*difference.changed, *difference.racy, *difference.new]
    found.unchanged -= len(doubtful)
    if dry_run:
        found.new, found.changed = len(difference.new), len(difference.changed)
        found.unchanged += len(difference.racy)
        found.removed = missing
        return found
    for path in missing:
        feed.miss(path)
    # Where a file is missed, any other may be what it became: one process has to see them all.
    if before_fork is not None and not missing and is_worth_sharing(doubtful):
        before_fork()
        _read_with_second(feed, doubtful, found, settings, progress)
    else:
        _read_all(feed, (path for path, *_ in doubtful), found, settings, progress)
    if feed.is_undecided:  # only the store knows which of them are moves
        feed.load(record.known_files(), record.newest_observation())
    gone = [path for path in missing if path in feed.known]  # those that moved are no longer
    if gone:
        time.sleep(max(0.0, missing_since + settings.watch.removal_ms / 1000 - time.monotonic()))
        gone = [path for path in gone if not _is_there(names, path)]
    _retire(feed, gone, found, settings, record, empty=not scanned)
    feed.flush()
    return found


def _with_large_batches(settings: Settings) -> Settings:
    files = max(settings.intake.batch_files, _FILES_IN_BATCH)
    return replace(settings, intake=replace(settings.intake, batch_files=files))


def _read_with_second(
    feed: Feed,
    files: Sequence[Seen],
    found: Synced,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    """Read the files and send them on, together with a second process."""

    def read_there(paths: Iterator[str], tell: Callable[[int], None]) -> Synced:
        share = Synced(report=found.report)  # its own, and empty: nothing was sent before the fork
        _read_all(feed, paths, share, settings, lambda done, _total: tell(done))
        return share

    with sharing(files, read_there) as (paths, second):
        _read_all(
            feed, paths, found, settings, lambda done, total: progress(done + second.done(), total)
        )
        found.merge(second.result())
    progress(found.scanned - len(found.busy), found.scanned)


def _read_all(
    feed: Feed,
    paths: Iterable[str],
    found: Synced,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    """Read the files and send them on; those that somebody writes are tried again, and then left.

    Those that may be edited ones of files that are gone come after the others.
    """
    waiting: Iterable[str] = paths
    unsure: list[str] = []
    hasty = True
    total, done = found.scanned, found.unchanged
    progress(done, total)
    until = time.monotonic() + _BUSY_SECONDS
    while waiting:
        busy: list[str] = []
        for path in waiting:
            outcome = feed.take(path, Lane.BULK, hasty=hasty)
            if outcome is Reading.BUSY:
                busy.append(path)
                continue
            if outcome is Reading.UNSURE:
                unsure.append(path)
                continue
            _count(outcome, path, found)
            done += 1
            progress(done, total)
        waiting = busy
        if unsure and hasty:
            waiting, unsure, hasty = [*unsure, *busy], [], False
        elif waiting:
            if time.monotonic() >= until:
                break
            time.sleep(settings.watch.still_ms / 1000)
    found.busy = busy
    feed.flush()


def _count(outcome: Reading, path: str, found: Synced) -> None:
    match outcome:
        case Reading.NEW:
            found.new += 1
        case Reading.CHANGED:
            found.changed += 1
        case Reading.MOVED:
            found.moved += 1
        case Reading.SAME:
            found.unchanged += 1
        case Reading.IGNORED:
            found.ignored.setdefault(path, "it is a plain note")
        case Reading.BUSY | Reading.ABSENT | Reading.UNSURE:
            pass


def _retire(
    feed: Feed, gone: list[str], found: Synced, settings: Settings, record: Record, *, empty: bool
) -> None:
    brake = Brake(
        settings.brake,
        record,
        window_seconds=0,
        is_marked=lambda: is_marked(str(settings.seeds), settings.brake.marker),
    )
    brake.root_doubtful = empty
    for path in gone:
        brake.add(path)
    found.removed = brake.decide(feed.known, (), at=time.monotonic(), unread=False)
    retired = set(found.removed)
    found.held = [path for path in gone if path not in retired]
    for path in found.removed:
        feed.remove(path)


def _is_there(names: SeedNames, path: str) -> bool:
    try:
        return names.is_seed(path) and isinstance(stamp_of(names.root, path), Stamp)
    except OSError:
        return True
