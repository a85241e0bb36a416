"""A watcher over a real folder, whose batches a record in memory ingests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.seeds import a_seed
from support.waiting import PATIENCE_SECONDS, wait_until

from worker.domain.folder.brake import Removals
from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.known import KnownFiles
from worker.domain.folder.reconcile import UNPROVEN_SIZE, Seen, is_racy, was_unread
from worker.domain.folder.snapshot import BATCH_FORMAT, Batch, Known, Stamp
from worker.domain.rules.judge import Judge
from worker.errors import BrokerUnavailableError, StoreUnavailableError
from worker.ingest.spool import MemorySpool
from worker.settings.model import (
    BrakeSettings,
    IntakeSettings,
    Settings,
    WatchSettings,
    load_settings,
)
from worker.watch.sync import Synced, sync_once
from worker.watch.watcher import Watcher


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Taken:
    """One thing that a batch said of a path: its bytes, None for a removal or an unreadable file."""

    path: str
    queue: str
    data: bytes | None
    moved_from: str | None = None
    code: str | None = None


class Library:
    """What the store knows, in memory: a record for the watcher, and the other end of its queues."""

    def __init__(self) -> None:
        self.spool = MemorySpool()
        self.known: dict[str, Known] = {}
        self.content: dict[str, bytes] = {}
        self.taken: list[Taken] = []
        self.batches: list[Batch] = []
        self.beats: list[dict[str, Any]] = []
        self.retired: set[str] = set()  # and not because a person agreed
        self.held: list[str] | None = None
        self.is_approved = False
        self.broker_is_away = False
        self.store_is_away = False
        self.loses_messages = False
        self.consumes = True
        self.reads_format = BATCH_FORMAT
        self.judge = Judge(id="0123", parts={})
        self._waiting: list[tuple[Batch, str]] = []
        self._lock = threading.Lock()
        self.asked = 0  # how often for all that it knows

    def publish(self, batch: Batch, queue: str) -> None:
        if self.broker_is_away:
            raise BrokerUnavailableError("no broker at redis://example")
        if self.loses_messages:
            return
        with self._lock:
            self._waiting.append((batch, queue))
        if self.consumes:
            self.consume()

    def consume(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for batch, queue in waiting:
                self._take_in(Batch.from_json(batch.as_json()), queue)

    def _take_in(self, batch: Batch, queue: str) -> None:
        data = self.spool.get(batch.id) if batch.snapshots else b""
        assert data is not None
        assert len(data) == batch.size
        self.batches.append(batch)
        start = 0
        for item in batch.snapshots:
            bytes_, start = data[start : start + item.stamp.size], start + item.stamp.size
            self.taken.append(
                Taken(item.path, queue, bytes_, moved_from=item.moved_from and item.moved_from.path)
            )
            if self._is_newer(item.path, item.observed):
                self._keep(item.path, item.stamp, item.sha256, item.observed, live=True)
                self.content[item.path] = bytes_
            if item.moved_from is not None and self._is_newer(item.moved_from.path, item.observed):
                self._lose(item.moved_from.path)
        for unread in batch.unreadable:
            self.taken.append(Taken(unread.path, queue, None, code=unread.code))
            if self._is_newer(unread.path, unread.observed):
                live = unread.path in self.content
                sha256 = unread_sha256(unread.stamp, unread.code)
                self._keep(unread.path, unread.stamp, sha256, unread.observed, live=live)
        for removal in batch.removals:
            self.taken.append(Taken(removal.path, queue, None))
            if self._is_newer(removal.path, removal.observed):
                if removal.path in self.content and not self.is_approved:
                    self.retired.add(removal.path)
                self._lose(removal.path)
        self.spool.drop(batch.id)

    def _is_newer(self, path: str, observed: int) -> bool:
        return path not in self.known or self.known[path].observed < observed

    def _keep(self, path: str, stamp: Stamp, sha256: str, observed: int, *, live: bool) -> None:
        self.known[path] = Known(stamp=stamp, sha256=sha256, observed=observed, live=live)
        self.retired.discard(path)

    def _lose(self, path: str) -> None:
        self.known.pop(path, None)
        self.content.pop(path, None)

    # The record of the watcher.

    def known_files(self) -> KnownFiles:
        self._answer()
        self.asked += 1
        with self._lock:
            return KnownFiles(self.known)

    def stamps(self) -> set[Seen]:
        self._answer()
        found: set[Seen] = set()
        with self._lock:
            for path, known in self.known.items():
                size, *rest = known.stamp
                proves = not (is_racy(known, 0) or was_unread(known)) and known.judged
                found.add((path, size if proves else UNPROVEN_SIZE, *rest))
        return found

    def fingerprint(self) -> tuple[int, ...]:
        self._answer()
        with self._lock:
            return (hash(frozenset(self.known.items())),)

    def newest_observation(self) -> int:
        return max((known.observed for known in self.known.values()), default=0)

    def why_judged_again(self) -> list[str]:
        return ["the schema"]

    def change_rules(self) -> None:
        """From now on no verdict holds that was made before."""
        self.judge = Judge(id="4567", parts={})
        with self._lock:
            for path, known in self.known.items():
                self.known[path] = known._replace(judged=False)

    def batch_format(self) -> int:
        return self.reads_format

    def heartbeat(self, name: str, data: dict[str, Any]) -> None:
        self._answer()
        assert name == "watcher"
        self.beats.append(data)

    def removals(self, released: Collection[str]) -> Removals:
        self._answer()
        held = frozenset(self.held or ())
        with self._lock:
            return Removals(
                retired=len(self.retired),
                agreed=held if self.is_approved else frozenset(),
                held=frozenset() if self.is_approved else held,
                is_held=self.held is not None,
                unstored=frozenset(path for path in released if path in self.content),
            )

    def hold(self, removals: list[str], live: int) -> None:
        self._answer()
        self.held = removals

    def end_hold(self) -> None:
        self._answer()
        self.held, self.is_approved = None, False

    def _answer(self) -> None:
        if self.store_is_away:
            raise StoreUnavailableError("no database at postgresql://example")

    # What tests ask.

    def of(self, path: str) -> list[Taken]:
        return [taken for taken in self.taken if taken.path == path]

    @property
    def removed(self) -> list[str]:
        return [t.path for t in self.taken if t.data is None and t.code is None]

    @property
    def moved(self) -> dict[str, str]:
        return {t.path: t.moved_from for t in self.taken if t.moved_from is not None}


class Different(list[str]):
    """Paths that differ: no success, and worth showing."""

    def __bool__(self) -> bool:
        return False


class Watching:
    """A folder that is being watched."""

    def __init__(self, seeds: Path, settings: Settings, library: Library) -> None:
        self.seeds = seeds
        self.settings = settings
        self.library = library
        self.watcher = Watcher(
            settings=settings,
            record=library,
            spool=library.spool,
            publish=library.publish,
            now=now,
            monotonic=time.monotonic,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.watcher.run, args=(self._stop,))

    def start(self) -> Watching:
        self._thread.start()
        wait_until(lambda: self.library.beats, what="the first heartbeat")
        wait_until(lambda: self.library.beats[-1]["last_scan"], what="the first scan")
        return self

    def beat(self) -> None:
        self.watcher._beat_at = 0.0

    def scans_again(self) -> None:
        """Wait for a scan that ends after now."""
        began = now().isoformat()

        def scanned() -> bool:
            self.beat()
            return (self.library.beats[-1]["last_scan"] or "") > began

        wait_until(scanned, what="another scan")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def files(self) -> dict[str, bytes]:
        """Return every seed in the folder, as a reader who follows no link sees it."""
        found = {}
        for path in self.seeds.rglob("*"):
            name = path.relative_to(self.seeds).as_posix()
            if path.suffix in {".md", ".txt"} and path.is_file() and not path.is_symlink():
                with suppress(FileNotFoundError):
                    if not any(part.startswith(".") for part in name.split("/")):
                        found[name] = path.read_bytes()
        return found

    def difference(self) -> list[str]:
        """Return the paths whose last snapshot is not what the folder holds."""
        stored, there = dict(self.library.content), self.files()
        return sorted(p for p in stored.keys() | there.keys() if stored.get(p) != there.get(p))

    def settles(self) -> None:
        """Wait until the folder equals the library."""

        def equal() -> object:
            return not (different := self.difference()) or Different(different)

        wait_until(equal, what="the folder to equal the library")

    def sees(self, path: str, data: bytes | str) -> None:
        """Wait until a path's last snapshot has these bytes."""
        wanted = data if isinstance(data, bytes) else data.encode()
        wait_until(lambda: self.library.content.get(path) == wanted, what=f"the snapshot of {path}")


def quick_settings(seeds: Path, *, brake: BrakeSettings | None = None, **watch: Any) -> Settings:
    """Return settings with short waits, and no scan but the first, so that events are tested."""
    quick = {"still_ms": 50, "removal_ms": 200, "scan_seconds": 3600, **watch}
    return load_settings(
        seeds=seeds,
        watch=WatchSettings(**quick),
        brake=brake or BrakeSettings(),
        intake=IntakeSettings(batch_files=64, max_batches=4),
    )


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def watch(seeds: Path, library: Library) -> Iterator[Callable[..., Watching]]:
    """Start a watcher over the seeds folder, with settings of the test's choice."""
    begun: list[Watching] = []

    def start(*, over: Path = seeds, **options: Any) -> Watching:
        settings = quick_settings(over, **options)
        begun.append(Watching(over, settings, library))
        return begun[-1].start()

    yield start
    for watching in begun:
        watching.stop()


@pytest.fixture
def watching(watch: Callable[..., Watching]) -> Watching:
    """Give a watched, empty folder."""
    return watch()


@pytest.fixture
def page() -> str:
    return a_seed(title="Eating well")


@pytest.fixture
def sync(seeds: Path, library: Library) -> Callable[..., Synced]:
    """Return a function that syncs the folder once, as the command does.

    An hour later no file of the test is racy any more.
    """
    settings = load_settings(
        seeds=seeds,
        watch=WatchSettings(removal_ms=50, still_ms=20),
        intake=IntakeSettings(max_file_bytes=5_000),
    )

    def ingest(batch: Batch, data: bytes) -> list[Any]:
        library.spool.put(batch.id, data)
        library.publish(batch, "sync")
        return []

    def run(*, hours_later: int = 0, **options: Any) -> Synced:
        return sync_once(
            settings=settings,
            record=library,
            ingest=ingest,
            now=lambda: now() + timedelta(hours=hours_later),
            **options,
        )

    return run
