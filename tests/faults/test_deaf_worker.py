"""A worker that could not acknowledge its messages receives new ones as soon as Redis is back."""

from __future__ import annotations

import pytest
from faults.deployment import deployment
from sqlalchemy import text
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.store.engine import EVENT_LOCK

SLOTS = 2
SOCKET_SECONDS = 1
#: Longer than every timeout on a socket, one after the other.
BLACK_HOLE_SECONDS = 9 * SOCKET_SECONDS


@pytest.fixture
def deployed(tmp_path):
    with deployment(tmp_path, socket_seconds=SOCKET_SECONDS) as running:
        running.settles()
        yield running


def test_a_worker_receives_messages_after_its_acknowledgements_were_lost(deployed, hands):
    """All of its processes are busy, so that it waits for no message, when the network goes."""

    def waiting() -> int:
        with deployed.store.read() as connection:
            locks = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return int(connection.execute(locks).scalar_one())

    with deployed.store.write() as connection:
        # As a writer does, but for as long as this takes.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": EVENT_LOCK})
        for number in range(SLOTS):
            write(deployed.seeds / f"late-{number}.md", a_seed(title=f"Late {number}"))
            wait_until(lambda: waiting() > number, what="a busy process")  # noqa: B023
        with deployed.proxy.frozen():
            connection.rollback()
            hands.work(BLACK_HOLE_SECONDS)
    deployed.settles()
