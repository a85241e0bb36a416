"""The rows of the path ledger that one batch writes.

Decides and commits nothing. Called by `worker.ingest.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.domain.folder.decide import Ledger
from worker.domain.folder.entry import Entry, State
from worker.ingest.outcomes import Accepted, Refused
from worker.store import paths
from worker.store.engine import Connection


def write_paths(
    connection: Connection,
    ledger: Ledger,
    seen: Mapping[str, Accepted | Refused | None],
    *,
    created: Mapping[str, int],
    refused_at: Mapping[str, datetime],
    judge: str,
) -> None:
    """Write the rows of these paths; a refusal above an older accepted content stays as it is.

    `seen` has the content of each path, None for one that is gone. `created` has the documents of this
    batch by their path, and `refused_at` the instant of each refusal.
    """
    rows, beneath = [], []
    for path, content in sorted(seen.items()):
        entry = ledger.at(path)
        head = created.get(path) or (entry.head and entry.head.document_id)
        if entry.state is State.REFUSED and not isinstance(content, Refused):
            beneath.append(
                {"at": path, "accepted": entry.accepted, "document_id": head}
                | paths.withheld_columns(entry.withheld)
            )
        else:
            rows.append(
                _row(entry, content, judge)
                | {"document_id": head, "refused_at": refused_at.get(path)}
            )
    paths.write(connection, rows)
    paths.accept_beneath(connection, beneath)


def _row(entry: Entry, content: Accepted | Refused | None, judge: str) -> dict[str, Any]:
    problems = content.problems if isinstance(content, Refused) else ()
    judged = (judge, content.again_on) if content is not None else (None, None)
    return {
        "path": entry.path,
        "observed": entry.observed,
        "accepted": entry.accepted,
        **paths.stamp_columns(entry.stamp),
        "sha256": entry.sha256,
        "state": entry.state,
        "problems": [problem.as_json() for problem in problems],
        **paths.withheld_columns(entry.withheld),
        **paths.judged_columns(*judged),
    }
