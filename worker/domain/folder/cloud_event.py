"""The library's events as CloudEvents 1.0, the format of the stream, of `events` and of every follower.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SOURCE = "/content-sync"
#: The kind of event that says that an epoch began: what was processed of the epochs before may be gone.
BEGAN = "epoch.began"
TYPE_PREFIX = "org.content-sync."


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the change feed. `at` is aware, `number` is the version number, `data` is JSON.

    `source` names the library and the epoch in which `id` is the event's. `hash` is its place in the chain
    (`worker.domain.folder.chain`).
    """

    id: int
    at: datetime
    kind: str
    path: str
    document_id: int | None
    number: int | None
    data: dict[str, Any]
    hash: str | None = None
    source: str = SOURCE


def source_of(library: str, epoch: str) -> str:
    """Return the source of the events of an epoch: with it, the ID of an event is unique."""
    return f"{SOURCE}/{library}/{epoch}"


def cloud_event(event: Event) -> dict[str, Any]:
    """Return the event in the JSON form of CloudEvents 1.0; `time` is RFC 3339 in UTC."""
    named = {"document_id": event.document_id, "number": event.number}
    chained = {"hash": event.hash} if event.hash is not None else {}
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": f"{TYPE_PREFIX}{event.kind}",
        **({"subject": event.path} if event.path else {}),
        "time": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **chained,
        "datacontenttype": "application/json",
        "data": event.data | {name: value for name, value in named.items() if value is not None},
    }
