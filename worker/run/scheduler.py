"""Celery's beat with a heartbeat, which sends no tick while old ticks wait.

Called by `worker.run.processes` and `worker.run.embedded_worker`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic
from typing import Any

from celery import Celery
from celery.beat import Scheduler, Service

from worker.errors import StoreReplacedError, StoreUnavailableError
from worker.run.celery_settings import NOTICES

logger = logging.getLogger("content_sync.tasks")

MOST_WAITING_TICKS = 10
#: A clock that steps back by less delays a tick by no more than this.
SET_BACK_SECONDS = 1.0


def run_beat(app: Celery) -> None:
    """Run Celery beat until a signal handler ends this process; return if the store's file is lost.

    Celery's command is not used: its signal handlers release the connection on which a tick is being sent
    and raise an exception, which the Redis client then loses, so that beat went on. A tick that is cut off
    costs as little as a lost one.
    """
    app.loader.init_worker()
    app.finalize()
    Service(app, scheduler_cls=LivingScheduler).start()


class LivingScheduler(Scheduler):
    """Celery's in-memory scheduler with a heartbeat, which sends no tick while old ticks wait.

    It keeps no file: a tick only starts an idempotent task, so a lost tick costs nothing.
    """

    heartbeat_seconds = 10
    _next_heartbeat = 0.0
    _clock_offset: float | None = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; at intervals write beat's heartbeat to the store.

        If the store's file was deleted or replaced, log it and end the scheduler.
        """
        self._follow_clock()
        if monotonic() >= self._next_heartbeat:
            self._next_heartbeat = monotonic() + self.heartbeat_seconds
            try:
                self.app.services().heartbeat("beat", {})
            except StoreUnavailableError as error:
                logger.warning("beat: %s", error)
            except StoreReplacedError as error:
                logger.critical("%s", error)
                raise SystemExit(1) from error  # Celery's loop ends with it
        return min(float(super().tick(*args, **kwargs)), self.heartbeat_seconds)

    def _follow_clock(self) -> None:
        """Move the last ticks back with a clock that was set back; Celery would wait for the old time."""
        offset = self.app.now().timestamp() - monotonic()
        before, self._clock_offset = self._clock_offset, offset
        if before is None or before - offset < SET_BACK_SECONDS:
            return
        back = timedelta(seconds=before - offset)
        logger.warning("beat: the clock was set back by %d s", back.total_seconds())
        for entry in self.schedule.values():
            entry.last_run_at -= back
        self._heap = None  # the next tick computes the times again

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a tick, unless the last ones still wait."""
        with self.app.connection_for_write() as connection:
            waiting = connection.default_channel.queue_declare(NOTICES, passive=False).message_count
        if waiting < MOST_WAITING_TICKS:
            return super().apply_async(entry, *args, **kwargs)
        return None
