"""The Celery application: its settings, three thin tasks, and the beat schedule.

Only this module, `consumer` and `celery_app` know Celery. Tasks ask for their services when they run,
so that each worker process opens connections of its own, after the fork.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread
from time import monotonic
from types import FrameType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from celery import Celery, Task
from celery.apps.beat import Beat
from celery.beat import EmbeddedService, Scheduler
from celery.signals import setup_logging, worker_shutting_down
from celery.utils.nodenames import worker_direct
from celery.worker import state
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from kombu.serialization import register

from worker.domain.folder.snapshot import Batch
from worker.domain.seeds.visible import without_password
from worker.errors import BrokerUnavailableError, StoreUnavailableError
from worker.library.services import Services
from worker.run.message_signing import SIGNED, SIGNED_TYPE, Refusals, make_signer
from worker.settings.model import Settings

logger = logging.getLogger("content_sync.tasks")

LIVE, BULK, NOTICES = "live", "bulk", "notices"
#: In the order in which a worker looks at them: an edit never waits behind a bulk load.
QUEUES = (LIVE, NOTICES, BULK)
INGEST, SWEEP, DELIVER, CANARY = (
    f"content_sync.{name}" for name in ("ingest", "sweep", "deliver", "canary")
)
MOST_WAITING_TICKS = 10
CANARY_SECONDS = 60
CONSUMED_SECONDS = 5.0
#: How soon a task's dead process is noticed. Celery's own 5 to 15 s would hold up the files beside it.
LOST_SECONDS = 0.5
#: The longest stop of a worker. Docker Compose is told to wait a little longer.
STOP_SECONDS = 25
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
RETRY_SECONDS = (1, 2, 5, 10, 20, 30)  # none above 60 s: visibility_timeout would hand it out twice
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


@setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """Keep Celery from setting up logging: `worker.run.logs` has done so."""


@worker_shutting_down.connect
def _end_in_time(**_: object) -> None:
    """Bound the stop: one that waits for a process that is frozen, or died as it spoke, has no end.

    Celery calls this in the main thread. Only a signal gets through to it where it waits like that.
    """
    if signal.getsignal(signal.SIGALRM) is not _end_now:  # a second SIGTERM delays nothing
        signal.signal(signal.SIGALRM, _end_now)
        signal.alarm(STOP_SECONDS)


def _end_now(_number: int, _frame: FrameType | None) -> None:
    try:
        logger.critical(
            "ended after %d s in which it could not stop: its tasks come again", STOP_SECONDS
        )
    finally:
        os._exit(1)


def create_app(settings: Settings, services: Callable[[], Services]) -> Celery:
    """Return the application; `services` gives those of the calling process."""
    # With a host name, since kombu warns of a URL without one.
    broker = (
        "memory://localhost"
        if settings.in_process
        else _checking_certificates(settings.broker_url.value)
    )
    app = Celery("content_sync", broker=broker, task_cls=VerifiedTask)
    app.refusals = Refusals()
    app.signer = signer = make_signer(settings)
    if signer is not None:
        register(SIGNED, signer.seal, signer.open, SIGNED_TYPE, "utf-8")
    serializer = "json" if signer is None else SIGNED
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a Redis without memory refuses what a worker notes
        broker_transport=IN_PROCESS_TRANSPORT if settings.in_process else None,
        broker_transport_options={} if settings.in_process else TRANSPORT,
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue=LIVE,
        task_serializer=serializer,
        accept_content=[serializer],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,  # but for the task that counts its attempts
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

    app.services = services
    app.steps["consumer"].add("worker.run.consumer:LossWatch")
    noted_at = 0.0

    def note_life(task: Task, *, at_once: bool = False) -> None:
        """Note that this worker consumes: a canary may wait long behind a load that never ends."""
        nonlocal noted_at
        if at_once or monotonic() - noted_at >= CONSUMED_SECONDS:
            noted_at = monotonic()
            services().heartbeat(worker_heartbeat(task.request.hostname), app.refusals.as_json())

    # A batch whose process dies comes back at once: how often is counted with its bytes.
    @app.task(name=INGEST, bind=True, max_retries=20, reject_on_worker_lost=True)
    def ingest(task: Task, message: dict[str, Any]) -> None:
        with _consuming(task):
            services().take_in(Batch.from_json(message))
            note_life(task)

    @app.task(name=SWEEP, bind=True, max_retries=5)
    def sweep(task: Task) -> None:
        with _consuming(task):
            services().sweep()

    @app.task(name=DELIVER, bind=True, max_retries=0)
    def deliver(task: Task) -> None:
        with _consuming(task):
            services().deliver()

    @app.task(name=CANARY, bind=True, max_retries=0)
    def canary(task: Task) -> None:
        with _consuming(task):
            note_life(task, at_once=True)

    return app


class VerifiedTask(Task):
    """A task whose messages are verified before a process is given them."""

    Strategy = "worker.run.consumer:verify_first"


def publisher(app: Celery) -> Callable[[Batch, str], None]:
    """Return a function that sends a batch's message to a queue.

    It raises `BrokerUnavailableError` when the broker does not take the message.
    """
    ingest = app.tasks[INGEST]

    def publish(batch: Batch, queue: str) -> None:
        with _explaining(app):
            ingest.apply_async((batch.as_json(),), queue=queue, retry=False)

    return publish


def send_canary(app: Celery, worker: str) -> None:
    """Send a canary to one worker's own queue; it answers with its heartbeat in the store.

    Raises `BrokerUnavailableError` when the broker does not take the message.
    """
    with _explaining(app):
        app.send_task(CANARY, queue=worker_direct(worker), retry=False, expires=CANARY_SECONDS)


def node_name(name: str | None) -> str:
    """Return the node name of this host's worker, as its health check looks for it."""
    return f"{name or 'worker'}@{socket.gethostname()}"


def worker_heartbeat(worker: str) -> str:
    """Return the name under which a worker's heartbeat is kept."""
    return f"worker:{worker}"


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


def preload() -> None:
    """Load what tasks call before the first message, and before a fork, so that processes share it.

    Watcher and beat, which only send messages, do without: it takes 15 MiB.
    """
    from worker.domain.changes import change  # noqa: F401, PLC0415
    from worker.ingest import attempts, batch  # noqa: F401, PLC0415
    from worker.messages import deliver  # noqa: F401, PLC0415
    from worker.reviews import sweep  # noqa: F401, PLC0415


class EmbeddedWorkers:
    """A Celery worker and beat as threads of this process, for the in-process broker."""

    def __init__(self, app: Celery, *, concurrency: int) -> None:
        preload()
        # Without it tasks of another thread are accepted by no one, and never run, without a word.
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
        """Tell whether both run."""
        return self._worker_thread.is_alive() and self._beat.is_alive()

    def stop(self) -> None:
        """Send no more ticks, let running tasks end, and stop the worker."""
        from worker.run.memory_broker import impatient  # noqa: PLC0415 - only where it is the broker

        self._beat.service.stop()
        state.should_stop = 0
        with impatient():
            self._worker_thread.join()
        state.should_stop = None


def run_worker(app: Celery, *, concurrency: int, queues: tuple[str, ...], name: str) -> int:
    """Run a Celery worker in this process until SIGTERM, and return its exit code."""
    preload()
    worker = app.Worker(
        hostname=name,
        concurrency=concurrency,
        queues=in_order(queues),
        pool="prefork",
        quiet=True,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
    return worker.exitcode or 0


def in_order(queues: Collection[str]) -> list[str]:
    """Return queues in the order in which a worker has to look at them, however they were named."""
    return [queue for queue in QUEUES if queue in queues]


def run_beat(app: Celery) -> None:
    """Run Celery beat in this process; the handlers of signals that are there have to end it."""
    EndingBeat(app=app, scheduler_cls=LivingScheduler, quiet=True).run()


def _checking_certificates(url: str) -> str:
    """Return a URL over which Celery checks whom it talks to: without being told, it does not."""
    parts = urlsplit(url)
    if parts.scheme != "rediss" or "ssl_cert_reqs" in parts.query:
        return url
    query = "&".join(filter(None, (parts.query, "ssl_cert_reqs=required")))
    return urlunsplit(parts._replace(query=query))


@contextmanager
def _explaining(app: Celery) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        url = without_password(app.conf.broker_url)
        raise BrokerUnavailableError(f"the broker {url} is not usable: {error}") from error


@contextmanager
def _consuming(task: Task) -> Iterator[None]:
    """Try a task again while the store or Redis is away; afterwards the next scan or tick repairs it.

    Nothing is raised, for Celery copies the code positions of every frame of a task's exception: a
    process that has waited once would keep 10 MB more, and one whose task fails again and again 60.
    """
    try:
        yield
    except ValueError as error:
        logger.error("%s: dropped: %s", task.name, error)
        task.app.refusals.count()
    except (StoreUnavailableError, BrokerUnavailableError) as error:
        tried = task.request.retries
        if tried >= task.max_retries:
            logger.error("%s: given up: %s", task.name, error)
            return
        logger.warning("%s: waiting: %s", task.name, error)
        seconds = RETRY_SECONDS[min(tried, len(RETRY_SECONDS) - 1)]
        task.retry(countdown=seconds, throw=False)
    except Exception:
        logger.exception("%s: failed", task.name)
