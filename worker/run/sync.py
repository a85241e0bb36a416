"""Scans the folder once, stores what changed, and reports the counts, all in this process.

Uses no broker, because a queue returns no counts. Called by the command `sync` and by `worker.run.repair`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.ingest.outcomes import SyncReport
from worker.library.opened import open_services, utc_now
from worker.messages.silence_alarm import SYNC
from worker.settings.model import Settings
from worker.store.engine import Store
from worker.store.migrate import migrate
from worker.watch.root import require_folder
from worker.watch.sync import sync_once

if TYPE_CHECKING:
    from worker.watch.scan import Walk


def sync_folder(
    settings: Settings,
    *,
    full: bool,
    dry_run: bool,
    progress: Callable[[int, int], None],
    begun: Walk | None = None,
) -> SyncReport:
    """Compare the folder with the store once, and return what was done.

    `begun` is a walk of the folder that has already begun.
    """
    require_folder(settings.seeds)  # before the store, or else a wrong folder would get a database
    store = Store(settings.store_url.value)
    if store.is_sqlite:
        migrate(store)
    store.close()
    started, started_at = time.monotonic(), utc_now()
    with open_services(settings) as services:
        services.require_rules()
        services.require_judge_of_watcher()
        if not dry_run:
            services.notice_restore()
        found = sync_once(
            settings=settings,
            record=services,
            ingest=services.take_in_each,
            now=utc_now,
            progress=progress,
            full=full,
            dry_run=dry_run,
            started_walk=begun,
            before_fork=services.before_fork,
        )
        if not (dry_run or found.busy or found.unsure):
            services.heartbeat(SYNC, {"started": started_at.isoformat()})
        if not dry_run:
            services.notice_restore()
    report = found.report
    if dry_run:
        report.new, report.changed, report.retired = found.new, found.changed, len(found.removed)
    report.scanned = found.scanned
    report.unchanged += found.unchanged
    report.ignored = sorted(found.ignored.items())
    report.busy = [(path, "it is being written: run sync again") for path in found.busy]
    report.unsure = [(path, "this folder cannot be read") for path in found.unsure]
    report.held = len(found.held)
    report.judged_again = found.judged_again
    report.seconds = time.monotonic() - started
    return report
