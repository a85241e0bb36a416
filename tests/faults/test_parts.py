"""Watcher, worker, beat, Redis and PostgreSQL break while people write: all is well again by itself.

The faults of a group come one upon the other, in one deployment; the last settling has to find
everything that any of them has lost.
"""

from __future__ import annotations

import psutil
import pytest
from faults.inflicting import BROKER, FREEZES, KILLS, STORE
from support.seeds import a_seed, write
from support.waiting import wait_until

#: Longer than a worker's lease and than the watcher's patience.
SECONDS = 3
#: Longer than every timeout on a socket.
BLACK_HOLE_SECONDS = 7


@pytest.mark.parametrize("group", [KILLS, FREEZES, STORE], ids=["killed", "frozen", "postgresql"])
def test_the_service_recovers_by_itself(deployed, hands, group):
    for fault in group.values():
        fault(deployed, hands.work, SECONDS)
    hands.work(1)
    deployed.settles()


@pytest.mark.parametrize("name", BROKER)
def test_the_service_recovers_from_a_redis_that_fails(deployed, hands, name):
    seconds = BLACK_HOLE_SECONDS if name == "lose-network" else SECONDS
    BROKER[name](deployed, hands.work, seconds)
    hands.work(0.5)
    deployed.settles()


def test_a_worker_outlives_a_redis_without_memory(deployed):
    """A message is on its way to it already, and Redis refuses to note that it has it, again and again."""
    worker, client = deployed.processes["worker"], deployed.redis.client
    parent = psutil.Process(worker.pid)

    def refusals() -> int:
        return worker.output.count("OutOfMemoryError")

    before, descriptors = refusals(), parent.num_fds()  # tests before this one may have had some
    with deployed.frozen("worker"):
        keys = set(client.keys("content-sync:*"))
        write(deployed.seeds / "late.md", a_seed(title="Late"))
        wait_until(lambda: set(client.keys("content-sync:*")) - keys, what="a message")
        client.config_set("maxmemory", 1)
    wait_until(lambda: refusals() > before + 3, what="refusals")
    client.config_set("maxmemory", 0)
    deployed.settles()
    assert worker.exit_code is None
    assert parent.num_fds() <= descriptors + 2, "each refusal costs a connection"
