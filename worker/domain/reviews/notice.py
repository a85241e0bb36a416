"""Notices: one fact owed to one route, with a unique key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from worker.domain.reviews.ladder import Audience, rungs
from worker.domain.reviews.review import NONE_GIVEN, Acknowledgement, Clock, Ladder
from worker.domain.reviews.route import Route, Subject, routes_for

REVIEW, REFUSED, HELD = "review", "refused", "held"
RETRACTED, FAILING, SILENT, WELL = "retracted", "failing", "silent", "well"
KINDS = (REVIEW, REFUSED, HELD, RETRACTED, FAILING, SILENT, WELL)
#: The kinds that a route gets unless its settings say otherwise.
ROUTINE_KINDS = tuple(kind for kind in KINDS if kind != WELL)
#: The kinds that do not wait for a route's hours.
URGENT_KINDS = frozenset({REFUSED, HELD, RETRACTED, FAILING, SILENT})
#: The stage of a review requested because of a high-risk edit; the version's number follows.
ASKED = "asked-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A fact that is owed to a route. `key` is unique in the store, so a notice is stored only once."""

    key: str
    kind: str
    route: str
    channel: str
    stage: str | None = None
    path: str = ""
    document_id: int | None = None
    due_on: date | None = None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What has happened since the last review.

    `notified_on` maps each route to the day of its last notice that the review is overdue.
    """

    given: Acknowledgement = NONE_GIVEN
    notified_on: Mapping[str, date] = field(default_factory=dict)


NEW_CYCLE = Cycle()


def review_notices(
    subject: Subject,
    *,
    document_id: int,
    clock: Clock,
    title: str,
    today: date,
    ladder: Ladder,
    routes: Iterable[Route],
    cycle: Cycle = NEW_CYCLE,
) -> Iterator[Notice]:
    """Yield the notices that a live document's review owes on a day; none while it is current.

    A notice is unique by document, due date, stage and route, so each stage has one notice a cycle. A
    new `lastReviewed` moves the due date and starts the next cycle.
    """
    by_name = {route.name: route for route in routes}
    for route in routes_for(REVIEW, subject, by_name.values()):
        for rung in rungs(
            clock,
            today=today,
            ladder=ladder,
            given=cycle.given,
            notified_on=cycle.notified_on.get(route.name),
        ):
            match rung.audience:
                case Audience.OWNER:
                    receiver: Route | None = route
                case Audience.BACKUP:
                    receiver = by_name.get(route.backup or "")
                case Audience.LEAD:
                    receiver = by_name.get(route.lead or "")
            if receiver is not None:
                yield _of_review(subject, document_id, clock.due_on, rung.stage, title, receiver)


def asking_notices(
    subject: Subject,
    *,
    document_id: int,
    due_on: date | None,
    number: int,
    title: str,
    routes: Iterable[Route],
) -> Iterator[Notice]:
    """Yield the notices that request a review now, because version `number` is a high-risk edit."""
    for route in routes_for(REVIEW, subject, routes):
        yield _of_review(subject, document_id, due_on, f"{ASKED}{number}", title, route)


def _of_review(
    subject: Subject, document_id: int, due_on: date | None, stage: str, title: str, route: Route
) -> Notice:
    return Notice(
        key=f"{REVIEW}:{document_id}:{due_on}:{stage}:{route.name}",
        kind=REVIEW,
        stage=stage,
        path=subject.path,
        document_id=document_id,
        due_on=due_on,
        route=route.name,
        channel=route.channel,
        data={"title": title, "owner": ", ".join(subject.owners) or None},
    )


def refusal_notices(
    subject: Subject,
    *,
    document_id: int | None,
    sha256: str,
    observed: int,
    problem: dict[str, Any],
    kept: int | None,
    routes: Iterable[Route],
) -> Iterator[Notice]:
    """Yield the notices of a file that was refused at an observation, one for each route.

    `kept` is the number of the version that stays published, or None.
    """
    for route in routes_for(REFUSED, subject, routes):
        yield Notice(
            key=f"{REFUSED}:{subject.path}:{observed}:{route.name}",
            kind=REFUSED,
            path=subject.path,
            document_id=document_id,
            route=route.name,
            channel=route.channel,
            data={"sha256": sha256, "problem": problem, "kept": kept},
        )


def retraction_notices(
    subject: Subject,
    *,
    document_id: int,
    number: int,
    title: str,
    status: str,
    observed: int,
    withheld: bool = False,
    routes: Iterable[Route],
) -> Iterator[Notice]:
    """Yield the notices of a document that is no longer served; `status` says why.

    `withheld`: by a file that is refused, so that no version says it.
    """
    for route in routes_for(RETRACTED, subject, routes):
        yield Notice(
            key=f"{RETRACTED}:{document_id}:{observed}:{route.name}",
            kind=RETRACTED,
            path=subject.path,
            document_id=document_id,
            route=route.name,
            channel=route.channel,
            data={"title": title, "status": status, "number": number}
            | ({"withheld": True} if withheld else {}),
        )


def hold_notices(
    hold_id: int, what: str, number: int, *, live: int, routes: Iterable[Route]
) -> Iterator[Notice]:
    """Yield the notices of a hold, for every route that takes its kind.

    `what` is "removals" or "refusals", `number` is how many wait, and `live` is the number of live
    documents.
    """
    return _for_everyone(HELD, str(hold_id), {what: number, "live": live}, routes)


def failing_notices(
    channel: str, *, since: datetime, error: str, routes: Iterable[Route]
) -> Iterator[Notice]:
    """Yield the notices of a failing channel, for the routes of every other channel."""
    others = [route for route in routes if route.channel != channel]
    data = {"channel": channel, "since": since.isoformat(), "error": error}
    return _for_everyone(FAILING, f"{channel}:{since.isoformat()}", data, others)


def silent_notices(
    part: str, *, since: datetime | None, today: date, routes: Iterable[Route]
) -> Iterator[Notice]:
    """Yield the notices of a part of the service that stopped reporting at `since`, once a day."""
    data = {"part": part, "since": since.isoformat() if since else None}
    return _for_everyone(SILENT, f"{part}:{today}", data, routes)


def unseen_notices(
    folder: str, *, since: str, live: int, routes: Iterable[Route]
) -> Iterator[Notice]:
    """Yield the notices of a folder with `live` documents that cannot be read since an instant."""
    data = {"part": "folder", "folder": folder, "live": live, "since": since}
    return _for_everyone(SILENT, f"folder:{folder}:{since}", data, routes)


def well_notices(
    today: date, *, live: int, current: int, next_week: int, routes: Iterable[Route]
) -> Iterator[Notice]:
    """Yield the monthly notices that all is well."""
    data = {"live": live, "current": current, "next_week": next_week}
    return _for_everyone(WELL, f"{today:%Y-%m}", data, routes)


def _for_everyone(
    kind: str, fact: str, data: dict[str, Any], routes: Iterable[Route]
) -> Iterator[Notice]:
    for route in routes:
        if kind in route.kinds:
            yield Notice(
                key=f"{kind}:{fact}:{route.name}",
                kind=kind,
                route=route.name,
                channel=route.channel,
                data=data,
            )
