"""One scan to the end, without a loop, broker or spool: what `content-sync sync` does.

The rules are the watcher's: what is being written is left out and said, what is gone must be gone for
a while, and a mass disappearance is held. Called by the command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from worker.domain.reconcile import Seen
from worker.domain.snapshot import Batch, Stamp
from worker.settings import Settings
from worker.watch.brake import Brake, Record
from worker.watch.feed import Feed, Lane, Outcome
from worker.watch.ignore import SeedNames, seed_names
from worker.watch.read import UNLEASED_STILL_SECONDS, stamp_of
from worker.watch.root import require_folder
from worker.watch.scan import Survey, is_marked, walk

# A batch here is a transaction and no message, so that its bytes alone should bound it: a commit takes
# some milliseconds, whatever it holds, and small files fill no batch of bytes.
_FILES_IN_BATCH = 1000
# Longer than a file must stand still where neither a close nor a lease tells that it is finished.
_BUSY_SECONDS = UNLEASED_STILL_SECONDS + 0.5


@dataclass(slots=True, kw_only=True)
class Synced:
    """What one scan found. `held` paths are gone and were not retired; `ignored` holds reasons.

    `read` counts what was sent on; with `dry_run` nothing is, and `to_read` is what would be read.
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


def sync_once(
    *,
    settings: Settings,
    record: Record,
    ingest: Callable[[Batch, bytes], None],
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    full: bool = False,
    dry_run: bool = False,
) -> Synced:
    """Scan the folder once and give `ingest` every batch with its bytes.

    `full` reads every file, whatever its stamp says. `dry_run` reads and sends nothing: its counts
    are of stamps. `progress` is told how many files of all are dealt with. Raises
    `ConfigurationError` where there is no folder, and whatever `record` and `ingest` raise.
    """
    require_folder(settings.seeds)
    root = str(settings.seeds.absolute())
    names = seed_names(root, settings.watch.suffixes)
    feed = Feed(
        _with_large_batches(settings),
        root=root,
        send=lambda batch, data, _lane: ingest(batch, data),
        now=now,
        monotonic=time.monotonic,
    )
    feed.load(record.known_files(), record.newest_observation())
    survey = Survey(walk(names), feed.known, everything=full)
    survey.step(time.monotonic, float("inf"))
    missing, missing_since = survey.missing(), time.monotonic()
    difference = survey.difference
    doubtful = [*difference.changed, *difference.racy, *difference.new]
    found = Synced(
        scanned=len(survey.seen),
        unchanged=len(survey.seen) - len(doubtful),
        unsure=survey.walk.unsure,
        ignored=survey.walk.ignored,
    )
    if dry_run:
        found.new, found.changed = len(difference.new), len(difference.changed)
        found.unchanged += len(difference.racy)
        found.removed = missing
        return found
    for path in missing:
        feed.miss(path)
    _read_all(feed, doubtful, found, settings, progress)
    feed.flush()
    if feed.is_undecided:  # only the store knows which of them are moves
        feed.load(record.known_files(), record.newest_observation())
    gone = [path for path in missing if path in feed.known]  # those that moved are no longer
    if gone:
        time.sleep(max(0.0, missing_since + settings.watch.removal_ms / 1000 - time.monotonic()))
        gone = [path for path in gone if not _is_there(names, path)]
    _retire(feed, gone, found, settings, record, empty=not survey.seen)
    feed.flush()
    return found


def _with_large_batches(settings: Settings) -> Settings:
    intake = settings.intake
    files = max(intake.batch_files, _FILES_IN_BATCH)
    larger = intake.model_copy(update={"batch_files": files})
    return settings.model_copy(update={"intake": larger})


def _read_all(
    feed: Feed,
    files: Iterable[Seen],
    found: Synced,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    """Read the files; those that somebody writes are tried again for a while, and then left.

    Those that may be edited ones of files that are gone come after the others.
    """
    waiting = [path for path, *_ in files]
    unsure: list[str] = []
    hasty = True
    total, done = found.scanned, found.unchanged
    progress(done, total)
    until = time.monotonic() + _BUSY_SECONDS
    while waiting:
        busy = []
        for path in waiting:
            outcome = feed.take(path, Lane.BULK, hasty=hasty)
            if outcome is Outcome.BUSY:
                busy.append(path)
                continue
            if outcome is Outcome.UNSURE:
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
    found.busy = waiting


def _count(outcome: Outcome, path: str, found: Synced) -> None:
    match outcome:
        case Outcome.NEW:
            found.new += 1
        case Outcome.CHANGED:
            found.changed += 1
        case Outcome.MOVED:
            found.moved += 1
        case Outcome.SAME:
            found.unchanged += 1
        case Outcome.IGNORED:
            found.ignored.setdefault(path, "it is a plain note")
        case Outcome.BUSY | Outcome.ABSENT | Outcome.UNSURE:
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
