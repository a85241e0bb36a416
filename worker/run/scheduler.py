"""Celery's beat as this service runs it: it says that it lives, and sends no tick on top of old ones.

Called by `worker.run.processes` and `worker.run.embedded_worker`.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Any

from celery import Celery
from celery.apps.beat import Beat
from celery.beat import Scheduler

from worker.errors import StoreUnavailableError
from worker.run.celery_settings import NOTICES

logger = logging.getLogger("content_sync.tasks")

MOST_WAITING_TICKS = 10


def run_beat(app: Celery) -> None:
    """Run Celery beat in this process; the handlers of signals that are there have to end it."""
    EndingBeat(app=app, scheduler_cls=LivingScheduler, quiet=True).run()


class LivingScheduler(Scheduler):
    """Celery's in-memory scheduler, which also says that it lives, and sends no tick on top of old ones.

    Nothing is kept in a file: a tick only calls an idempotent sweep, so a lost one costs nothing.
    """

    heartbeat_seconds = 10
    _next_heartbeat = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; at intervals note in the store that beat lives."""
        if monotonic() >= self._next_heartbeat:
            self._next_heartbeat = monotonic() + self.heartbeat_seconds
            try:
                self.app.services().heartbeat("beat", {})
            except StoreUnavailableError as error:
                logger.warning("beat: %s", error)
        return min(float(super().tick(*args, **kwargs)), self.heartbeat_seconds)

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a tick, unless nobody has consumed the last ones."""
        with self.app.connection_for_write() as connection:
            waiting = connection.default_channel.queue_declare(NOTICES, passive=False).message_count
        if waiting < MOST_WAITING_TICKS:
            return super().apply_async(entry, *args, **kwargs)
        return None


class EndingBeat(Beat):
    """Celery's beat without its handlers, so that those of `worker.run.signals` stay, which end it at once.

    Celery's release the connection that a tick is being sent over, and raise an exception, which the client
    of Redis loses over that: beat went on. A tick that is cut off costs as little as one that is lost.
    """

    def install_sync_handler(self, service: Any) -> None:
        """Install none."""
