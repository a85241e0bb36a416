"""A Celery worker as this process, over Redis. Called by `worker.run.processes`."""

from __future__ import annotations

from collections.abc import Collection

from celery import Celery

from worker.run.celery_settings import QUEUES
from worker.run.tasks import preload


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
    """Return queues in the order in which a worker must serve them."""
    return [queue for queue in QUEUES if queue in queues]
