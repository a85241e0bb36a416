"""Turns watchdog's file events into hints in a queue, and detects when events are lost.

watchdog 7.1 loses events without an error in several cases: the kernel's queue overflows, the watch
limit is reached below the root, the root is unmounted or created again, a thread dies. This module
detects each and reports it as a doubt; the watcher's loop reacts and scans. The handler only enqueues,
because a slow or raising handler stops the observer. Called by the watcher's loop.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from worker.watch.settle import Hint, HintKind

logger = logging.getLogger("content_sync.watch")

# Without "opened" and "closed without writing": our own reads would raise them endlessly. With changes of
# permissions, because a file that could not be read may be readable now.
EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
#: How long watchdog waits for the second half of a rename; all other events wait behind it. Both halves
#: arrive in one read of the kernel's queue. A scan or the equal hash finds the move if they do not.
PAIRING_SECONDS = 0.05
_MOST_HINTS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderHint:
    """An event on a folder, relative to the root: anything below it may have changed."""

    path: str


class Cure(Enum):
    """What to do against lost events, besides a scan."""

    NOTHING = auto()
    NEW_OBSERVER = auto()
    POLLING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Events were or will be lost: only a scan shows what the folder contains."""

    reason: str
    cure: Cure


Signal = Hint | FolderHint | Doubt

if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyFullEmitter
    from watchdog.observers.inotify_c import (
        CallbackId,
        InotifyConstants,
        InotifyEvent,
        InotifyFD,
        Mask,
        WatchCallback,
        WatchDescriptor,
    )
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    class _Inotify(InotifyFD):
        """watchdog's reader of the kernel's queue; reports what watchdog only logs or drops."""

        def __init__(self, signals: Queue[Signal]) -> None:
            super().__init__()
            self._signals = signals
            self._reported = False

        def add_callback(
            self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
        ) -> WatchDescriptor:
            try:
                return super().add_callback(path, mask, callback, id_)
            except OSError as error:
                limit = error.errno in {errno.ENOSPC, errno.EMFILE, errno.ENOMEM}
                if limit and not self._reported:
                    self._reported = True
                    reason = f"{error.strerror}; raise fs.inotify.max_user_watches"
                    self._signals.put(Doubt(reason=reason, cure=Cure.POLLING))
                raise

        def handle_event(self, event: InotifyEvent) -> None:
            super().handle_event(event)
            if event.is_queue_overflow:
                reason = "more changed at once than the kernel's queue holds"
                self._signals.put(Doubt(reason=reason, cure=Cure.NOTHING))
            elif event.mask & InotifyConstants.IN_UNMOUNT:
                reason = "a file system was unmounted"
                self._signals.put(Doubt(reason=reason, cure=Cure.NEW_OBSERVER))

    class _InotifyObserver(BaseObserver):
        """watchdog's observer with `_Inotify` and the full emitter.

        The default emitter reports a rename from outside as a creation, which would have to settle; a
        renamed file is already complete.
        """

        def __init__(self, signals: Queue[Signal]) -> None:
            self.inotify = _Inotify(signals)
            super().__init__(InotifyFullEmitter, inotify_fd=self.inotify)
            self.inotify.start()

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self.inotify.stop()
            self.inotify.join(timeout=2)


class _Handler(FileSystemEventHandler):
    """Turns events into hints in the queue, and does nothing else."""

    def __init__(self, root: str, signals: Queue[Signal]) -> None:
        self._root = root
        self._prefix = root if root.endswith("/") else f"{root}/"
        self._signals = signals

    def dispatch(self, event: FileSystemEvent) -> None:
        """Enqueue the hints of one event."""
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        put = self._signals.put
        if event.is_directory:
            for path in filter(None, (source, target)):
                put(FolderHint(path=self._relative(path)))
            return
        match event.event_type:
            case "moved":  # one path is empty if the file came from outside the root or left it
                if source:
                    put(Hint(kind=HintKind.DELETED, path=self._relative(source)))
                if target:
                    put(Hint(kind=HintKind.CLOSED, path=self._relative(target)))
            case "deleted":
                put(Hint(kind=HintKind.DELETED, path=self._relative(source)))
            case "closed":
                put(Hint(kind=HintKind.CLOSED, path=self._relative(source)))
            case "created":
                put(Hint(kind=HintKind.ARRIVED, path=self._relative(source)))
            case _:
                put(Hint(kind=HintKind.WRITTEN, path=self._relative(source)))

    def _relative(self, path: str) -> str:
        return "" if path == self._root else path.removeprefix(self._prefix)


class Events:
    """The events below one root: a replaceable observer, and the queue of its hints."""

    def __init__(self, root: str) -> None:
        self._root = root
        # Not SimpleQueue: in CPython 3.11 its `get` never returns if the timeout ends before it waits.
        self._signals: Queue[Signal] = Queue()
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def running(self) -> bool:
        """Return whether an observer exists, alive or not."""
        return self._observer is not None

    def start(self) -> None:
        """Watch the root as it is now; raise `OSError` if the system allows no (more) watches."""
        self.stop()
        self._identity = root_identity(self._root)
        path = os.path.realpath(self._root)
        observer = _make_observer(self._signals)
        try:
            observer.schedule(
                _Handler(path, self._signals), path, recursive=True, event_filter=EVENTS
            )
            observer.start()
        except BaseException:
            _end(observer)
            raise
        self._observer = observer

    def stop(self) -> None:
        """End the observer and its threads; keep the queue."""
        observer, self._observer = self._observer, None
        if observer is not None:
            _end(observer)

    def why_blind(self) -> str | None:
        """Return why the observer must be replaced, or None if it seems to work."""
        if self._observer is None:
            return "no observer is running"
        if root_identity(self._root) != self._identity:
            return "the folder was replaced, unmounted or deleted"
        threads: list[Any] = [self._observer, *self._observer.emitters]
        if sys.platform == "linux" and isinstance(self._observer, _InotifyObserver):
            threads.append(self._observer.inotify)
        dead = [type(thread).__name__ for thread in threads if not thread.is_alive()]
        if dead or not self._observer.emitters:
            return f"a thread of the observer died ({', '.join(dead) or 'emitter'})"
        return None

    def take(self, timeout_seconds: float) -> list[Signal]:
        """Wait for a signal; return all that are queued, or an empty list after the timeout."""
        try:
            signals = [self._signals.get(timeout=timeout_seconds)]
        except Empty:
            return []
        while len(signals) < _MOST_HINTS_AT_ONCE:
            try:
                signals.append(self._signals.get_nowait())
            except Empty:
                break
        return signals

    def drain(self) -> None:
        """Discard the queued hints: a scan follows."""
        while self.take(0.0):
            pass


def root_identity(root: str) -> tuple[int, int] | None:
    """Return the device and inode of the root, or None if it does not exist."""
    try:
        found = Path(root).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make_observer(signals: Queue[Signal]) -> BaseObserver:
    if sys.platform != "linux":
        return Observer()
    # Otherwise each new folder warns, in several kilobytes, that a callback replaces itself.
    warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)
    InotifyMoveEventGrouper.delay = PAIRING_SECONDS
    return _InotifyObserver(signals)


def _end(observer: BaseObserver) -> None:
    """Stop an observer that may have failed; a thread that does not stop is a daemon and is left running."""
    try:
        observer.stop()
        if observer.is_alive():
            observer.join(timeout=5)
    except Exception as error:  # noqa: BLE001 - it has failed already, and a new one replaces it
        logger.debug("the old observer did not end well: %s", error)
