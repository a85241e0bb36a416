"""The faults: each breaks one thing of a deployment for a while, and fixes nothing but what it broke.

`work(seconds)` is done meanwhile: people go on writing. Used by the tests and by the soak.
"""

from __future__ import annotations

from collections.abc import Callable

from faults.deployment import Deployment

Work = Callable[[float], None]
Fault = Callable[[Deployment, Work, float], None]


def kill_watcher(deployed: Deployment, work: Work, seconds: float) -> None:
    work(seconds / 10)
    deployed.kill("watch")


def kill_worker(deployed: Deployment, work: Work, seconds: float) -> None:
    work(seconds / 10)
    deployed.kill("worker")


def kill_parent(deployed: Deployment, work: Work, seconds: float) -> None:
    work(seconds / 10)
    deployed.kill_parent()


def kill_child(deployed: Deployment, work: Work, seconds: float) -> None:
    work(seconds / 10)
    deployed.kill_child()


def kill_beat(deployed: Deployment, work: Work, seconds: float) -> None:
    work(seconds / 10)
    deployed.kill("beat")


def freeze_watcher(deployed: Deployment, work: Work, seconds: float) -> None:
    with deployed.frozen("watch"):
        work(seconds)


def freeze_worker(deployed: Deployment, work: Work, seconds: float) -> None:
    with deployed.frozen("worker"):
        work(seconds)


def freeze_beat(deployed: Deployment, work: Work, seconds: float) -> None:
    with deployed.frozen("beat"):
        work(seconds)


def flush_redis(deployed: Deployment, work: Work, seconds: float) -> None:
    """Let Redis forget all, again and again: some of what is on its way has to be among it."""
    for _ in range(10):
        work(seconds / 50)
        deployed.redis.client.flushall()


def kill_redis(deployed: Deployment, work: Work, seconds: float) -> None:
    deployed.redis.kill()
    work(seconds)
    deployed.redis.start()


def fill_redis(deployed: Deployment, work: Work, seconds: float) -> None:
    """Let Redis have no memory left: it answers, and takes nothing."""
    client = deployed.redis.client
    client.config_set("maxmemory", 1)
    work(seconds)
    client.config_set("maxmemory", 0)


def lose_network(deployed: Deployment, work: Work, seconds: float) -> None:
    """Let Redis be a black hole: connections stay, and nothing comes back."""
    with deployed.proxy.frozen():
        work(seconds)


def reset_connections(deployed: Deployment, work: Work, seconds: float) -> None:
    for _ in range(3):
        work(seconds / 10)
        deployed.proxy.reset()


def lose_backends(deployed: Deployment, work: Work, seconds: float) -> None:
    for _ in range(3):
        work(seconds / 10)
        deployed.terminate_backends()


def restart_postgres(deployed: Deployment, work: Work, seconds: float) -> None:
    deployed.postgres.stop()
    work(seconds)
    deployed.postgres.start()


def kill_postgres(deployed: Deployment, work: Work, seconds: float) -> None:
    deployed.postgres.kill()
    work(seconds)
    deployed.postgres.start()


KILLS: dict[str, Fault] = {
    "kill-watcher": kill_watcher,
    "kill-worker": kill_worker,
    "kill-parent": kill_parent,
    "kill-child": kill_child,
    "kill-beat": kill_beat,
}
FREEZES: dict[str, Fault] = {
    "freeze-watcher": freeze_watcher,
    "freeze-worker": freeze_worker,
    "freeze-beat": freeze_beat,
}
BROKER: dict[str, Fault] = {
    "flush-redis": flush_redis,
    "kill-redis": kill_redis,
    "fill-redis": fill_redis,
    "lose-network": lose_network,
    "reset-connections": reset_connections,
}
STORE: dict[str, Fault] = {
    "lose-backends": lose_backends,
    "restart-postgres": restart_postgres,
    "kill-postgres": kill_postgres,
}
FAULTS: dict[str, Fault] = {**KILLS, **FREEZES, **BROKER, **STORE}
