"""Repairs what the store and the folder allow, and deletes nothing.

Derives the columns of documents again, ends leases that would never end, reads the whole folder again, and
sweeps the reviews. Called by the command `verify --repair`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from worker.domain.folder import laws
from worker.ingest.outcomes import SyncReport
from worker.library.opened import open_services
from worker.library.services import Services
from worker.run.sync import sync_folder
from worker.run.verify import longest_lease
from worker.settings.model import Settings
from worker.store import documents as table
from worker.store import evidence, paths
from worker.store.engine import Connection

#: The event of a document whose columns were derived again.
REPAIRED = "document.repaired"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair did in the store: documents whose columns were derived again, and ended leases."""

    heads: int
    leases: int


def repair_library(
    settings: Settings, *, progress: Callable[[int, int], None]
) -> tuple[Repaired, SyncReport, int]:
    """Repair what the store and the folder allow, and delete nothing. Commits.

    Returns what was repaired in the store, what the sync did, and how many notices were missing.
    """
    with open_services(settings) as services:
        repaired = repair(services)
    report = sync_folder(settings, full=True, dry_run=False, progress=progress)
    with open_services(settings) as services:
        return repaired, report, services.sweep()


def repair(services: Services) -> Repaired:
    """Derive the columns of documents again if they differ, and end leases that last too long. Commits.

    A live document whose file differs from its newest version gets the version's hash, and the path ledger
    takes over what the documents say, so that the next scan compares both with the files.
    """
    policy = services.policy
    with services.store.read() as connection:
        ids = [
            row.id
            for row in evidence.newest_versions(connection)
            if laws.head_differences(row, row.v_number, row.v_metadata, policy, row.withheld)
            or _is_touched(row)
        ]
    heads = sum(_repair_heads(services, some) for some in table.batched(ids, _AT_ONCE))
    services.store.transact(paths.agree_with_documents)
    until = longest_lease(services)
    leases = services.store.transact(lambda c: evidence.end_leases(c, until))
    return Repaired(heads=heads, leases=leases)


def _repair_heads(services: Services, ids: Sequence[int]) -> int:
    now, policy = services.now(), services.policy

    def work(connection: Connection) -> int:
        rows, events = [], []
        for row in evidence.find_newest_versions(connection, ids):
            different = laws.head_differences(
                row, row.v_number, row.v_metadata, policy, row.withheld
            )
            if not different and not _is_touched(row):
                continue
            derived = laws.derive_head(row.path, row.v_number, row.v_metadata, policy, row.withheld)
            sha256 = row.v_sha256 if _is_touched(row) else row.sha256
            updated_at = now if different else row.updated_at
            rows.append(
                derived | {"document_id": row.id, "sha256": sha256, "updated_at": updated_at}
            )
            if different:
                data = {"document_id": row.id, "number": row.v_number}
                data |= {"columns": sorted(different), "status": derived["status"]}
                events.append(table.event_row(now, REPAIRED, row.path, **data))
        table.update_documents(connection, rows)
        if events:
            services.store.lock_events(connection)
            table.add_events(connection, events)
        return len(events)

    return services.store.transact(work)


def _is_touched(row: Any) -> bool:
    return bool(row.state == table.LIVE and row.sha256 != row.v_sha256)
