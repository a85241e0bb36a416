"""What an error in a file means for what is published, where a store is at hand.

`validate` needs no store; where the one of the settings lies on this machine (SQLite), it is looked at
to say which version stays. Whatever is wrong with it is passed over. Called by `worker.cli.check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.cli.inspection import identity
from worker.errors import ContentSyncError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.cli.inspection import Finding
    from worker.settings.model import Settings


def effects_of(findings: Sequence[Finding], settings: Settings) -> dict[str, str]:
    """Return, by the path that was given, what stays published of the files with an error."""
    refused = {
        finding.path: identity(finding.path, settings)
        for finding in findings
        if any(problem.severity == "error" for problem in finding.problems)
    }
    url = settings.store_url.value
    if not refused or not url.startswith("sqlite:"):
        return {}
    from worker.library.queries import what_stays
    from worker.store.engine import Store
    from worker.store.migrate import require_schema

    try:
        store = Store(url)
        require_schema(store)
        with store.read() as connection:
            stays = what_stays(connection, refused.values(), settings.zone)
        store.close()
    except ContentSyncError:
        return {}
    return {path: stays[name] for path, name in refused.items() if name in stays}
