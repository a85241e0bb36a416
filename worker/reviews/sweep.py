"""The review sweep: adds a notice for each route of a document whose review is near, due or overdue.

The sweep is idempotent: it may run at any time, twice, and on two machines, because a notice is unique by
document, due date, stage and route. `worker.messages.deliver` sends the messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo

from worker.domain.reviews.notice import Cycle, Notice, review_notices, well_notices
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import ReviewState
from worker.store import notices as table
from worker.store.engine import Connection, Store
from worker.store.library import review_groups, review_rows

#: A review in one of these states needs somebody.
_NOT_WELL = (ReviewState.DUE, ReviewState.OVERDUE, ReviewState.ESCALATED, ReviewState.UNKNOWN)


def sweep(
    store: Store,
    *,
    policy: Policy,
    now: datetime,
    today: date,
    zone: tzinfo,
    dry_run: bool = False,
) -> list[Notice]:
    """Add the notices that are owed on a day and do not exist yet, and return them. Commits once.

    `now` is aware, `today` is a date in the team's zone. `dry_run` writes nothing.
    """
    with store.read() as connection:
        owed = [*owed_now(connection, policy, today, zone=zone), *_well(connection, policy, today)]
        fresh = table.new_notices(connection, owed)
    if dry_run or not fresh:
        return fresh
    return store.transact(lambda connection: table.add_notices(connection, fresh, now=now))


def owed_now(
    connection: Connection, policy: Policy, today: date, *, zone: tzinfo
) -> Iterator[Notice]:
    """Yield all notices that reviews owe on a day, including those that already exist."""
    notified = table.last_notified(connection, today=today, zone=zone)
    until = today + timedelta(days=policy.leads.longest)
    for row in review_rows(connection, due_until=until, planned_until=today):
        yield from review_notices(
            policy.subject(row.path, source_type=row.source_type, owner=row.owner, tags=row.tags),
            document_id=row.document_id,
            clock=row.clock,
            title=row.title,
            today=today,
            ladder=policy.ladder_of(row.path, row.source_type, row.review_frequency),
            routes=policy.routes,
            cycle=Cycle(given=row.given, notified_on=notified.get(row.document_id, {})),
        )


def _well(connection: Connection, policy: Policy, today: date) -> Iterator[Notice]:
    """Yield the monthly notice that nothing is due, for the routes that want it."""
    if not table.new_notices(
        connection, well_notices(today, live=0, current=0, next_week=0, routes=policy.routes)
    ):
        return  # no route wants it, or each has it already
    states: Counter[ReviewState] = Counter()
    next_week = 0
    for group in review_groups(connection, by_path=policy.defaults_by_path):
        states[policy.state_of(group, today=today)] += group.count
        if group.due_on is not None and group.due_on <= today + timedelta(days=7):
            next_week += group.count
    if states and not any(states[state] for state in _NOT_WELL):
        yield from well_notices(
            today,
            live=states.total(),
            current=states[ReviewState.CURRENT],
            next_week=next_week,
            routes=policy.routes,
        )
