"""A PostgreSQL that answers slowly: the time of a load, live edits and `status`, and what is held.

Every query and every answer is 20 ms late, as over a long line. Ingest has to slow down without using more
memory: the watcher waits while the store does not keep up. Called by the command
alone.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backlog import QUEUE_MIB, load_while_editing
from faults.proxy import Proxy
from installation import distributed
from made import make_library
from options import Options
from timing import Cost, medians, ours, say, show, temporary

ONE_WAY_SECONDS = 0.02
MOST_PAGES = 5_000
AT_ONCE = 4 * 1024 * 1024


class SlowProxy(Proxy):
    """Passes everything on late, each way."""

    def __init__(self, behind: int, *, one_way_seconds: float) -> None:
        self.one_way_seconds = one_way_seconds
        super().__init__(behind)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        late: Any = _Late(source, self.one_way_seconds)  # as much of a socket as is asked of it
        super()._pump(late, target)


class _Late:
    """A socket whose bytes come late, and then all that have come meanwhile: slow, but not narrow."""

    def __init__(self, inner: socket.socket, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def recv(self, _size: int) -> bytes:
        select.select([self._inner], [], [])
        time.sleep(self._seconds)
        return self._inner.recv(AT_ONCE)

    def shutdown(self, how: int) -> None:
        self._inner.shutdown(how)


def measure_slow_store(options: Options) -> dict[str, Any]:
    """Load a library and edit a page over a quick and over a slow PostgreSQL."""
    pages = min(options.pages, MOST_PAGES)
    results: dict[str, Any] = {}
    with temporary() as folder:
        source = make_library(folder / "source", pages)
        for name, seconds in (("at once", 0.0), ("slowly", ONE_WAY_SECONDS)):
            say(f"slow-store: PostgreSQL answers {name}")
            results[name] = _measure(source, pages, seconds)
    show(
        f"{pages:,} pages copied in; PostgreSQL answers at once, or {2000 * ONE_WAY_SECONDS:.0f} ms late",
        [
            "answers",
            "load, s",
            "edit p50, ms",
            "p99",
            "before",
            "status, s",
            "watcher, MiB",
            "in Redis",
        ],
        [[name, *_row(found)] for name, found in results.items()],
    )
    return results


def _measure(source: Path, pages: int, one_way_seconds: float) -> dict[str, Any]:
    statuses: list[Cost] = []
    with _proxies(one_way_seconds) as through, distributed(through=through) as installed:
        found = load_while_editing(installed, source, pages)
        env = dict(installed.env)
        statuses += [ours("status", "--json", cwd=installed.folder, env=env) for _ in range(3)]
    return {**found, "status": medians(statuses)}


@contextmanager
def _proxies(one_way_seconds: float) -> Iterator[Any]:
    """Give what puts a proxy before the server of a URL."""
    with ExitStack() as stack:

        def through(url: str) -> str:
            port = urlsplit(url).port
            assert port is not None
            proxy = stack.enter_context(SlowProxy(port, one_way_seconds=one_way_seconds))
            return url.replace(f":{port}/", f":{proxy.port}/")

        yield through


def _row(found: dict[str, Any]) -> list[str]:
    held = found["redis_mebibytes"]["queues_and_spool"]
    return [
        f"{found['seconds']:.1f}",
        f"{found['edits']['p50']:.0f}",
        f"{found['edits']['p99']:.0f}",
        f"{found['calm']['p50']:.0f}",
        f"{found['status']['seconds']:.2f}",
        f"{max(found['peak_mebibytes']['watch'].values()):.0f}",
        f"{held:.0f}{' over' if held > QUEUE_MIB else ''}",
    ]
