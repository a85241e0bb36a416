"""Scans the folder once, without a loop, broker or spool: the work of `content-sync sync`.

The watcher's rules apply: a file that is being written is skipped and reported, a missing file must be
missing for a while, and a mass disappearance is held. A second process helps with a large load. The
parsers are imported only if a file has changed. Called by the command.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.domain.folder.reconcile import Difference, Seen, compare, find_missing
from worker.domain.folder.snapshot import Batch, Stamp
from worker.domain.seeds.visible import one_line
from worker.errors import ContentSyncError
from worker.ingest.outcomes import SyncReport
from worker.settings.model import Settings
from worker.watch.brake import Brake, Record
from worker.watch.failures import in_words
from worker.watch.ignore import SeedNames, seed_names
from worker.watch.lane import Lane, Reading
from worker.watch.read import UNLEASED_STILL_SECONDS, stamp_of
from worker.watch.root import require_folder
from worker.watch.scan import Walk, is_marked, sift, walk
from worker.watch.second_process import is_worth_sharing, sharing

if TYPE_CHECKING:
    from worker.ingest import outcomes
    from worker.watch.feed import Feed

logger = logging.getLogger("content_sync")

# A batch here is a transaction, not a message, so it may be larger: a commit takes some milliseconds
# whatever its size, and small files do not reach the limit in bytes. If batches were larger still, one of
# two processes that share a load would wait for the other at the end.
_FILES_IN_BATCH = 500
# Longer than a file must be unchanged if neither a close nor a lease shows that it is finished.
_BUSY_SECONDS = UNLEASED_STILL_SECONDS + 0.5


@dataclass(slots=True, kw_only=True)
class Synced:
    """What one scan found. `held` paths are missing and were not retired; `ignored` has the reasons.

    `new`, `changed`, `moved` and `judged_again` count the files that were ingested, or with `dry_run` those
    that would be read; `report` counts the outcomes.
    """

    scanned: int = 0
    unchanged: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    judged_again: int = 0
    removed: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    report: SyncReport = field(default_factory=SyncReport)

    def merge(self, share: Synced) -> None:
        """Add what the second process read and ingested."""
        self.unchanged += share.unchanged
        self.new += share.new
        self.changed += share.changed
        self.moved += share.moved
        self.judged_again += share.judged_again
        self.busy += share.busy
        self.ignored |= share.ignored
        self.report.merge(share.report)


def sync_once(  # noqa: PLR0913 - everything that one scan needs
    *,
    settings: Settings,
    record: Record,
    ingest: Callable[[Batch, bytes], Iterable[outcomes.Outcome]],
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    full: bool = False,
    dry_run: bool = False,
    started_walk: Walk | None = None,
    before_fork: Callable[[], None] | None = None,
) -> Synced:
    """Scan the folder once and call `ingest` with each batch and its bytes.

    `full` reads every file, whatever its stamp. `dry_run` reads and sends nothing and counts by stamps.
    `progress` gets the number of files done, and of all. `started_walk` is a walk that has already started
    (see `worker.watch.scan_process`). With `before_fork` a large load may be shared with a forked process;
    it is called just before the fork, and closes what must not cross it. Raises `ConfigurationError` if
    the folder does not exist, and whatever `record` and `ingest` raise, in either process.
    """
    require_folder(settings.seeds)
    root = str(settings.seeds.absolute())
    names = seed_names(root, settings.watch)
    walked = started_walk or walk(names)
    stamps = record.stamps()
    scanned, unproven = sift(walked, stamps, everything=full)
    missing_since = time.monotonic()
    found = Synced(scanned=scanned, unchanged=scanned, unsure=walked.unsure, ignored=walked.ignored)
    if not (unproven or stamps):
        if not dry_run:
            record.end_hold()  # all missing files are back
        return found
    from worker.watch.feed import Feed  # noqa: PLC0415 - loads the parsers, which takes a while

    def send(batch: Batch, data: bytes, _lane: Lane) -> None:
        for outcome in ingest(batch, data):
            found.report.add(outcome)

    feed = Feed(
        _with_large_batches(settings), root=root, send=send, now=now, monotonic=time.monotonic
    )
    feed.keeps_proof = True
    feed.judge = record.judge.id
    feed.load(record.known_files(), record.newest_observation())
    difference = Difference()
    compare(feed.known, unproven, difference, everything=full)
    unseen = [path for path, *_ in stamps if path in feed.known]
    missing = find_missing(unseen, {path for path, *_ in unproven}, walked.unsure)
    doubtful = [
        *(*difference.changed, *difference.racy),
        *(*difference.unjudged, *difference.new),
    ]
    found.unchanged -= len(doubtful)
    if dry_run:
        unknown = [
            path
            for path, *stamp in difference.changed
            if feed.known[path].stamp.lacks_only_ctime(Stamp(*stamp))
        ]
        found.new, found.changed = len(difference.new), len(difference.changed) - len(unknown)
        found.unchanged += len(difference.racy) + len(unknown)
        found.judged_again = len(difference.unjudged)
        found.removed = missing
        return found
    for path in missing:
        feed.miss(path)
    # If a file is missing, any other may be its move, so one process has to see them all.
    if before_fork is not None and not missing and is_worth_sharing(doubtful):
        before_fork()
        _read_with_second(feed, doubtful, found, settings, progress)
    else:
        _read_all(feed, (path for path, *_ in doubtful), found, settings, progress)
    if feed.is_undecided:  # the store knows by now which of them are moves
        feed.load(record.known_files(), record.newest_observation())
    gone = [path for path in missing if path in feed.known]  # without those that moved
    if gone:
        time.sleep(max(0.0, missing_since + settings.watch.removal_ms / 1000 - time.monotonic()))
        gone = [path for path in gone if not _may_exist(names, path)]
    _retire(feed, gone, found, settings, record)
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
    """Read the files and send them, together with a second process."""

    def read_share(paths: Iterator[str], report: Callable[[int], None]) -> Synced:
        # The fork's copy of the report, which is empty: nothing was sent before the fork.
        share = Synced(report=found.report)
        _read_all(feed, paths, share, settings, lambda done, _total: report(done))
        return share

    with sharing(files, read_share) as (paths, second):
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
    """Read the files and send them; retry those that are being written for a while, then skip them.

    Files that may be edited copies of missing files are read after the others.
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
            try:
                outcome = feed.take(path, Lane.BULK, hasty=hasty)
            except ContentSyncError:
                raise
            except Exception as error:  # noqa: BLE001 - one file never ends a scan
                found.report.add(_failed(path, error))
                done += 1
                continue
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


def _failed(path: str, error: Exception) -> outcomes.Outcome:
    """Return the outcome of a file that something unforeseen kept from being read."""
    from worker.domain.rules.rules import UNREADABLE, unreadable_problem  # noqa: PLC0415
    from worker.ingest.outcomes import Outcome  # noqa: PLC0415

    logger.error("reading %s failed", one_line(path, limit=200), exc_info=error)
    problem = unreadable_problem(UNREADABLE, in_words(error))
    return Outcome(path=path, kind="failed", problems=(problem,))


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
        case Reading.AGAIN:
            found.judged_again += 1
        case Reading.IGNORED:
            found.ignored.setdefault(path, "it is a plain note")
        case Reading.BUSY | Reading.ABSENT | Reading.UNSURE | Reading.FAILED:
            pass


def _retire(feed: Feed, gone: list[str], found: Synced, settings: Settings, record: Record) -> None:
    brake = Brake(
        settings.brake,
        record,
        is_marked=lambda: is_marked(str(settings.seeds), settings.brake.marker),
    )
    for path in gone:
        brake.add(path)
    found.removed = brake.decide(feed.known, (), at=time.monotonic(), unread=False)
    retired = set(found.removed)
    found.held = [path for path in gone if path not in retired]
    for path in found.removed:
        feed.remove(path)


def _may_exist(names: SeedNames, path: str) -> bool:
    try:
        return names.is_seed(path) and isinstance(stamp_of(names.root, path), Stamp)
    except Exception:  # noqa: BLE001 - what is unknown is not gone
        return True
