"""Answers that change a file, from before the change until their event is stored.

A row is committed before the file is touched, and goes when its event comes. A row that stays is of a
process that ended in between, or that lost the store: its hash shows whether the file was changed. Every
function takes a connection and commits nothing. Called by `worker.library.write_back`, `worker.ingest` and
`worker.run.doctor`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from worker.store.acknowledgements import RETIRE_ASKED
from worker.store.chain import newest_event
from worker.store.documents import event_row
from worker.store.schema import events, unfinished_answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An answer; `sha256` is that of the file once it is changed, or None once it is removed."""

    id: int
    at: datetime
    kind: str
    path: str
    document_id: int
    number: int
    data: dict[str, Any]
    sha256: str | None
    event_before: int


def note(
    connection: Connection,
    *,
    at: datetime,
    kind: str,
    path: str,
    document_id: int,
    number: int,
    data: dict[str, Any],
    sha256: str | None,
) -> Unfinished:
    """Note an answer whose file will be changed."""
    answer = Unfinished(
        id=0,
        at=at,
        kind=kind,
        path=path,
        document_id=document_id,
        number=number,
        data=data,
        sha256=sha256,
        event_before=newest_event(connection),
    )
    row = {name: value for name, value in asdict(answer).items() if name != "id"}
    statement = insert(unfinished_answers).values(row).returning(unfinished_answers.c.id)
    return replace(answer, id=connection.scalar(statement))


def drop(connection: Connection, answer: Unfinished) -> bool:
    """Delete an answer whose file was not changed, or whose event is stored; return whether it was there."""
    same = unfinished_answers.c.id == answer.id
    return bool(connection.execute(delete(unfinished_answers).where(same)).rowcount)


def finish(connection: Connection, answer: Unfinished, *, now: datetime) -> list[dict[str, Any]]:
    """Delete an answer; return the row of its event, or none if the event is stored already."""
    if not drop(connection, answer) and _is_recorded(connection, answer):
        return []
    given = {"document_id": answer.document_id, "number": answer.number, **answer.data}
    return [event_row(now, answer.kind, answer.path, **given)]


def find(connection: Connection, *, before: datetime | None = None) -> list[Unfinished]:
    """Return the unfinished answers, oldest first: all, or those from before an instant."""
    u = unfinished_answers.c
    query = select(unfinished_answers).order_by(u.id)
    rows = connection.execute(query if before is None else query.where(u.at < before))
    return [Unfinished(**row._mapping) for row in rows]  # noqa: SLF001 - a documented attribute


def settle(
    connection: Connection,
    seen: Collection[tuple[int | None, str]],
    retired: Collection[int],
    *,
    now: datetime,
) -> list[dict[str, Any]]:
    """Return the events of answers whose files were seen as they were to become.

    `seen` are documents, or None for any, with the hashes of their files; `retired` are those whose files
    are gone. Drops the other answers about documents that are being retired: nobody can give them again.
    """
    rows = []
    for one in find(connection):
        is_gone = one.document_id in retired
        is_changed = one.sha256 is not None and (
            (one.document_id, one.sha256) in seen or (None, one.sha256) in seen
        )
        if is_changed or (one.sha256 is None and is_gone):
            rows += finish(connection, one, now=now)
        elif is_gone:
            drop(connection, one)
    return rows


def asked_to_retire(answers: Sequence[Unfinished]) -> frozenset[str]:
    """Return the paths whose removal a person asked for, and may have carried out."""
    return frozenset(one.path for one in answers if one.kind == RETIRE_ASKED)


def _is_recorded(connection: Connection, answer: Unfinished) -> bool:
    e = events.c
    rows = connection.scalars(
        select(e.data).where(
            e.id > answer.event_before, e.path == answer.path, e.kind == answer.kind
        )
    )
    return answer.data in rows.all()
