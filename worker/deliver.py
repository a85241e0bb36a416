"""Notices become messages: lease, check again, compose, send, mark. And events go to their stream.

A route's notices are one digest. A crash between sending and marking repeats the message with the
same id, and never loses it. Steps are separate transactions, so that no lock is held while sending.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from jinja2 import Environment

from worker.channels import Channel, Message
from worker.channels.stream import EventStream
from worker.digest import Digest, DigestLine, compose
from worker.domain.cloud_event import Event
from worker.domain.policy import Policy
from worker.domain.route import Route
from worker.errors import ChannelError, ConfigurationError
from worker.settings import DeliverySettings
from worker.store import library
from worker.store import notices as outbox
from worker.store.engine import Store

logger = logging.getLogger("content_sync.deliver")

FIRST_BACKOFF_SECONDS = 10
LONGEST_BACKOFF_SECONDS = 3600
EVENTS_AT_ONCE = 500
#: What a digest tells of the library beside what is owed, by the kind of event that says so.
NEWS = {
    "stored": "version.stored",
    "moved": "document.moved",
    "retired": "document.retired",
    "refused": "seed.refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one digest: sent, postponed, failed or cancelled."""

    route: str
    state: str
    notices: int
    detail: str = ""


def deliver(
    store: Store,
    channels: Mapping[str, Channel],
    templates: Environment,
    *,
    policy: Policy,
    settings: DeliverySettings,
    zone: ZoneInfo,
    now: Callable[[], datetime],
) -> list[Delivery]:
    """Send every digest that is ready and return what became of each. Commits each step.

    `now` is the clock, in UTC: sending takes time, and the lease and the mark are dated apart.
    """
    start = now()
    with store.read() as connection:
        ready = outbox.ripe_routes(
            connection,
            now=start,
            quiet_since=start - timedelta(seconds=settings.group_wait_seconds),
            oldest=start - timedelta(seconds=settings.group_max_seconds),
        )
    routes = {route.name: route for route in policy.routes}
    delivered = []
    for name in ready:
        message_id, leased = _lease(store, name, settings, now())
        if not leased:
            continue  # another worker was quicker
        today = now().astimezone(zone).date()
        owed = _recheck(store, leased, today=today, upcoming_days=policy.upcoming_days, now=now())
        if not owed:
            delivered.append(Delivery(route=name, state=outbox.CANCELLED, notices=len(leased)))
            continue
        route = routes.get(name)
        if route is None:
            delivered.append(
                _close(store, name, owed, "the route is no longer in the settings", now())
            )
            continue
        try:
            subject, text = _compose(store, name, owed, templates, settings=settings, today=today)
            channels[route.channel].send(
                Message(id=message_id, to=route.to, subject=subject, text=text)
            )
        except (ChannelError, ConfigurationError) as error:  # the latter: a broken template
            delivered.append(_not_sent(store, name, owed, error, settings=settings, now=now()))
            continue
        _mark(store, owed, outbox.SENT, now())
        logger.info("told       %s over %s: %s", name, route.channel, subject)
        delivered.append(Delivery(route=name, state=outbox.SENT, notices=len(owed), detail=subject))
    return delivered


def publish_events(store: Store, stream: EventStream) -> int:
    """Publish what the stream does not hold yet, and return how many events that was.

    The stream's own last id is the cursor, so a stream that was lost is filled again.
    """
    published = 0
    after = stream.last_id()
    while True:
        with store.read() as connection:
            rows = library.events_after(connection, after, EVENTS_AT_ONCE)
        if not rows:
            return published
        published += stream.publish([Event(**row._asdict()) for row in rows])
        after = rows[-1].id


def send_test(routes: Sequence[Route], channels: Mapping[str, Channel]) -> list[dict[str, Any]]:
    """Send a test message over each route and return how that went."""
    results = []
    for route in routes:
        message = Message(
            id=f"test-{uuid4()}",
            to=route.to,
            subject="Content Sync: test message",
            text=f"This is a test of the route {route.name!r}. Nothing needs to be done.\n",
        )
        try:
            channels[route.channel].send(message)
        except ChannelError as error:
            ok, detail = False, str(error)
        else:
            ok, detail = True, "sent"
        results.append({"route": route.name, "channel": route.channel, "ok": ok, "detail": detail})
    return results


def _lease(
    store: Store, route: str, settings: DeliverySettings, now: datetime
) -> tuple[str, list[outbox.Leased]]:
    until = now + timedelta(seconds=settings.lease_seconds)
    fresh_id = str(uuid4())
    return store.transact(
        lambda connection: outbox.lease_digest(
            connection, route, now=now, until=until, message_id=fresh_id
        )
    )


def _recheck(
    store: Store, leased: list[outbox.Leased], *, today: date, upcoming_days: int, now: datetime
) -> list[outbox.Leased]:
    """Cancel what was answered in the meantime and return what is still owed."""
    with store.read() as connection:
        gone = outbox.outdated(connection, leased, today=today, upcoming_days=upcoming_days)
    if gone:
        _mark(store, [n for n in leased if n.id in gone], outbox.CANCELLED, now)
    return [notice for notice in leased if notice.id not in gone]


def _compose(
    store: Store,
    route: str,
    owed: list[outbox.Leased],
    templates: Environment,
    *,
    settings: DeliverySettings,
    today: date,
) -> tuple[str, str]:
    """Return subject and text of a digest: what is owed, and what happened since the last one."""
    with store.read() as connection:
        since = outbox.last_sent(connection, route)
        happened = library.count_events(connection, since=since)
    digest = Digest(
        route=route,
        lines=tuple(_lines(owed, today)),
        news={word: happened.get(kind, 0) for word, kind in NEWS.items()},
    )
    composed = compose(digest, today=today, templates=templates, digest_lines=settings.digest_lines)
    if composed is None:
        raise AssertionError("a digest with lines composes to nothing")
    return composed


def _lines(owed: list[outbox.Leased], today: date) -> list[DigestLine]:
    """Return one line a fact; a review that reached a later stage while it waited is told once."""
    lines: dict[tuple[str, str], DigestLine] = {}
    for notice in owed:
        data = notice.data
        match notice.kind:
            case "review":
                stage, days = str(notice.stage), None
                if notice.due_on is not None:
                    days = (today - notice.due_on).days
                    stage = "overdue" if days > 0 else "due" if days == 0 else "upcoming"
                line = DigestLine(
                    path=notice.path,
                    stage=stage,
                    title=data["title"],
                    due_on=notice.due_on,
                    days=days,
                )
            case "refused":
                problem, kept = data["problem"], data["kept"]
                served = f"version {kept} stays published" if kept else "nothing is published"
                line = DigestLine(
                    path=notice.path,
                    stage="refused",
                    detail=f"{problem['code']} {problem['message']}; {served}",
                    line=problem["line"],
                    hint=problem["hint"],
                )
            case _:
                line = DigestLine(
                    path=notice.path,
                    stage="held",
                    detail=f"{data['removals']} of {data['live']} documents vanished at once",
                )
        lines[notice.kind, notice.path] = line
    return list(lines.values())


def _not_sent(
    store: Store,
    route: str,
    owed: list[outbox.Leased],
    error: ChannelError | ConfigurationError,
    *,
    settings: DeliverySettings,
    now: datetime,
) -> Delivery:
    """Give the notices back for another try, or fail them where that cannot help."""
    reason = str(error)
    attempts = max(notice.attempts for notice in owed)
    permanent = isinstance(error, ChannelError) and error.permanent
    if permanent or attempts >= settings.max_attempts:
        return _close(store, route, owed, reason, now)
    asked = error.retry_after if isinstance(error, ChannelError) else None
    until = now + _backoff(attempts, asked)
    ids = [notice.id for notice in owed]
    store.transact(lambda c: outbox.postpone(c, ids, until=until, error=reason))
    logger.warning("not sent   %s: %s; next try at %s UTC", route, reason, f"{until:%H:%M:%S}")
    return Delivery(route=route, state="postponed", notices=len(owed), detail=reason)


def _close(
    store: Store, route: str, owed: list[outbox.Leased], reason: str, now: datetime
) -> Delivery:
    """Fail notices for good: they stay, for `notices --state failed` and `doctor`."""
    _mark(store, owed, outbox.FAILED, now, error=reason)
    logger.error("failed     %s: %s", route, reason)
    return Delivery(route=route, state=outbox.FAILED, notices=len(owed), detail=reason)


def _mark(
    store: Store,
    which: list[outbox.Leased],
    state: str,
    now: datetime,
    *,
    error: str | None = None,
) -> None:
    ids = [notice.id for notice in which]
    store.transact(lambda connection: outbox.mark(connection, ids, state, now=now, error=error))


def _backoff(attempts: int, retry_after: float | None) -> timedelta:
    """Return how long to wait: exponential with full jitter, never less than the other side asks.

    Full jitter spreads workers that failed together (AWS Architecture Blog, 2015).
    """
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (attempts - 1))
    seconds = random.uniform(1, longest)  # noqa: S311 - spreading load, not a secret
    return timedelta(seconds=max(seconds, retry_after or 0))
