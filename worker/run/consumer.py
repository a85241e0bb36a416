"""What a worker's Celery consumer does beyond Celery's own: it verifies, watches for losses, and waits.

Named by `tasks`, and imported only where messages are consumed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import sleep
from typing import Any

from celery import Celery, Task, bootsteps
from celery.worker.consumer import Consumer
from celery.worker.strategy import default as default_strategy

from worker.run.message_signing import SIGNED_TYPE, ForgedMessageError, Signer

logger = logging.getLogger("content_sync.consumer")

#: How long a worker waits before it connects again to a Redis that answers, and takes nothing.
REFUSED_SECONDS = 2


class PatientConsumer(Consumer):
    """Outlives a Redis that answers and takes nothing, as one without memory does.

    Celery looks for the messages of lost workers while it connects. A connection on which Redis refuses
    that would belong to nobody yet and stay open, and the next one would follow at once.
    """

    def connection_for_read(self, heartbeat: float | None = None) -> Any:
        """Return a new connection, which is this consumer's from now on: so it is closed after an error."""
        self.connection = super().connection_for_read(heartbeat)
        return self.connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the connection; wait a little when Redis is there and has refused something."""
        super().on_connection_error_after_connected(exc)
        if isinstance(exc, self.channel_errors):
            sleep(REFUSED_SECONDS)


class LossWatch(bootsteps.StartStopStep):
    """Looks often whether a process of the pool has died, while the consumer has its event loop."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _timer: Any = None

    def start(self, parent: Any) -> None:
        """Begin to look: with the first connection to the broker, and with each further one."""
        look = getattr(parent.pool, "maintain_pool", None)
        if parent.hub is not None and look is not None:
            self._timer = parent.hub.call_repeatedly(parent.app.conf.worker_lost_wait, look)

    def stop(self, _parent: Any) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def verify_first(task: Task, app: Celery, consumer: Any) -> Callable[..., Any]:
    """Return Celery's handler of a task's messages, behind a check of who wrote them.

    A message that is unsigned, badly signed or too large is dropped with one line and counted.
    Nothing of it was parsed by then but the envelope that carries every message of a queue.
    """
    handle: Callable[..., Any] = default_strategy(task, app, consumer)
    signer: Signer | None = app.signer
    if signer is None:
        return handle

    def verify(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> Any:
        is_signed = body is None and message.content_type == SIGNED_TYPE
        try:
            signer.verify(message.body if is_signed else b"")
        except ForgedMessageError as error:
            logger.error("a message for %s was refused: %s", task.name, error)
            app.forgeries.count()
            ack(logger, consumer.connection_errors)
            return None
        return handle(message, body, _or_fail(ack), _or_fail(reject), callbacks)

    return verify


def _or_fail(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return an acknowledgement or reject that ends the connection when it cannot be sent.

    Celery writes the error to the log and goes on. The message then counts as unacknowledged for ever,
    and a worker with as many of them as processes asks for no more: deaf, though Redis is back. An
    error that reaches its event loop makes it connect anew.
    """

    def answer_or_fail(log: logging.Logger, _errors: Any, *arguments: Any) -> Any:
        return answer(log, (), *arguments)

    return answer_or_fail
