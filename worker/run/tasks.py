"""The Celery application and its four thin tasks, and what sends them their messages.

Tasks ask for their services when they run, so that each worker process opens connections of its own,
after the fork. Celery's settings are in `worker.run.celery_settings`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from celery import Celery, Task
from celery.utils.nodenames import worker_direct
from kombu.exceptions import OperationalError
from kombu.serialization import register

from worker.domain.folder.snapshot import BATCH_FORMAT, Batch
from worker.domain.seeds.visible import without_password
from worker.errors import (
    BrokerUnavailableError,
    OtherJudgeError,
    StoreReplacedError,
    StoreUnavailableError,
)
from worker.ingest.outcomes import WAITING
from worker.library.services import Services
from worker.run.celery_settings import CANARY, DELIVER, INGEST, SWEEP, broker_of, configure
from worker.run.message_signing import SIGNED, SIGNED_TYPE, Forgeries, make_signer
from worker.settings.model import Settings
from worker.store.engine import file_of, parse_url
from worker.store.liveness import WORKER

logger = logging.getLogger("content_sync.tasks")

CANARY_SECONDS = 60
CONSUMED_SECONDS = 5.0
#: How long a move waits for what it follows, which is on its way or lost: five times in ten seconds.
WAIT_SECONDS = (0.2, 0.5, 1.3, 3, 5)
RETRY_SECONDS = (
    1,
    2,
    5,
    10,
    20,
    30,
)  # well below visibility_timeout, after which Redis delivers again


def create_app(settings: Settings, services: Callable[[], Services]) -> Celery:
    """Return the application; `services` returns the services of the calling process."""
    app = Celery("content_sync", broker=broker_of(settings), task_cls=AnsweredTask)
    app.services = services
    app.forgeries = Forgeries()
    app.signer = signer = make_signer(settings)
    if signer is not None:
        register(SIGNED, signer.seal, signer.open, SIGNED_TYPE, "utf-8")
    configure(app, settings, "json" if signer is None else SIGNED)
    app.steps["consumer"].add("worker.run.consumer:LossWatch")
    if not settings.in_process:  # there the watcher notices it
        app.store_file = file_of(parse_url(settings.store_url.value))
        app.steps["consumer"].add("worker.run.consumer:StoreWatch")
    _add_tasks(app)
    return app


def _add_tasks(app: Celery) -> None:
    noted_at = 0.0

    def note_life(task: Task, *, at_once: bool = False) -> None:
        """Write this worker's heartbeat: a canary may wait long behind a bulk load."""
        nonlocal noted_at
        if at_once or monotonic() - noted_at >= CONSUMED_SECONDS:
            noted_at = monotonic()
            name = worker_heartbeat(task.request.hostname)
            services = app.services()
            data = {"batch_format": BATCH_FORMAT, "judge": services.judge.id}
            services.heartbeat(name, app.forgeries.as_json() | data)

    # Shared tasks would be added to every other application in this process, too.
    # A batch whose process dies is delivered again at once; the spool counts its attempts.
    @app.task(name=INGEST, shared=False, bind=True, max_retries=20, reject_on_worker_lost=True)
    def ingest(task: Task, message: dict[str, Any]) -> None:
        with _consuming(task):
            batch = Batch.from_json(message)
            patient = task.request.retries < len(WAIT_SECONDS)
            try:
                outcomes = app.services().take_in(batch, patient=patient)
            except OtherJudgeError as error:
                _wait(task, batch, str(error))  # for a worker that judges as the watcher does
            else:
                if any(outcome.kind == WAITING for outcome in outcomes):
                    _wait(task, batch, "what its moves follow did not arrive")
            note_life(task)

    @app.task(name=SWEEP, shared=False, bind=True, max_retries=5)
    def sweep(task: Task) -> None:
        with _consuming(task):
            app.services().sweep()

    @app.task(name=DELIVER, shared=False, bind=True, max_retries=0)
    def deliver(task: Task) -> None:
        with _consuming(task):
            app.services().deliver()

    @app.task(name=CANARY, shared=False, bind=True, max_retries=0)
    def canary(task: Task) -> None:
        with _consuming(task):
            note_life(task, at_once=True)


class AnsweredTask(Task):
    """A task whose messages are acknowledged, or delivered again over a new connection."""

    Strategy = "worker.run.consumer:or_reconnect"


def publisher(app: Celery) -> Callable[[Batch, str], None]:
    """Return a function that sends a batch's message to a queue.

    The function raises `BrokerUnavailableError` if the broker does not take the message.
    """
    ingest = app.tasks[INGEST]

    def publish(batch: Batch, queue: str) -> None:
        with _explaining(app):
            ingest.apply_async((batch.as_json(),), queue=queue, retry=False)

    return publish


def send_canary(app: Celery, worker: str) -> None:
    """Send a canary to one worker's own queue; the worker then writes its heartbeat to the store.

    Raises `BrokerUnavailableError` if the broker does not take the message.
    """
    with _explaining(app):
        app.send_task(CANARY, queue=worker_direct(worker), retry=False, expires=CANARY_SECONDS)


def node_name(name: str | None) -> str:
    """Return the node name of this host's worker, which its health check uses too."""
    return f"{name or 'worker'}@{socket.gethostname()}"


def worker_heartbeat(worker: str) -> str:
    """Return the name of a worker's heartbeat."""
    return f"{WORKER}{worker}"


def preload() -> None:
    """Import what tasks need before the first message and before a fork, so that processes share it.

    Watcher and beat only send messages and do not call it: it takes 15 MiB.
    """
    from worker.domain.changes import change  # noqa: F401, PLC0415
    from worker.ingest import attempts, batch  # noqa: F401, PLC0415
    from worker.messages import deliver  # noqa: F401, PLC0415
    from worker.reviews import sweep  # noqa: F401, PLC0415


def _wait(task: Task, batch: Batch, reason: str) -> None:
    """Ingest a batch again soon; at last its files wait for the next scan.

    Some of them follow an observation that another worker still has, or may have lost; or another worker
    has to judge them.
    """
    tried = task.request.retries
    if tried < len(WAIT_SECONDS):
        task.retry(countdown=WAIT_SECONDS[tried], throw=False)
        return
    logger.warning("batch %s: %s: the next scan looks", batch.id, reason)
    task.app.services().spool.drop(batch.id)


@contextmanager
def _explaining(app: Celery) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        url = without_password(app.conf.broker_url)
        raise BrokerUnavailableError(f"the broker {url} is not usable: {error}") from error


@contextmanager
def _consuming(task: Task) -> Iterator[None]:
    """Retry a task while the store or Redis is away; after the last retry the next scan or tick does it.

    Raises nothing, because Celery copies the code positions of every frame of a task's exception: a process
    that waited once would keep 10 MB, and one whose task fails again and again 60 MB.
    """
    try:
        yield
    except ValueError as error:
        logger.error("%s: dropped: %s", task.name, error)
        task.app.forgeries.count()
    except (StoreUnavailableError, BrokerUnavailableError) as error:
        tried = task.request.retries
        if tried >= task.max_retries:
            logger.error("%s: gave up: %s", task.name, error)
            return
        logger.warning("%s: waiting: %s", task.name, error)
        seconds = RETRY_SECONDS[min(tried, len(RETRY_SECONDS) - 1)]
        task.retry(countdown=seconds, throw=False)
    except StoreReplacedError as error:
        logger.error("%s: failed: %s", task.name, error)
    except Exception:
        logger.exception("%s: failed", task.name)
