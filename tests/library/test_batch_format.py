"""The watcher writes the format of batches that every running worker reads."""

from __future__ import annotations

from datetime import timedelta
from socket import gethostname

import pytest
from support.stored import a_library

from worker.domain.folder.snapshot import BATCH_FORMAT, SHARED_FORMAT
from worker.library.services import WORKER_IS_ALIVE_FOR
from worker.run.celery_settings import CANARY
from worker.run.tasks import create_app, worker_heartbeat


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def test_without_a_worker_the_newest_format_is_written(library):
    assert library.services.batch_format() == BATCH_FORMAT


def test_a_worker_that_does_not_say_what_it_reads_gets_the_shared_format(library):
    library.services.heartbeat("worker:new@one", {"batch_format": BATCH_FORMAT})
    library.services.heartbeat("worker:old@two", {"forged": 0, "last_forged_at": None})
    library.services.heartbeat("watcher", {"state": "watching"})
    assert library.services.batch_format() == SHARED_FORMAT
    library.services.heartbeat("worker:old@two", {"batch_format": BATCH_FORMAT})
    assert library.services.batch_format() == BATCH_FORMAT


def test_a_worker_of_a_later_version_gets_what_this_version_writes(library):
    library.services.heartbeat("worker:newer@one", {"batch_format": BATCH_FORMAT + 1})
    assert library.services.batch_format() == BATCH_FORMAT


def test_a_worker_that_has_ended_is_waited_for_ten_minutes(library):
    library.services.heartbeat("worker:old@two", {})
    library.time += WORKER_IS_ALIVE_FOR
    assert library.services.batch_format() == SHARED_FORMAT
    library.time += timedelta(seconds=1)
    assert library.services.batch_format() == BATCH_FORMAT


def test_a_worker_says_what_it_reads(sqlite_url):
    with a_library(sqlite_url) as library:
        services = library.services
        services.heartbeat(worker_heartbeat(gethostname()), {})
        assert services.batch_format() == SHARED_FORMAT
        create_app(services.settings, lambda: services).tasks[CANARY].apply()
        assert services.batch_format() == BATCH_FORMAT
