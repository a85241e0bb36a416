"""Composes the processes of the service, and is the only module that does.

`up` runs everything in one process with the in-process broker. `watch`, `work` and `beat` run the same parts
as separate processes over Redis. Celery and watchdog are imported where a process uses them. Called by
`worker.cli.run` and `worker.celery_app`.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Event, Thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.errors import ConfigurationError, StoreUnavailableError
from worker.library.opened import open_services, utc_now
from worker.library.services import Services
from worker.run.only_one import only_one
from worker.run.signals import stop_on_signals, stopping
from worker.settings.model import Settings
from worker.settings.schema_file import load_rules
from worker.store.engine import Store
from worker.store.migrate import migrate as migrate_store
from worker.store.migrate import require_schema

if TYPE_CHECKING:
    from worker.domain.folder.snapshot import Batch
    from worker.run.embedded_worker import EmbeddedWorkers

logger = logging.getLogger("content_sync")

#: Threads: one for bulk loads, one for live edits, one that may wait for a mail server.
EMBEDDED_CONCURRENCY = 3
DRAIN_SECONDS = 20
SUPERVISION_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30


def migrate(settings: Settings) -> tuple[str | None, str]:
    """Upgrade the store to this version's tables; return its revision before and after."""
    store = Store(settings.store_url.value)
    try:
        return migrate_store(store)
    finally:
        store.close()


def up(settings: Settings) -> None:
    """Run watcher, worker and scheduler in this process until SIGTERM or SIGINT.

    Raises `AlreadyRunningError` if another process already does so on the same store.
    """
    from worker.run.embedded_worker import EmbeddedWorkers
    from worker.run.tasks import create_app, publisher
    from worker.watch.root import require_folder

    _live_long()
    if not settings.in_process:
        raise ConfigurationError(
            "`up` has a broker of its own, but broker_url names another one: unset it, "
            "or run `content-sync watch`, `worker` and `beat` over it"
        )
    require_folder(settings.seeds)
    migrate(settings)
    with only_one(settings), open_services(settings) as services:
        services.require_rules()
        services.notice_restore()
        _say_what_is_watched(settings)
        logger.info("store      %s", services.store.name)
        _say_where_messages_go(settings)
        logger.info("settings   %s", settings.config or "the built-in defaults")
        logger.info("Drop a seed into the folder. Ctrl-C stops.")
        app = create_app(settings, lambda: services)
        workers = EmbeddedWorkers(app, concurrency=EMBEDDED_CONCURRENCY)
        stop = stop_on_signals()
        workers.start()
        Thread(target=_supervise, args=(workers, stop), name="supervisor", daemon=True).start()
        try:
            _watch_while_leading(_sparing_a_thread(settings), services, publisher(app), stop)
            complete = workers.alive()
            _drain(services)
        finally:
            workers.stop()
            logger.info("stopped")
    if not complete:
        raise SystemExit(1)


def watch(settings: Settings) -> None:
    """Run the watcher in this process until SIGTERM or SIGINT, over Redis.

    If several run over one store, one watches and the others stand by.
    """
    from worker.run.tasks import create_app, publisher
    from worker.watch.root import require_folder

    _live_long()
    require_redis(settings)
    stop = stop_on_signals()
    services = Services(settings, now=utc_now)
    app = create_app(settings, lambda: services)
    require_folder(settings.seeds)
    if _wait_for_store(services.store, stop):
        _say_what_is_watched(settings)
        _watch_while_leading(settings, services, publisher(app), stop)
        logger.info("stopped")
    services.close()


def work(
    settings: Settings, *, concurrency: int, queues: tuple[str, ...], name: str | None
) -> None:
    """Run a worker in this process until SIGTERM, over Redis; `name` is its node name's first part."""
    from worker.run.tasks import create_app, node_name
    from worker.run.worker_process import run_worker

    _live_long()
    require_redis(settings)
    load_rules(
        settings
    )  # its processes load them with the first document, which is late for an error
    store = Store(settings.store_url.value)
    with stopping() as stop:
        ready = _wait_for_store(store, stop)
    store.close()
    if not ready:
        return
    _say_where_messages_go(settings)
    logger.info("worker     %s takes %s", node_name(name), ", ".join(queues))
    app = create_app(settings, services_of_this_process(settings))
    code = run_worker(app, concurrency=concurrency, queues=queues, name=node_name(name))
    if code:
        raise SystemExit(code)


def beat(settings: Settings) -> None:
    """Run the scheduler in this process until SIGTERM, over Redis."""
    from worker.run.scheduler import run_beat
    from worker.run.tasks import create_app

    _live_long()
    require_redis(settings)
    services = Services(settings, now=utc_now)
    with stopping() as stop:
        ready = _wait_for_store(services.store, stop)
    if not ready:
        services.close()
        return
    logger.info("scheduler  sweeps reviews every %.0f s", settings.review.sweep_seconds)
    run_beat(create_app(settings, lambda: services))
    services.close()
    raise SystemExit(1)


def require_redis(settings: Settings) -> None:
    """Raise `ConfigurationError` if the broker is the in-process one, which processes cannot share."""
    if settings.in_process:
        raise ConfigurationError(
            "the broker memory:// works only inside `content-sync up`: set "
            "CONTENT_SYNC_BROKER_URL to a Redis, such as redis://localhost:6379/0"
        )


def services_of_this_process(settings: Settings) -> Callable[[], Services]:
    """Return a function that opens services once in each process: connections never cross a fork."""

    @lru_cache(maxsize=1)
    def of(_pid: int) -> Services:
        services = Services(settings, now=utc_now)
        services.require_rules()
        return services

    return lambda: of(os.getpid())


def _watch_while_leading(
    settings: Settings, services: Services, publish: Callable[[Batch, str], None], stop: Event
) -> None:
    """Stand by until this process leads, watch until it loses the lead, and repeat until `stop` is set.

    A watcher that has lost the lead is discarded with all that it knew of the folder.
    """
    from worker.watch.lead import Lead, LeadLostError, Term
    from worker.watch.watcher import Watcher

    unfinished = services.unfinished_batches()
    judge = services.judge.id
    lead = Lead(services.store, now=utc_now, monotonic=time.monotonic, judge=judge)
    while lead.stand_by(stop):
        try:
            Watcher(
                settings=settings,
                spool=services.spool,
                publish=publish,
                record=services,
                now=utc_now,
                monotonic=time.monotonic,
                term=Term(
                    confirm=lead.confirm,
                    give_way=lead.give_way,
                    observed_above=lead.observed_above,
                    unfinished=unfinished,
                ),
            ).run(stop)
        except LeadLostError as error:
            logger.warning("%s", error)
        finally:
            lead.hand_back()


def _say_what_is_watched(settings: Settings) -> None:
    logger.info("watching   %s  (%s)", settings.seeds.resolve(), " ".join(settings.watch.suffixes))
    logger.info("time zone  %s", settings.zone_words)


def _say_where_messages_go(settings: Settings) -> None:
    for name, route in settings.routes.items():
        to = f" to {', '.join(route.to)}" if route.to else ""
        logger.info("messages   route %s over %s%s", name, route.channel, to)


def _sparing_a_thread(settings: Settings) -> Settings:
    """Return settings with which a bulk load leaves one thread of the worker to live edits."""
    most = min(settings.intake.max_batches, EMBEDDED_CONCURRENCY - 1)
    return replace(settings, intake=replace(settings.intake, max_batches=most))


def _supervise(workers: EmbeddedWorkers, stop: Event) -> None:
    """Stop the service when its worker or scheduler has ended: half a service looks like a whole one."""
    while not stop.wait(SUPERVISION_SECONDS):
        if not workers.alive():
            logger.critical("the worker or the scheduler has ended: stopping")
            stop.set()


def _drain(services: Services) -> None:
    """Wait until the workers have finished the batches that the watcher sent."""
    until = time.monotonic() + DRAIN_SECONDS
    while services.spool.outstanding() and time.monotonic() < until:
        time.sleep(0.02)


def _live_long() -> None:
    """Collect garbage often again; `worker.cli` makes it rare for commands that end soon.

    What is loaded by now stays for good, so the collector skips it.
    """
    gc.freeze()
    gc.set_threshold(2_000, 10, 10)


def _wait_for_store(store: Store, stop: Event) -> bool:
    """Wait until the store has this version's tables; return False if `stop` is set first."""
    wait_seconds = 1.0
    said = ""
    while not stop.is_set():
        try:
            require_schema(store)
        except StoreUnavailableError as error:
            if str(error) != said:
                logger.warning("waiting: %s", error)
                said = str(error)
        else:
            return True
        stop.wait(wait_seconds)
        wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)
    return False
