"""Extends Celery's consumer: notices lost processes and a replaced store, survives a full Redis.

`worker.run.celery_settings` and `worker.run.tasks` name it; only a process that consumes messages imports it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import sleep
from typing import Any

from celery import Celery, Task, bootsteps
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.strategy import default as default_strategy

from worker.errors import StoreReplacedError

logger = logging.getLogger("content_sync.consumer")

#: The pause before a worker reconnects to a Redis that answers but refuses writes.
REFUSED_SECONDS = 2
#: How often a worker looks whether the store's file is the same.
STORE_SECONDS = 1.0


class PatientConsumer(Consumer):
    """Survives a Redis that answers but refuses writes, as one without free memory does.

    While it connects, Celery looks for the messages of lost workers. If Redis refuses that, nobody owns the
    new connection yet: it would stay open, and the next attempt would follow at once.
    """

    def connection_for_read(self, heartbeat: float | None = None) -> Any:
        """Return a new connection and own it from now on, so that an error closes it."""
        self.connection = super().connection_for_read(heartbeat)
        return self.connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the connection; pause if Redis answered and refused something."""
        super().on_connection_error_after_connected(exc)
        if isinstance(exc, self.channel_errors):
            sleep(REFUSED_SECONDS)


class LossWatch(bootsteps.StartStopStep):
    """Checks often whether a process of the pool has died, while the consumer's event loop runs."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _timer: Any = None

    def start(self, parent: Any) -> None:
        """Start checking, with each connection to the broker."""
        look = getattr(parent.pool, "maintain_pool", None)
        if parent.hub is not None and look is not None:
            self._timer = parent.hub.call_repeatedly(parent.app.conf.worker_lost_wait, look)

    def stop(self, _parent: Any) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class StoreWatch(bootsteps.StartStopStep):
    """Ends the worker when the store's file was deleted or replaced, even while no task comes."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _timer: Any = None

    def start(self, parent: Any) -> None:
        """Start checking, with each connection to the broker."""
        if parent.hub is not None:
            parent.app.store_file.opened()
            self._timer = parent.hub.call_repeatedly(STORE_SECONDS, self._look, parent.app)

    def stop(self, _parent: Any) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, app: Celery) -> None:
        try:
            app.store_file.require_same()
        except StoreReplacedError as error:
            if not state.should_stop:
                logger.critical("%s", error)
            state.should_stop = 1  # the exit code


def or_reconnect(task: Task, app: Celery, consumer: Any) -> Callable[..., Any]:
    """Return Celery's handler for a task's messages, whose answers end the connection if they fail."""
    handle: Callable[..., Any] = default_strategy(task, app, consumer)
    if app.signer is None:
        return handle

    def receive(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> Any:
        return handle(message, body, _or_fail(ack), _or_fail(reject), callbacks)

    return receive


def _or_fail(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return an acknowledgement or reject that ends the connection if it cannot be sent.

    Celery logs the error and goes on. The message then counts as unacknowledged for ever, and a worker with
    one such message for each of its processes fetches no more, even after Redis is back. An error that
    reaches its event loop makes it reconnect.
    """

    def answer_or_fail(log: logging.Logger, _errors: Any, *arguments: Any) -> Any:
        return answer(log, (), *arguments)

    return answer_or_fail
