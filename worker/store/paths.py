"""The path ledger: one row for every path ever seen, and which document lives there.

Whoever writes about a document locks the row of its path first, in path order. Every function takes a
connection and commits nothing. Called by `worker.ingest`, by whoever answers a review, and by the watcher.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from worker.domain.folder.reconcile import RACY_MICROSECONDS, SHA256_LETTERS, UNPROVEN_SIZE, Seen
from worker.domain.seeds.problem import Severity
from worker.store.documents import LIVE
from worker.store.engine import insert_into
from worker.store.schema import documents, paths, versions

if TYPE_CHECKING:
    from worker.domain.folder.entry import Entry, Head, Withheld
    from worker.domain.folder.known import KnownFiles
    from worker.domain.folder.snapshot import Stamp


class Verdicts(NamedTuple):
    """Which verdicts hold: those by this judge (its ID), and on this day."""

    judge: str
    today: date


REFUSED, GONE = "refused", "gone"
#: A literal, so that SQLite uses the partial index.
IS_REFUSED = paths.c.state == literal_column("'refused'")
KNOWN_AT_ONCE = 1000
_MODULUS = 2**31 - 1
#: The columns of a stamp, in its order.
_STAMP = ("size", "mtime_ns", "inode", "ctime_ns")
#: The rows of files that should be in the folder.
EXPECTED = paths.c.state != GONE
#: Joins a path with the document that lives there, or lived there last and nowhere else since.
RESIDENT = and_(documents.c.id == paths.c.document_id, documents.c.path == paths.c.path)

# The rows are made before any is locked: a transaction that waits for a row that another one makes holds
# no lock that the other wants.
_MAKE = text(
    "INSERT INTO paths (path, observed, accepted, size, mtime_ns, inode, sha256, state, problems)"
    " SELECT path, 0, 0, 0, 0, 0, '', 'gone', '[]' FROM unnest(CAST(:paths AS text[])) AS path"
    ' ORDER BY path COLLATE "C" ON CONFLICT DO NOTHING'
)


def lock(
    connection: Connection, observed: Sequence[str], with_sources: Sequence[str]
) -> dict[str, Entry]:
    """Return the entries of these paths, locked in path order until the transaction ends.

    A row is made for each path that was observed, but not for the others in `with_sources`, which may have
    moved. The rows are locked by a statement that reads no other table: after a wait PostgreSQL would check
    a join again with the joined rows of before the wait (READ COMMITTED). On SQLite the transaction itself
    is the lock, and rows are made when they are written.
    """
    from worker.domain.folder.entry import (  # noqa: PLC0415 - readers do not need it
        Entry,
        Refusal,
        State,
        Withheld,
    )
    from worker.domain.folder.snapshot import Stamp  # noqa: PLC0415

    if connection.dialect.name != "sqlite" and observed:
        connection.execute(_MAKE, {"paths": list(observed)})
    p = paths.c
    rows = connection.execute(
        select(
            *(p.path, p.observed, p.accepted, p.size, p.mtime_ns, p.inode, p.ctime_ns),
            *(p.sha256, p.state, p.document_id, p.withheld, p.withheld_observed),
            *(p.refused_at, p.problems),
        )
        .where(p.path.in_(with_sources))
        .order_by(p.path)
        .with_for_update()
    ).all()
    heads = _load_heads(connection, sorted({r.document_id for r in rows if r.document_id}))
    return {
        row.path: Entry(
            path=row.path,
            observed=row.observed,
            accepted=row.accepted,
            stamp=Stamp(row.size, row.mtime_ns, row.inode, row.ctime_ns),
            sha256=row.sha256,
            state=State(row.state),
            head=heads.get(row.document_id),
            withheld=Withheld(status=row.withheld, observed=row.withheld_observed)
            if row.withheld
            else None,
            refusal=Refusal(at=row.refused_at, codes=_error_codes(row.problems))
            if row.refused_at
            else None,
        )
        for row in rows
    }


def _error_codes(problems: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(one["code"] for one in problems if one["severity"] == Severity.ERROR)


def _load_heads(connection: Connection, ids: Sequence[int]) -> dict[int, Head]:
    from worker.domain.folder.entry import Head  # noqa: PLC0415

    if not ids:
        return {}
    d, v = documents.c, versions.c
    rows = connection.execute(
        select(d.id, d.path, d.state, d.number, d.sha256, v.metadata, v.body_sha256)
        .join(versions, (v.document_id == d.id) & (v.number == d.number))
        .where(d.id.in_(ids))
    )
    return {
        row.id: Head(
            document_id=row.id,
            path=row.path,
            live=row.state == LIVE,
            number=row.number,
            sha256=row.sha256,
            metadata=row.metadata,
            body_sha256=row.body_sha256,
        )
        for row in rows
    }


def write(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of the ledger, which are locked; every row has every column."""
    if not rows:
        return
    insert = insert_into(connection.dialect, paths)
    new = {
        column.name: insert.excluded[column.name] for column in paths.c if not column.primary_key
    }
    connection.execute(
        insert.on_conflict_do_update(index_elements=[paths.c.path], set_=new), list(rows)
    )


def accept_beneath(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Record what came at refused paths (`at`) before the refusal.

    That is `accepted` with `document_id`, and what withholds the document.
    """
    if rows:
        connection.execute(update(paths).where(paths.c.path == bindparam("at")), list(rows))


def lock_rows(connection: Connection, which: Sequence[str] | Select[Any]) -> None:
    """Lock the rows of paths, or of a query for paths, in path order until the transaction ends."""
    p = paths.c.path
    connection.execute(select(p).where(p.in_(which)).order_by(p).with_for_update())


def lock_document(connection: Connection, path: str) -> Any | None:
    """Return the document at a path, live or retired, or None; its row of the ledger is locked."""
    lock_rows(connection, [path])
    return connection.execute(
        select(documents).join(paths, RESIDENT).where(paths.c.path == path)
    ).one_or_none()


def forget_gone(connection: Connection, *, before: int) -> None:
    """Delete the rows of paths that are gone, never had a document, and were not observed since `before`."""
    p = paths.c
    old = and_(p.state == GONE, p.document_id.is_(None), p.observed < before)
    connection.execute(delete(paths).where(old))


def agree_with_documents(connection: Connection) -> None:
    """Make the ledger agree with the documents, so that a full scan compares both with the files.

    A row that contradicts its document takes over its state and its hash; a live document without a row gets
    one.
    """
    p, d = paths.c, documents.c
    mine = (d.id == p.document_id, d.path == p.path, d.state == LIVE)
    lives = exists().where(*mine)
    connection.execute(update(paths).where(p.state == LIVE, ~lives).values(state=GONE))
    connection.execute(update(paths).where(p.state == GONE, lives).values(state=LIVE))
    sha256 = select(d.sha256).where(*mine).scalar_subquery()
    connection.execute(
        update(paths).where(p.state == LIVE, p.sha256 != sha256).values(sha256=sha256)
    )
    lost = select(d.path, d.sha256, d.id.label("document_id")).outerjoin(paths, RESIDENT)
    rows = connection.execute(lost.where(d.state == LIVE, p.path.is_(None)).order_by(d.path))
    unseen = dict.fromkeys(("observed", "accepted", *_STAMP), 0)
    write(
        connection,
        [
            {**row._asdict(), **unseen, "state": LIVE, "problems": [], "refused_at": None}
            | withheld_columns(None)
            | judged_columns(None, None)
            for row in rows
        ],
    )


def known_files(connection: Connection, verdicts: Verdicts) -> KnownFiles:
    """Return every path that should be in the folder, with what was last seen of it."""
    from worker.domain.folder.known import KnownFiles  # noqa: PLC0415 - only a scan needs it
    from worker.domain.folder.snapshot import Known, Stamp  # noqa: PLC0415

    known = KnownFiles()
    p = paths.c
    verdict_holds = case((is_judged(verdicts), 1), else_=0)
    seen = (p.path, *(p[name] for name in _STAMP), p.sha256, p.observed, verdict_holds)
    for page in _pages(connection, select(*seen).where(p.state == LIVE)):
        known.take(page)
    refused = select(*seen, documents.c.state).outerjoin(documents, RESIDENT).where(IS_REFUSED)
    for path, *stamp, sha256, observed, judged, state in connection.execute(refused):
        known[path] = Known(Stamp(*stamp), sha256, observed, state == LIVE, bool(judged))
    return known


def fingerprint(connection: Connection, verdicts: Verdicts) -> tuple[int, ...]:
    """Return a token that changes whenever known_files() would, in a tenth of its time.

    It consists of counts and sums; every ingest raises an `observed`. Only a repair changes a hash alone,
    and the full sync that must follow a repair finds the difference.
    """
    numbers = (paths.c[name] for name in (*_STAMP, "observed"))
    # Sums of remainders: sums of large numbers would exceed 64 bits, an error in SQLite.
    sums = (func.coalesce(func.sum(number % _MODULUS), 0) for number in numbers)
    parts = (
        func.coalesce(func.sum(case((part, 1), else_=0)), 0)
        for part in (paths.c.state == LIVE, is_judged(verdicts))
    )
    found = connection.execute(select(func.count(), *parts, *sums).where(EXPECTED)).one()
    return tuple(map(int, found))


def stamps(connection: Connection, verdicts: Verdicts) -> set[Seen]:
    """Return the paths of `known_files` with their stamps, in the form of a walk.

    A stamp that proves nothing (see `worker.domain.folder.reconcile`), and one whose verdict does not hold
    any more, gets a size that no file has.
    """
    p = paths.c
    # SQL's division rounds towards 0, so files modified before 1970 may count as racy too.
    is_still = [
        time_ns // 1000 + RACY_MICROSECONDS < p.observed for time_ns in (p.mtime_ns, p.ctime_ns)
    ]
    is_read = func.length(p.sha256) == SHA256_LETTERS
    proves = and_(*is_still, is_read, is_judged(verdicts))
    size = case((proves, p.size), else_=UNPROVEN_SIZE)
    found: set[Seen] = set()
    columns = (p.path, size, p.mtime_ns, p.inode, p.ctime_ns)
    for page in _pages(connection, select(*columns).where(EXPECTED)):
        found.update(map(tuple, page))
    return found


def count_unjudged(connection: Connection, verdicts: Verdicts) -> int:
    """Return the number of files whose verdict does not hold any more."""
    held = case((is_judged(verdicts), 0), else_=1)
    return connection.scalar(select(func.sum(held)).where(EXPECTED)) or 0


def is_judged(verdicts: Verdicts) -> ColumnElement[bool]:
    """Return whether the verdict on a path's newest content holds."""
    p = paths.c
    is_his = func.coalesce(p.judged_by, "") == verdicts.judge
    return and_(is_his, or_(p.judge_again_on.is_(None), p.judge_again_on > verdicts.today))


def newest_observation(connection: Connection) -> int:
    """Return the largest `observed` number in the store, 0 in an empty one."""
    return connection.scalar(select(func.max(paths.c.observed))) or 0


def stamp_columns(stamp: Stamp) -> dict[str, int]:
    """Return a stamp as columns of `paths`."""
    return stamp._asdict()


def judged_columns(judge: str | None, again_on: date | None) -> dict[str, Any]:
    """Return by whom the newest content of a path was judged, as columns of `paths`."""
    return {"judged_by": judge, "judge_again_on": again_on}


def withheld_columns(withheld: Withheld | None) -> dict[str, Any]:
    """Return what withholds a document as columns of `paths`."""
    if withheld is None:
        return {"withheld": None, "withheld_observed": None}
    return {"withheld": withheld.status, "withheld_observed": withheld.observed}


def _pages(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows in pages: faster than one at a time, and smaller than all at once."""
    options = {"yield_per": KNOWN_AT_ONCE}
    return connection.execute(query, execution_options=options).partitions()
