"""Celery's settings: queues, transport, limits, the beat schedule, and the longest stop of a worker.

Each value that differs from Celery's default has its reason beside it. Called by `worker.run.tasks`.
"""

from __future__ import annotations

import logging
import os
import signal
from datetime import UTC, datetime
from types import FrameType
from urllib.parse import urlsplit, urlunsplit

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down
from kombu.entity import Queue

from worker.settings.model import Settings

logger = logging.getLogger("content_sync.tasks")

LIVE, BULK, NOTICES = "live", "bulk", "notices"
#: In the order in which a worker serves them: an edit never waits behind a bulk load.
QUEUES = (LIVE, NOTICES, BULK)
INGEST, SWEEP, DELIVER, CANARY = (
    f"content_sync.{name}" for name in ("ingest", "sweep", "deliver", "canary")
)
#: How soon a task's dead process is noticed. Celery's 5 to 15 s would delay the other files of the batch.
LOST_SECONDS = 0.5
#: The longest stop of a worker. Docker Compose waits a little longer.
STOP_SECONDS = 25
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
TRANSPORT = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "global_keyprefix": "content-sync:",
    "queue_order_strategy": "priority",
}
IN_PROCESS_TRANSPORT = "worker.run.memory_broker:Transport"
REDIS_TRANSPORT = "worker.run.redis_broker:Transport"


def broker_of(settings: Settings) -> str:
    """Return the broker's URL for Celery. kombu warns about a URL without a host name."""
    if settings.in_process:
        return "memory://localhost"
    return _checking_certificates(settings.broker_url.value)


def configure(app: Celery, settings: Settings, serializer: str) -> None:
    """Configure an application; it reads and writes messages with `serializer` only."""
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a Redis without free memory refuses a worker's writes
        broker_transport=IN_PROCESS_TRANSPORT if settings.in_process else REDIS_TRANSPORT,
        broker_transport_options={}
        if settings.in_process
        else TRANSPORT | {"signer": app.signer, "forgeries": app.forgeries},
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue=LIVE,
        task_serializer=serializer,
        accept_content=[serializer],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,  # except for the task that counts its attempts
        task_time_limit=240,
        task_soft_time_limit=200,
        worker_consumer="worker.run.consumer:PatientConsumer",
        worker_prefetch_multiplier=1,
        worker_lost_wait=LOST_SECONDS,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_soft_shutdown_timeout=20,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_direct=True,
        worker_enable_remote_control=False,
        enable_utc=True,
        timezone="UTC",
        beat_schedule={
            "sweep": {
                "task": SWEEP,
                "schedule": settings.review.sweep_seconds,
                "options": {"queue": NOTICES, "expires": settings.review.sweep_seconds},
                "last_run_at": LONG_AGO,  # so that the first sweep comes at start
            },
            "deliver": {
                "task": DELIVER,
                "schedule": settings.delivery.tick_seconds,
                "options": {"queue": NOTICES, "expires": 30},
            },
        },
    )


def _checking_certificates(url: str) -> str:
    """Return the URL with certificate checks on, which are off by default in Celery."""
    parts = urlsplit(url)
    if parts.scheme != "rediss" or "ssl_cert_reqs" in parts.query:
        return url
    query = "&".join(filter(None, (parts.query, "ssl_cert_reqs=required")))
    return urlunsplit(parts._replace(query=query))


@setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """Keep Celery from configuring logging, which `worker.run.logs` does."""


@worker_shutting_down.connect
def _end_in_time(**_: object) -> None:
    """Limit the stop: waiting for a process that is frozen, or that died while writing, has no end.

    Celery calls this in the main thread, and only a signal interrupts a main thread that waits like that.
    """
    if signal.getsignal(signal.SIGALRM) is not _end_now:  # a second SIGTERM delays nothing
        signal.signal(signal.SIGALRM, _end_now)
        signal.alarm(STOP_SECONDS)


def _end_now(_number: int, _frame: FrameType | None) -> None:
    try:
        logger.critical(
            "could not stop within %d s: exiting; its tasks are delivered again", STOP_SECONDS
        )
    finally:
        os._exit(1)
