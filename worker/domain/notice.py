"""Notices: one message owed to one route about one fact, with a key that makes it unique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from worker.domain.review import STAGES, review_state
from worker.domain.route import Route, Subject

REVIEW, REFUSED, HELD = "review", "refused", "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message that is owed. `key` is unique in the store: owing it twice is owing it once."""

    key: str
    kind: str
    stage: str | None
    path: str
    document_id: int | None
    due_on: date | None
    route: str
    channel: str
    data: dict[str, Any]


def review_notices(
    subject: Subject,
    *,
    document_id: int,
    due_on: date | None,
    exempt: bool,
    title: str,
    today: date,
    upcoming_days: int,
    routes: Iterable[Route],
) -> Iterator[Notice]:
    """Yield the notices that a live document's review owes on a day: none while it is current.

    A notice is unique by (document, due date, stage, route), so each stage is told once a cycle,
    and a new `lastReviewed`, which moves the due date, starts the next cycle.
    """
    stage = review_state(due_on, exempt=exempt, today=today, upcoming_days=upcoming_days)
    if stage not in STAGES:
        return
    for route in routes:
        if route.takes(REVIEW, subject):
            yield Notice(
                key=f"{REVIEW}:{document_id}:{due_on}:{stage}:{route.name}",
                kind=REVIEW,
                stage=str(stage),
                path=subject.path,
                document_id=document_id,
                due_on=due_on,
                route=route.name,
                channel=route.channel,
                data={"title": title},
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
    """Yield the notices of a file that was refused at an observation: one for each route.

    `kept` is the number of the version that stays published, None where there is none.
    """
    for route in routes:
        if route.takes(REFUSED, subject):
            yield Notice(
                key=f"{REFUSED}:{subject.path}:{observed}:{route.name}",
                kind=REFUSED,
                stage=None,
                path=subject.path,
                document_id=document_id,
                due_on=None,
                route=route.name,
                channel=route.channel,
                data={"sha256": sha256, "problem": problem, "kept": kept},
            )


def hold_notices(
    hold_id: int, *, removals: int, live: int, routes: Iterable[Route]
) -> Iterator[Notice]:
    """Yield the notices of a held mass disappearance: every route that takes them is told."""
    for route in routes:
        if HELD in route.kinds:
            yield Notice(
                key=f"{HELD}:{hold_id}:{route.name}",
                kind=HELD,
                stage=None,
                path="",
                document_id=None,
                due_on=None,
                route=route.name,
                channel=route.channel,
                data={"removals": removals, "live": live},
            )
