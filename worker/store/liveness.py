"""The heartbeats of the service's parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from worker.store.engine import insert_into
from worker.store.schema import heartbeats

#: How the names of workers' heartbeats begin; the worker's node name follows.
WORKER = "worker:"


def beat(connection: Connection, name: str, data: dict[str, Any], *, now: datetime) -> None:
    """Record that a part is running."""
    row = {"at": now, "data": data}
    connection.execute(
        insert_into(connection.dialect, heartbeats)
        .values(name=name, **row)
        .on_conflict_do_update(index_elements=["name"], set_=row)
    )


def batch_formats(connection: Connection, *, since: datetime, unsaid: int) -> set[int]:
    """Return which formats of batches the workers read that have reported since an instant.

    `unsaid` is the format of the workers that do not say it.
    """
    beats = heartbeats.c
    rows = connection.execute(
        select(beats.data).where(beats.name.startswith(WORKER), beats.at >= since)
    )
    return {row.data.get("batch_format", unsaid) for row in rows}


def forget_silent(connection: Connection, *, since: datetime) -> None:
    """Delete parts without a heartbeat since an instant: containers start under new names."""
    connection.execute(delete(heartbeats).where(heartbeats.c.at < since))


def find_heartbeats(connection: Connection) -> dict[str, Any]:
    """Return the last heartbeat of every part, by name."""
    return {row.name: row for row in connection.execute(select(heartbeats))}


def unseen_folders(heartbeats: Mapping[str, Any]) -> dict[str, str]:
    """Return the folders that the watcher cannot read, "" for the root, and since when."""
    watcher = heartbeats.get("watcher")
    return dict((watcher.data.get("unseen") or {}) if watcher is not None else {})


def failed_files(heartbeats: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    """Return how many files the watcher could not read for unforeseen reasons, and the first with theirs."""
    watcher = heartbeats.get("watcher")
    failed = (watcher.data.get("failed") if watcher is not None else None) or {}
    return failed.get("number", 0), failed.get("first", {})
