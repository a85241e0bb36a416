"""What the store says now of leased notices: which still apply, and which are answered or outdated.

Reads only. Called by `worker.messages.deliver`, just before it sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection, and_, case, select

from worker.domain.reviews.notice import ASKED, FAILING, REFUSED, RETRACTED
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import OPEN_STATES, ReviewRow, ReviewState
from worker.domain.seeds.facts import ACTIVE
from worker.domain.seeds.problem import Severity
from worker.store.documents import LIVE, batched
from worker.store.library import find_review_rows
from worker.store.notices import Leased
from worker.store.paths import IS_REFUSED, RESIDENT
from worker.store.schema import channels, documents
from worker.store.schema import paths as ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """A leased digest after a check: the notices that still apply, and the IDs of the others."""

    owed: list[Leased]
    gone: list[int]
    snoozed: list[int]


def recheck(
    connection: Connection, leased: Sequence[Leased], *, policy: Policy, today: date
) -> Rechecked:
    """Return which leased notices still apply, which are answered or outdated, and which are snoozed.

    A notice about a moved document gets its present path.
    """
    owed, outdated, snoozed = [], [], []
    rows = find_review_rows(connection, (n.document_id for n in leased if n.document_id))
    facts = _Facts(connection, leased)
    for notice in leased:
        row = rows.get(notice.document_id or 0)
        match notice.kind:
            case "review":
                state = _state_in_cycle(notice, row, policy, today)
                if state is ReviewState.SNOOZED:
                    snoozed.append(notice.id)
                    continue
                applies = state in OPEN_STATES or (
                    state is not None and str(notice.stage).startswith(ASKED)
                )
            case "refused":
                refused = facts.refused.get(notice.path)
                applies = refused is not None and refused.sha256 == notice.data["sha256"]
            case "retracted":
                applies = notice.document_id not in facts.served
            case "failing":
                applies = facts.failing_since.get(notice.data["channel"]) == notice.data["since"]
            case _:
                applies = True
        if applies:
            owed.append(facts.as_now(notice, row))
        else:
            outdated.append(notice.id)
    return Rechecked(owed=owed, gone=outdated, snoozed=snoozed)


def _state_in_cycle(
    notice: Leased, row: ReviewRow | None, policy: Policy, today: date
) -> ReviewState | None:
    """Return the state of the review that a notice is about, or None if its cycle has ended."""
    if row is None or row.due_on != notice.due_on:
        return None
    return policy.state_of(row, today=today)


class _Facts:
    """The present state of what leased notices are about."""

    def as_now(self, notice: Leased, row: ReviewRow | None) -> Leased:
        """Return a notice with the present path of its document; of a refusal, with what holds now."""
        if notice.kind == REFUSED:
            # An older good version may have been stored since, and the file judged again.
            now = self.refused[notice.path]
            errors = (one for one in now.problems if one["severity"] == Severity.ERROR)
            problem = next(errors, notice.data["problem"])
            kept = {"kept": now.kept, "earlier": now.earlier}
            return replace(notice, data=notice.data | kept | {"problem": problem})
        return notice if row is None else replace(notice, path=row.path)

    def __init__(self, connection: Connection, leased: Sequence[Leased]) -> None:
        d, p, c = documents.c, ledger.c, channels.c
        paths = sorted({n.path for n in leased if n.kind == REFUSED})
        stays = and_(d.state == LIVE, p.withheld.is_(None))
        kept, earlier = case((stays, d.number)), d.sha256 == p.sha256
        refused = select(p.path, p.sha256, p.problems, kept.label("kept"), earlier.label("earlier"))
        refused = refused.outerjoin(documents, RESIDENT).where(IS_REFUSED)
        self.refused = {
            row.path: row
            for some in batched(paths, 500)
            for row in connection.execute(refused.where(p.path.in_(some)))
        }
        ids = sorted({n.document_id for n in leased if n.kind == RETRACTED and n.document_id})
        self.served = {
            number
            for some in batched(ids, 500)
            for number in connection.scalars(
                select(d.id).where(d.id.in_(some), d.state == LIVE, d.status == ACTIVE)
            )
        }
        self.failing_since = {}
        if any(n.kind == FAILING for n in leased):
            failing = select(c.name, c.failing_since).where(c.failing_since.is_not(None))
            self.failing_since = {
                row.name: row.failing_since.isoformat() for row in connection.execute(failing)
            }
