"""The worker and the scheduler as threads of one process, for the in-process broker of `up`.

Called by `worker.run.processes`.
"""

from __future__ import annotations

from threading import Thread

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import state

from worker.run.memory_broker import impatient
from worker.run.scheduler import LivingScheduler
from worker.run.tasks import preload


class EmbeddedWorkers:
    """A Celery worker and beat as threads of this process, for the in-process broker."""

    def __init__(self, app: Celery, *, concurrency: int) -> None:
        preload()
        # Without it, tasks that another thread sends are never run, silently.
        app.set_default()
        self._worker = app.WorkController(
            pool="threads",
            concurrency=concurrency,
            hostname="worker@embedded",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._worker_thread = Thread(target=self._worker.start, name="worker", daemon=True)
        self._beat = EmbeddedService(app, thread=True, scheduler_cls=LivingScheduler)

    def start(self) -> None:
        """Start both."""
        self._worker_thread.start()
        self._beat.start()

    def alive(self) -> bool:
        """Return whether both run."""
        return self._worker_thread.is_alive() and self._beat.is_alive()

    def stop(self) -> None:
        """Stop the ticks, let running tasks end, and stop the worker."""
        self._beat.service.stop()
        state.should_stop = 0
        with impatient():
            self._worker_thread.join()
        state.should_stop = None
