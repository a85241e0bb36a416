"""The queries of `verify`, as streams of rows, so that a library may be larger than memory.

Only `end_leases` writes; nothing commits. `worker.domain.folder.laws` judges the rows. Instants are aware.
Called by `worker.run.verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)

from worker.domain.folder.laws import KnownFile
from worker.domain.reviews.ladder import DUE, OVERDUE
from worker.domain.reviews.notice import REVIEW
from worker.store.chain import newest_event
from worker.store.documents import LIVE, batched
from worker.store.events import MOVED, RETIRED, REVIVED, STORED
from worker.store.notices import PENDING, SENT
from worker.store.paths import EXPECTED, GONE, IS_REFUSED, RESIDENT, lock_rows
from worker.store.schema import (
    acknowledgements,
    bodies,
    documents,
    events,
    metadata,
    notices,
    paths,
    versions,
)

#: Bodies may have megabytes, so rows with bodies are read in small runs, other rows in long ones.
_FEW, _MANY = 50, 1000
_PARAMETERS = 500


def database_faults(connection: Connection) -> Iterator[str]:
    """Yield the faults that the database reports: damaged pages, broken references, IDs to be reused."""
    if connection.dialect.name == "sqlite":
        for (finding,) in connection.execute(text("PRAGMA integrity_check(20)")):
            if finding != "ok":
                yield str(finding)
        for row in connection.execute(text("PRAGMA foreign_key_check")):
            yield f"row {row[1]} of {row[0]} refers to a row of {row[2]} that does not exist"
        given = text("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        newest = newest_event(connection)
        if (connection.scalar(given) or 0) < newest:
            yield f"the next event would not get a larger ID than the newest, {newest}"
        return
    for table in metadata.sorted_tables:
        if (column := table.c.get("id")) is None or column.identity is None:
            continue
        given = text(
            f"SELECT pg_sequence_last_value(pg_get_serial_sequence('{table.name}', 'id')::regclass)"
        )
        newest = connection.scalar(select(func.max(column))) or 0
        if (connection.scalar(given) or 0) < newest:
            yield f"the next ID of {table.name} would not be larger than the newest, {newest}"


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of each verified table, by the name that people see."""
    counted = {
        "documents": documents,
        "versions": versions,
        "bodies": bodies,
        "events": events,
        "notices": notices,
        "acknowledgements": acknowledgements,
    }
    queries = union_all(
        *(
            select(literal(name), func.count()).select_from(table)
            for name, table in counted.items()
        ),
        select(literal("refusals"), func.count()).select_from(paths).where(IS_REFUSED),
    )
    return {row[0]: row[1] for row in connection.execute(queries)}


def stored_versions(connection: Connection) -> Iterator[Any]:
    """Yield every version with its body, by document (`d_id`, `d_path`) and number.

    A document without a version yields one row without `number`.
    """
    d, v = documents.c, versions.c
    yield from connection.execute(
        select(
            d.id.label("d_id"), d.path.label("d_path"),
            v.number, v.sha256, v.body_sha256, v.front_matter, v.metadata, bodies.c.body,
        )
        .outerjoin(versions, v.document_id == d.id)
        .outerjoin(bodies, bodies.c.sha256 == v.body_sha256)
        .order_by(d.id, v.number)
        .execution_options(yield_per=_FEW)
    )  # fmt: skip


def unused_bodies(connection: Connection) -> Iterator[Any]:
    """Yield the bodies that no version uses: sha256, body."""
    b = bodies.c
    unused = select(b.sha256).except_(select(versions.c.body_sha256))
    for sha256 in connection.scalars(unused.execution_options(yield_per=_MANY)):
        yield connection.execute(select(b.sha256, b.body).where(b.sha256 == sha256)).one()


def newest_versions(connection: Connection) -> Iterator[Any]:
    """Yield each document's row with the number, hash and metadata of its newest version (`v_…`).

    `withheld` is the status by which a refused file withholds it, or None.
    """
    yield from connection.execute(
        _newest_version().order_by(documents.c.id).execution_options(yield_per=_MANY)
    )


def find_newest_versions(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    """Return the same rows for these documents; their ledger rows are locked until the transaction ends."""
    lock_rows(connection, select(documents.c.path).where(documents.c.id.in_(ids)))
    query = _newest_version().where(documents.c.id.in_(ids)).order_by(documents.c.path)
    return connection.execute(query).all()


def find_version_at(connection: Connection, path: str) -> Any | None:
    """Return the newest version of the document at a path, without its body."""
    v = versions.c
    return connection.execute(
        select(v.number, v.sha256, v.body_sha256, v.front_matter, v.metadata)
        .join(documents, documents.c.id == v.document_id)
        .join(paths, RESIDENT)
        .where(paths.c.path == path)
        .order_by(v.number.desc())
        .limit(1)
    ).one_or_none()


def versions_without_event(connection: Connection) -> Iterator[Any]:
    """Yield the versions without an event: path, number."""
    v, e = versions.c, events.c
    yield from connection.execute(
        select(v.path, v.number)
        .outerjoin(events, and_(_is_about_version(), e.kind == STORED))
        .where(e.id.is_(None))
        .order_by(v.path, v.number)
        .execution_options(yield_per=_MANY)
    )


def events_without_version(connection: Connection) -> Iterator[Any]:
    """Yield the events of versions that do not exist, or not at that path: id, path, number."""
    v, e = versions.c, events.c
    yield from connection.execute(
        select(e.id, e.path, e.number)
        .outerjoin(versions, _is_about_version())
        .where(e.kind == STORED, v.id.is_(None))
        .order_by(e.id)
        .execution_options(yield_per=_MANY)
    )


def life_events(connection: Connection) -> Iterator[Any]:
    """Yield the events of each document's life, by document, oldest first.

    `d_path` and `d_state` are the document's path and state. A document without such events yields one
    row without `id`.
    """
    d, e = documents.c, events.c
    kinds = e.kind.in_((STORED, MOVED, RETIRED, REVIVED))
    yield from connection.execute(
        select(d.id.label("d_id"), d.path.label("d_path"), d.state.label("d_state"))
        .add_columns(e.id, e.kind, e.path, e.data)
        .outerjoin(events, and_(e.document_id == d.id, kinds))
        .order_by(d.id, e.id)
        .execution_options(yield_per=_MANY)
    )


def lost_subjects(connection: Connection) -> Iterator[tuple[str, int, str]]:
    """Yield the rows whose document does not exist: table, ID (the row's or the document's), path."""
    d = documents.c
    about: tuple[tuple[str, Any, Any, Any], ...] = (
        ("events", events.c.document_id, events.c.id, events.c.path),
        ("notices", notices.c.document_id, notices.c.id, notices.c.path),
        (
            "acknowledgements",
            acknowledgements.c.document_id,
            acknowledgements.c.document_id,
            literal(""),
        ),
    )
    for name, document_id, row_id, path in about:
        lost = (
            select(row_id, path)
            .select_from(document_id.table.outerjoin(documents, d.id == document_id))
            .where(document_id.is_not(None), d.id.is_(None))
            .execution_options(yield_per=_MANY)
        )
        for found_id, found_path in connection.execute(lost):
            yield name, found_id, found_path


def notices_against_the_law(connection: Connection) -> Iterator[tuple[str, int, str]]:
    """Yield the notices that contradict themselves or each other: path, ID, and what is wrong."""
    n = notices.c
    wrong: tuple[tuple[str, Any], ...] = (
        ("it is sent, but has no time of sending", and_(n.state == SENT, n.sent_at.is_(None))),
        (
            "it has a time of sending, but is not sent",
            and_(n.state != SENT, n.sent_at.is_not(None)),
        ),
        ("it is closed and still leased", and_(n.state != PENDING, n.leased_until.is_not(None))),
    )
    for what, condition in wrong:
        for row in connection.execute(select(n.path, n.id).where(condition).order_by(n.id)):
            yield row.path, row.id, what
    twice = (
        select(func.min(n.path), func.max(n.id))
        .where(n.kind == REVIEW)
        .group_by(n.document_id, n.due_on, n.stage, n.route)
        .having(func.count() > 1)
    )
    for path, notice_id in connection.execute(twice):
        yield path, notice_id, "its route has two notices of the same stage of one review"


def leases_beyond(connection: Connection, instant: datetime) -> Iterator[Any]:
    """Yield the pending notices that are leased beyond an instant: path, id, leased_until."""
    n = notices.c
    yield from connection.execute(
        select(n.path, n.id, n.leased_until)
        .where(n.state == PENDING, n.leased_until > instant)
        .order_by(n.id)
    )


def end_leases(connection: Connection, instant: datetime) -> int:
    """End the leases of notices that are leased beyond an instant; return their number."""
    n = notices.c
    beyond = update(notices).where(n.state == PENDING, n.leased_until > instant)
    return connection.execute(beyond.values(leased_until=None)).rowcount


def reviews_notified(connection: Connection, document_ids: Sequence[int]) -> set[tuple[Any, ...]]:
    """Return the (document, due date, route) triples with a notice that the review is due."""
    n = notices.c
    rows = connection.execute(
        select(n.document_id, n.due_on, n.route).where(
            n.document_id.in_(document_ids),
            n.kind == REVIEW,
            or_(n.stage == DUE, n.stage.startswith(OVERDUE, autoescape=True)),
        )
    )
    return {tuple(row) for row in rows}


def known_files(connection: Connection, wanted: Sequence[str]) -> dict[str, KnownFile]:
    """Return what the store has about these paths."""
    d, v, p = documents.c, versions.c, paths.c
    refused = case((IS_REFUSED, p.sha256)).label("refused_sha256")
    query = (
        select(p.path, d.state, d.sha256, v.sha256.label("version_sha256"), refused)
        .outerjoin(documents, RESIDENT)
        .outerjoin(versions, and_(v.document_id == d.id, v.number == d.number))
    )
    return {
        row.path: KnownFile(
            state=row.state,
            sha256=row.sha256,
            version_sha256=row.version_sha256,
            refused_sha256=row.refused_sha256,
        )
        for some in batched(wanted, _PARAMETERS)
        for row in connection.execute(query.where(p.path.in_(some)))
    }


def expected_files(connection: Connection) -> Iterator[tuple[str, bool]]:
    """Yield each path that the folder should contain, and whether its newest content was refused."""
    query = select(paths.c.path, IS_REFUSED).outerjoin(documents, RESIDENT)
    query = query.where(or_(EXPECTED, documents.c.state == LIVE))
    for path, refused in connection.execute(query.execution_options(yield_per=_MANY)):
        yield path, bool(refused)


def ledger_faults(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield the paths whose row in the ledger contradicts the documents, and what is wrong."""
    d, p = documents.c, paths.c
    lost = select(d.path).outerjoin(paths, RESIDENT).where(d.state == LIVE, p.path.is_(None))
    for path in connection.scalars(lost.order_by(d.path)):
        yield path, "it is live, but its path has no row in the ledger that names it"
    rows = select(p.path, p.state, d.state.label("document")).outerjoin(documents, RESIDENT)
    lives = and_(d.state == LIVE, d.state.is_not(None))
    wrong = or_(
        and_(p.state == LIVE, or_(d.state.is_(None), d.state != LIVE)),
        and_(p.state == GONE, lives),
    )
    for row in connection.execute(rows.where(wrong).order_by(p.path)):
        state = f"its document is {row.document}" if row.document else "it has no document"
        yield row.path, f"its path is {row.state}, but {state}"
    other = rows.where(p.state == LIVE, lives, p.sha256 != d.sha256)
    for row in connection.execute(other.order_by(p.path)):
        yield row.path, "its path and its document have different hashes"


def _is_about_version() -> ColumnElement[bool]:
    v, e = versions.c, events.c
    return and_(e.document_id == v.document_id, e.number == v.number, e.path == v.path)


def _newest_version() -> Select[Any]:
    d, v = documents.c, versions.c
    newest = (
        select(v.document_id, func.max(v.number).label("number"))
        .group_by(v.document_id)
        .subquery("newest")
    )
    return (
        select(
            *documents.c,
            v.number.label("v_number"),
            v.sha256.label("v_sha256"),
            v.metadata.label("v_metadata"),
            paths.c.withheld,
        )
        .outerjoin(paths, RESIDENT)
        .join(newest, newest.c.document_id == d.id)
        .join(versions, and_(v.document_id == d.id, v.number == newest.c.number))
    )
