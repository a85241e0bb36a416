"""Bar 17: what commands cost over a store of ten years, relative to a new one of the same pages.

1,432 pages, 1,000,000 events of people's answers and 300,000 notices that were sent. Called by the command
alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from made import make_library
from options import Options
from sqlalchemy import insert, select
from timing import Cost, medians, ours, say, show, temporary

from worker.store import documents as table
from worker.store.acknowledgements import ACKNOWLEDGED
from worker.store.engine import Store
from worker.store.schema import documents, notices

PAGES, EVENTS, NOTICES = 1_432, 1_000_000, 300_000
YEARS_DAYS, AT_ONCE = 3650, 10_000
#: How much longer a command may take than over a new store.
MOST = 2.0
PAGE = "0000/page-000001.md"
COMMANDS = (
    *(("status",), ("list",), ("due", "--within", "7"), ("history", PAGE), ("why", PAGE)),
    *(("notices",), ("notices", "--state", "failed"), ("doctor",), ("verify",)),
)


def measure_aged(options: Options) -> dict[str, Any]:
    """Time whole processes over both stores, in turn."""
    with temporary() as folder:
        make_library(folder / "seeds", PAGES)
        stores = {name: f"sqlite:///{folder}/{name}.db" for name in ("new", "aged")}
        for url in stores.values():
            ours("sync", cwd=folder, env={"CONTENT_SYNC_STORE_URL": url})
        say(f"adding {EVENTS:,} events and {NOTICES:,} notices")
        age(stores["aged"])
        sizes = {name: (folder / f"{name}.db").stat().st_size for name in stores}
        costs: dict[str, dict[str, list[Cost]]] = {name: {} for name in stores}
        for _ in range(options.runs):
            for command in COMMANDS:
                for name, url in stores.items():
                    cost = ours(*command, cwd=folder, env={"CONTENT_SYNC_STORE_URL": url})
                    costs[name].setdefault(" ".join(command), []).append(cost)
    found = {
        name: {command: medians(taken) for command, taken in of_one.items()}
        for name, of_one in costs.items()
    }
    rows = []
    for command in found["new"]:
        new, aged = (found[name][command]["seconds"] for name in stores)
        ratio = aged / new
        linear = command == "verify"
        target = "linear" if linear else f"{MOST}{' over' if ratio > MOST else ''}"
        rows.append([command, f"{new:.2f}", f"{aged:.2f}", f"{ratio:.2f}", target])
    columns = ["", "new, s", "ten years, s", "ratio", "target"]
    show(f"a store of ten years, median of {options.runs}", columns, rows)
    return {"bytes": sizes, **found}


def age(url: str) -> None:
    """Add what ten years leave in a store: events of answers, and notices that were sent."""
    store = Store(url)
    with store.read() as connection:
        pages = connection.execute(select(documents.c.id, documents.c.path)).all()
    began = datetime.now(UTC) - timedelta(days=YEARS_DAYS)
    step = timedelta(days=YEARS_DAYS) / EVENTS
    for start in range(0, EVENTS, AT_ONCE):
        rows = [
            table.event_row(
                began + number * step,
                ACKNOWLEDGED,
                pages[number % PAGES].path,
                document_id=pages[number % PAGES].id,
                number=1,
                by="asha",
                until="2026-01-01",
            )
            for number in range(start, start + AT_ONCE)
        ]

        def write(connection: Any, rows: list[dict[str, Any]] = rows) -> None:
            store.lock_events(connection)
            table.add_events(connection, rows)

        store.transact(write)
    for start in range(0, NOTICES, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        rows = [_notice(number, pages[number % PAGES], began) for number in numbers]
        store.transact(lambda connection, rows=rows: connection.execute(insert(notices), rows))
    store.close()


def _notice(number: int, page: Any, began: datetime) -> dict[str, Any]:
    at = began + number * (timedelta(days=YEARS_DAYS) / NOTICES)
    return {
        "key": f"aged-{number}",
        "kind": "review",
        "stage": "overdue",
        "path": page.path,
        "document_id": page.id,
        "due_on": at.date(),
        "route": "everyone",
        "channel": "console",
        "data": {"title": f"Page {number % PAGES}"},
        "state": "sent",
        "attempts": 1,
        "created_at": at,
        "next_attempt_at": at,
        "message_id": f"m-{number // 50}",
        "sent_at": at,
    }
