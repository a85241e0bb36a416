"""Queries on the library for commands and reviews. Reads only; dates are dates, instants are in UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal_column, select

from worker.domain.reviews.review import NONE_GIVEN, Acknowledgement, ReviewGroup, ReviewRow
from worker.store.documents import IS_LIVE, LIVE, batched, load_versions_before
from worker.store.paths import IS_REFUSED, RESIDENT
from worker.store.schema import (
    acknowledgements,
    bodies,
    documents,
    events,
    notices,
    versions,
)
from worker.store.schema import paths as ledger

#: Bodies may have megabytes, so a whole library is read in small runs of rows.
ROWS_AT_ONCE = 100
#: The answers of the cycle that a document is in.
_IN_THIS_CYCLE = (acknowledgements.c.document_id == documents.c.id) & (
    acknowledgements.c.due_on == documents.c.due_on
)
_ANSWERS = [
    acknowledgements.c[name]
    for name in ("snoozed_until", "snoozes", "acknowledged_until", "planned_on")
]


def count_all(connection: Connection) -> dict[str, Any]:
    """Return the counts of documents, versions and refusals, and of notices by state.

    It does not count the live documents: that reads the table, as `review_groups` does anyway.
    """
    counts = {
        "documents": select(func.count()).select_from(documents),
        "versions": select(func.count()).select_from(versions),
        "refused": select(func.count()).where(IS_REFUSED),
    }
    totals = (count.scalar_subquery().label(name) for name, count in counts.items())
    by_state = select(notices.c.state, func.count()).group_by(notices.c.state)
    return {
        **connection.execute(select(*totals)).one()._asdict(),
        "notices": {row[0]: row[1] for row in connection.execute(by_state)},
    }


def review_rows(
    connection: Connection, *, due_until: date | None = None, planned_until: date | None = None
) -> Iterator[ReviewRow]:
    """Yield live documents for the review calendar, soonest due first.

    With `due_until`, only those that are due by then: an index range, whatever the library's size.
    With `planned_until`, followed by those that are due later and planned by then.
    """
    d, a = documents.c, acknowledgements.c
    query = _review_query()
    queries = [query if due_until is None else query.where(d.due_on <= due_until)]
    if due_until is not None and planned_until is not None:
        # Starts from the few that are planned, not from the many that are due later.
        planned = select(a.document_id).where(a.planned_on <= planned_until)
        queries.append(
            query.where(d.id.in_(planned), d.due_on > due_until, a.planned_on <= planned_until)
        )
    for row in chain.from_iterable(connection.execute(one) for one in queries):
        yield _review_row(row)


def review_groups(connection: Connection, *, by_path: bool) -> Iterator[ReviewGroup]:
    """Yield live documents, counted by everything that their review's state depends on, in any order.

    With `by_path`, documents without a review frequency are grouped by path as well.
    """
    d, a = documents.c, acknowledgements.c
    anywhere: ColumnElement[str] = literal_column("''")
    path = case((d.review_frequency.is_(None), d.path), else_=anywhere) if by_path else anywhere
    parts = (
        d.due_on,  # first, because it differs most: SQLite sorts column by column
        *(d.review_frequency, d.source_type, d.exempt),
        *(a.snoozed_until, a.planned_on),
    )
    query = (
        select(func.count().label("documents"), path.label("path"), *parts)
        .select_from(documents)
        .outerjoin(acknowledgements, _IN_THIS_CYCLE)
        .where(IS_LIVE)
        .group_by(*parts, *([path] if by_path else []))
    )
    for row in connection.execute(query):
        given = Acknowledgement(snoozed_until=row.snoozed_until, planned_on=row.planned_on)
        yield ReviewGroup(count=row.documents, **_review_basis(row, given))


def find_review_rows(connection: Connection, document_ids: Iterable[int]) -> dict[int, ReviewRow]:
    """Return the review rows of those of these documents that are live."""
    found = {}
    for ids in batched(sorted(set(document_ids)), 500):
        for row in connection.execute(_review_query().where(documents.c.id.in_(ids))):
            found[row.id] = _review_row(row)
    return found


def _review_query() -> Select[Any]:
    d = documents.c
    return (
        select(
            *(d.id, d.path, d.title, d.source_type, d.owner, d.tags, d.last_reviewed),
            *(d.review_frequency, d.risk_category, d.number, d.due_on, d.exempt),
            *_ANSWERS,
        )
        .outerjoin(acknowledgements, _IN_THIS_CYCLE)
        .where(d.state == LIVE)
        .order_by(d.due_on, d.path)
    )


def _review_row(row: Any) -> ReviewRow:
    return ReviewRow(
        document_id=row.id,
        title=row.title,
        owner=row.owner,
        tags=tuple(row.tags),
        last_reviewed=row.last_reviewed,
        risk_category=row.risk_category,
        number=row.number,
        **_review_basis(row, _given(row)),
    )


def _review_basis(row: Any, given: Acknowledgement) -> dict[str, Any]:
    """Return everything that a review's state on any day depends on."""
    return {
        "path": row.path,
        "source_type": row.source_type,
        "review_frequency": row.review_frequency,
        "due_on": row.due_on,
        "exempt": row.exempt,
        "given": given,
    }


def _given(row: Any) -> Acknowledgement:
    return NONE_GIVEN if row.snoozes is None else acknowledgement(row)


def acknowledgement(row: Any) -> Acknowledgement:
    """Return the answers in a row of `acknowledgements`."""
    return Acknowledgement(
        snoozed_until=row.snoozed_until,
        snoozes=row.snoozes,
        acknowledged_until=row.acknowledged_until,
        planned_on=row.planned_on,
    )


def list_documents(connection: Connection) -> Iterator[tuple[Any, ReviewGroup | None]]:
    """Yield each document's columns, in path order, with a review group of its own if it is live."""
    d = documents.c
    shown = (column for column in d if column is not d.tags)  # parsing tags doubles the time
    query = select(*shown, *_ANSWERS).outerjoin(acknowledgements, _IN_THIS_CYCLE).order_by(d.path)
    for row in connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}):
        lives = row.state == LIVE
        yield row, ReviewGroup(count=1, **_review_basis(row, _given(row))) if lives else None


def list_paths(connection: Connection) -> list[str]:
    """Return the path of every document, in order."""
    return list(connection.scalars(select(documents.c.path).distinct().order_by(documents.c.path)))


def list_refusals(connection: Connection) -> Sequence[Any]:
    """Return every refusal in path order, with the ID of the document at its path, live or retired."""
    p = ledger.c
    query = select(p.path, p.refused_at, p.problems, documents.c.id).outerjoin(documents, RESIDENT)
    return connection.execute(query.where(IS_REFUSED).order_by(p.path)).all()


def count_live(connection: Connection) -> int:
    """Return the number of live documents."""
    live = select(func.count()).select_from(documents).where(documents.c.state == LIVE)
    return connection.scalar(live) or 0


def count_live_below(connection: Connection, folders: Iterable[str]) -> dict[str, int]:
    """Return the number of live documents below each folder, "" for the root."""
    d = documents.c
    live = select(func.count()).select_from(documents).where(d.state == LIVE)
    counts = {}
    for folder in folders:
        prefix = f"{folder}/" if folder else ""  # LIKE takes a and A for one letter in SQLite
        below = live.where(func.substr(d.path, 1, len(prefix)) == prefix)
        counts[folder] = connection.scalar(below) or 0
    return counts


def count_refused_live(connection: Connection, *, after: datetime | None = None) -> int:
    """Return the number of live documents with a newer refused edit, since an instant or at all.

    It runs every few seconds, so it reads the refusals, not all live documents.
    """
    p = ledger.c
    found = select(func.count()).select_from(ledger).join(documents, RESIDENT)
    found = found.where(IS_REFUSED, IS_LIVE)
    if after is not None:
        found = found.where(p.refused_at > after)
    return connection.scalar(found) or 0


def list_refused_live(connection: Connection, *, after: datetime) -> Sequence[Any]:
    """Return path, title and problems of the live documents with an edit refused after an instant."""
    found = (
        select(documents.c.path, documents.c.title, ledger.c.problems)
        .join(ledger, RESIDENT)
        .where(IS_REFUSED, IS_LIVE, ledger.c.refused_at > after)
        .order_by(documents.c.path)
    )
    return connection.execute(found).all()


def find_refusal(connection: Connection, path: str) -> Any | None:
    """Return the open refusal of a path, or None."""
    query = select(ledger).where(ledger.c.path == path, IS_REFUSED)
    return connection.execute(query).one_or_none()


def find_document(connection: Connection, path: str) -> Any | None:
    """Return the document at a path: the live one, or the last one, retired."""
    query = select(documents).join(ledger, RESIDENT).where(ledger.c.path == path)
    return connection.execute(query).one_or_none()


def heads_of(connection: Connection, paths: Iterable[str]) -> Iterator[Any]:
    """Yield the ID, path, sha256, number and stored_at of the newest version of each live document here."""
    d, v = documents.c, versions.c
    query = select(d.id, d.path, d.sha256, v.number, v.stored_at).join(
        versions, (v.document_id == d.id) & (v.number == d.number)
    )
    for some in batched(sorted(set(paths)), 500):
        yield from connection.execute(query.where(d.path.in_(some), d.state == LIVE))


def versions_before(
    connection: Connection, files: Mapping[str, str], has_content: Callable[[str, Any], bool]
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield path, metadata and body of the version that comes before each of these files.

    That is the document's newest one, or the one before it if the file still has the content of the newest.
    `files` maps paths to the hashes of their files; only live documents count. `has_content` gets the path
    of a file with another hash and the newest version, and returns whether their content is the same.
    """
    d = documents.c
    query = select(ledger.c.path, d.id, d.number, d.sha256).join(documents, RESIDENT)
    for some in batched(sorted(files), 500):
        rows = connection.execute(query.where(ledger.c.path.in_(some), d.state == LIVE)).all()
        same = {row.id: row.path for row in rows if row.sha256 == files[row.path]}
        for row in rows:
            if row.id in same:
                continue
            version = find_version(connection, row.id, number=row.number)
            if version is not None and has_content(row.path, version):
                same[row.id] = row.path
            elif version is not None:
                yield row.path, version.metadata, version.body
        for document_id, before in load_versions_before(connection, same).items():
            yield same[document_id], *before


def titles_of(connection: Connection, paths: Sequence[str]) -> dict[str, str]:
    """Return the titles of the documents at these paths."""
    titles = select(ledger.c.path, documents.c.title).join(documents, RESIDENT)
    return {
        row.path: row.title
        for some in batched(paths, 500)
        for row in connection.execute(titles.where(ledger.c.path.in_(some)))
    }


def list_versions(connection: Connection, document_id: int) -> Sequence[Any]:
    """Return a document's versions without their bodies, oldest first."""
    return connection.execute(
        select(versions).where(versions.c.document_id == document_id).order_by(versions.c.number)
    ).all()


def find_version(
    connection: Connection,
    document_id: int,
    *,
    number: int | None = None,
    at: datetime | None = None,
) -> Any | None:
    """Return one version with its body: that number, the newest at an instant, or the newest."""
    query: Select[Any] = (
        select(versions, bodies.c.body)
        .join(bodies, bodies.c.sha256 == versions.c.body_sha256)
        .where(versions.c.document_id == document_id)
        .order_by(versions.c.number.desc())
        .limit(1)
    )
    if number is not None:
        query = query.where(versions.c.number == number)
    if at is not None:
        query = query.where(versions.c.stored_at <= at)
    return connection.execute(query).one_or_none()


def list_notices(
    connection: Connection, state: str | None, *, limit: int | None, before: int | None
) -> Sequence[Any]:
    """Return notices, newest first: of one state, at most `limit`, with IDs below `before`; None for any."""
    query = select(notices).order_by(notices.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(notices.c.state == state)
    if before is not None:
        query = query.where(notices.c.id < before)
    return connection.execute(query).all()


def events_after(connection: Connection, event_id: int, limit: int) -> Sequence[Any]:
    """Return up to `limit` events after an ID, oldest first: the change feed."""
    e = events.c
    columns = (e.id, e.at, e.kind, e.path, e.document_id, e.number, e.data)
    query = select(*columns, e.chain_sha256.label("hash")).where(e.id > event_id)
    return connection.execute(query.order_by(e.id).limit(limit)).all()


def live_versions(connection: Connection, *, bodies_too: bool) -> Iterator[Any]:
    """Yield the live documents with the metadata of their heads, in path order, a few at a time."""
    d, v = documents.c, versions.c
    query = (
        select(
            d.id, d.path, d.number, d.title, d.status, d.sha256, d.last_reviewed, d.due_on,
            v.metadata, v.body_sha256,
        )
        .join(versions, (v.document_id == d.id) & (v.number == d.number))
        .where(d.state == LIVE)
        .order_by(d.path)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )  # fmt: skip
    if bodies_too:
        query = query.add_columns(bodies.c.body).join(bodies, bodies.c.sha256 == v.body_sha256)
    yield from connection.execute(query)


def count_events(connection: Connection, *, since: datetime | None) -> dict[str, int]:
    """Return the number of events of each kind, since an instant or at all."""
    query = select(events.c.kind, func.count()).group_by(events.c.kind)
    if since is not None:
        query = query.where(events.c.at > since)
    return {row[0]: row[1] for row in connection.execute(query)}
