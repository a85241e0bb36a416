"""Supervises the observer of file events, replaces it when it fails, and falls back to polling.

Once a second it checks that the root is the same folder and that every thread of the observer is
alive. It reports a failure as a doubt and starts a new observer. Polling runs the same scans, more
often. Scans nothing itself. Called by the watcher's loop.
"""

from __future__ import annotations

import logging

from worker.settings.model import WatchSettings
from worker.watch.file_system import SILENT, file_system_of, without_change_times
from worker.watch.observer import Cure, Doubt, Events, root_identity

logger = logging.getLogger("content_sync.watch")

_CHECK_SECONDS = 1.0
_RETRY_SECONDS = 600.0


class EventSupervisor:
    """Keeps the observer of one root working. Times are monotonic seconds."""

    def __init__(self, settings: WatchSettings, events: Events, root: str) -> None:
        self._settings = settings
        self._events = events
        self._root = root
        self._identity: tuple[int, int] | None = None
        self._warned = False
        self._check_at = 0.0
        self._retry_at: float | None = None
        self.polling = settings.polling

    @property
    def interval_seconds(self) -> float:
        """Return the time between two scans."""
        watch = self._settings
        return watch.polling_seconds if self.polling else watch.scan_seconds

    def start(self, at: float) -> None:
        """Watch the root as it is now: by events, or by polling if there are none."""
        self._identity = root_identity(self._root)
        self._check_at = at + _CHECK_SECONDS
        self._retry_at = None
        self.polling = self._settings.polling
        if (warning := without_change_times(self._root)) and not self._warned:
            logger.warning("%s", warning)
            self._warned = True
        if self._settings.polling or self._identity is None:
            self._events.stop()
            return
        try:
            self._events.start()
        except OSError as error:
            self._poll(f"the system gives no file events ({error.strerror})", at)
            return
        if (kind := file_system_of(self._root)) in SILENT:
            self._poll(f"the folder is on {kind}: changes by other machines raise no events", None)

    def hurry(self) -> None:
        """Make the next call of `check` look at the root."""
        self._check_at = 0.0

    def check(self, at: float) -> Doubt | None:
        """Once a second, check the root and the observer; return what is wrong, or None."""
        if at < self._check_at:
            return None
        self._check_at = at + _CHECK_SECONDS
        if root_identity(self._root) != self._identity:
            self.start(at)
            exists = self._identity is not None
            reason = "the folder was replaced" if exists else "the folder is missing"
            return Doubt(reason=reason, cure=Cure.NOTHING)
        if self._retry_at is not None and at >= self._retry_at:
            self.start(at)
            return None
        if self._events.running and (blind := self._events.why_blind()) is not None:
            return Doubt(reason=blind, cure=Cure.NEW_OBSERVER)
        return None

    def cure(self, doubt: Doubt, at: float) -> None:
        """Replace the observer or start polling, as the doubt requires."""
        match doubt.cure:
            case Cure.NEW_OBSERVER:
                self.start(at)
            case Cure.POLLING:
                self._poll(doubt.reason, at)
            case Cure.NOTHING:
                pass

    def _poll(self, reason: str, retry_from: float | None) -> None:
        if not self.polling:
            logger.warning(
                "%s: scanning every %g s instead", reason, self._settings.polling_seconds
            )
        self.polling = True
        self._retry_at = None if retry_from is None else retry_from + _RETRY_SECONDS
