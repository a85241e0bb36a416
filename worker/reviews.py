"""The review sweep: documents whose review is upcoming, due or overdue owe their routes a notice.

It may run at any time, twice, and from two machines: a notice is unique by document, due date, stage
and route. It sends nothing; delivery does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from worker.domain.notice import Notice, review_notices
from worker.domain.policy import Policy
from worker.domain.route import Subject
from worker.store.engine import Connection, Store
from worker.store.library import review_rows
from worker.store.notices import add_notices, new_notices


def sweep(
    store: Store, *, policy: Policy, now: datetime, today: date, dry_run: bool = False
) -> list[Notice]:
    """Add the notices that are owed on a day and not there yet, and return them. Commits once.

    `now` is aware, `today` a date in the team's zone. With `dry_run` nothing is written.
    """
    with store.read() as connection:
        owed = list(_owed(connection, policy, today))
        fresh = new_notices(connection, owed)
    if dry_run or not fresh:
        return fresh
    return store.transact(lambda connection: add_notices(connection, fresh, now=now))


def _owed(connection: Connection, policy: Policy, today: date) -> Iterator[Notice]:
    until = today + timedelta(days=policy.upcoming_days)
    for row in review_rows(connection, due_until=until):
        yield from review_notices(
            Subject(path=row.path, source_type=row.source_type, owner=row.owner, tags=row.tags),
            document_id=row.document_id,
            due_on=row.due_on,
            exempt=row.exempt,
            title=row.title,
            today=today,
            upcoming_days=policy.upcoming_days,
            routes=policy.routes,
        )
