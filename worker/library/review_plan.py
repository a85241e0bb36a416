"""Forecasts the load of reviews, proposes a plan that spreads it, and stores plans.

A plan is a day on which to review early. It does not move the due date, and ends with the review: only a
new `lastReviewed` sets a new due date. Results are JSON-ready. Called by the command `due`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from worker.domain.reviews.review import ReviewRow
from worker.domain.reviews.spread import Forecast, Review, forecast, spread
from worker.library.reader import Reader
from worker.reviews.plan_csv import Plan, PlanLine
from worker.store.engine import Connection
from worker.store.library import review_rows
from worker.store.plans import Plannable, lock_plannable, plan_reviews

if TYPE_CHECKING:
    from worker.library.services import Services

FIRST, MOVED, STAYS, UNFIT = "first", "moved", "stays", "unfit"


def forecast_load(reader: Reader, *, on: date | None, weeks: int) -> dict[str, Any]:
    """Return the number of reviews in each of the next weeks, as of a day, by default today."""
    ahead = forecast(_reviews(reader), today=on or reader.today(), weeks=weeks)
    return _as_json(ahead)


def propose_plan(
    reader: Reader, *, on: date | None, per_week: int | None, weeks: int
) -> dict[str, Any]:
    """Return a proposal with at most `per_week` reviews a week, and the resulting load.

    The default of `per_week` is the smallest number that gives each review a place. Stores nothing.
    """
    today = on or reader.today()
    with reader.store.read() as connection:
        rows = {row.path: row for row in review_rows(connection) if row.due_on is not None}
    reviews = [_review(row) for row in rows.values()]
    proposal = spread(reviews, today=today, per_week=per_week)
    places = {
        **dict.fromkeys((one.path for one in proposal.first), FIRST),
        **dict.fromkeys((one.path for one in proposal.stays), STAYS),
        **dict.fromkeys((one.path for one in proposal.unfit), UNFIT),
    }
    planned = [_review(row, proposal.planned.get(path)) for path, row in rows.items()]
    return {
        "per_week": proposal.per_week,
        "needed": proposal.needed,
        FIRST: len(proposal.first),
        MOVED: len(proposal.planned),
        STAYS: len(proposal.stays),
        UNFIT: len(proposal.unfit),
        "load": _as_json(forecast(planned, today=today, weeks=weeks)),
        "plan": [
            {
                "path": one.path,
                "title": rows[one.path].title,
                "owner": reader.policy.owner_of(one.path, rows[one.path].owner),
                "risk": one.risk,
                "last_reviewed": _iso(one.last_reviewed),
                "due_on": _iso(one.due_on),
                "planned_on": _iso(one.planned_on),
                "place": places.get(one.path, MOVED),
            }
            for one in sorted(planned, key=lambda one: (one.planned_on or one.due_on, one.path))
        ],
    }


def apply_plan(services: Services, plan: Plan, *, by: str) -> dict[str, Any]:
    """Store all planned days of a plan, or none if a line has an error. Commits once.

    A line without a day removes a planned day. Documents that were reviewed, retired or exempted since
    the plan was made are skipped. Returns the numbers of planned, removed and unchanged days, and the
    skipped lines and errors with their line numbers.
    """
    now, today = services.now(), services.today()

    def work(connection: Connection) -> dict[str, Any]:
        documents = lock_plannable(connection, [line.path for line in plan.lines])
        answer, plans = _decide(plan, documents, today=today)
        if plans and not answer["errors"]:
            services.store.lock_events(connection)
            plan_reviews(connection, plans, by=by, now=now)
        return answer

    return services.store.transact(work)


def _decide(
    plan: Plan, documents: dict[str, Plannable], *, today: date
) -> tuple[dict[str, Any], list[tuple[Plannable, date | None]]]:
    plans: list[tuple[Plannable, date | None]] = []
    errors = [_at_line(*problem) for problem in plan.problems]
    skipped, unchanged = [], 0
    for line in plan.lines:
        document = documents.get(line.path)
        if document is None:
            errors.append(_at_line(line.line, f"there is no document at {line.path}"))
        elif reason := _over(line, document):
            skipped.append(_at_line(line.line, reason))
        elif line.planned_on == document.planned_on:
            unchanged += 1
        elif wrong := _wrong(line, today):
            errors.append(_at_line(line.line, wrong))
        else:
            plans.append((document, line.planned_on))
    stored = not errors
    return {
        "planned": sum(day is not None for _, day in plans) if stored else 0,
        "taken_back": sum(day is None for _, day in plans) if stored else 0,
        "unchanged": unchanged,
        "skipped": skipped,
        "errors": sorted(errors, key=lambda error: error["line"]),
    }, plans


def _over(line: PlanLine, document: Plannable) -> str | None:
    """Return why a line's review is over, or None if it is still pending."""
    if not document.live:
        return f"{line.path} was retired since"
    if document.due_on is None:
        return f"{line.path} no longer has a due date"
    if line.due_on is not None and line.due_on != document.due_on:
        return f"{line.path} was reviewed since: it is due on {document.due_on} now"
    return None


def _wrong(line: PlanLine, today: date) -> str | None:
    if line.planned_on is None:
        return None
    if line.due_on is None:
        return "the line has no due_on, so it is unclear which review is planned"
    if line.planned_on > line.due_on:
        return f"planned for {line.planned_on}, later than it is due ({line.due_on})"
    if line.planned_on < today:
        return f"planned for {line.planned_on}, which is in the past"
    return None


def _at_line(line: int, message: str) -> dict[str, Any]:
    return {"line": line, "message": message}


def _reviews(reader: Reader) -> list[Review]:
    with reader.store.read() as connection:
        rows = [row for row in review_rows(connection) if row.due_on is not None]
    return [_review(row, row.given.planned_on) for row in rows]


def _review(row: ReviewRow, planned_on: date | None = None) -> Review:
    if row.due_on is None:
        raise ValueError(f"{row.path} has no due date")
    return Review(
        path=row.path,
        due_on=row.due_on,
        last_reviewed=row.last_reviewed,
        risk=row.risk_category,
        planned_on=planned_on,
    )


def _as_json(ahead: Forecast) -> dict[str, Any]:
    return {
        "weeks": [
            {
                "week": f"{week.monday.isocalendar().year}-W{week.monday.isocalendar().week:02}",
                "from": week.monday.isoformat(),
                "due": week.due,
                "planned": week.planned,
                "load": week.total,
                "risks": dict(sorted(week.load.items())),
            }
            for week in ahead.weeks
        ],
        "overdue": ahead.overdue,
        "later": ahead.later,
        "mean": round(ahead.mean, 1),
        "pace": round(ahead.pace, 1),
    }


def _iso(value: date | datetime | None) -> str | None:
    return value.isoformat() if value is not None else None
