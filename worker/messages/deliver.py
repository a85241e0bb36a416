"""Turns notices into messages: lease, check again, compose, send, mark.

All pending notices of a route go out as one digest. A crash between sending and marking repeats the message
with the same id; it never loses it. Each step is a separate transaction, so no lock is held while sending.
Channels have a rate limit and rest after several failures in a row; routes may have hours.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from jinja2 import Environment

from worker.domain.reviews.hours import is_open
from worker.domain.reviews.notice import failing_notices
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.route import Route
from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Channel, Message
from worker.messages.digest import Composed, compose_digest
from worker.settings.model import Settings
from worker.store import channel_states
from worker.store import notices as table
from worker.store.engine import Store
from worker.store.recheck import recheck

logger = logging.getLogger("content_sync.deliver")

FIRST_BACKOFF_SECONDS = 10
LONGEST_BACKOFF_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The result of one digest: sent, postponed, failed or cancelled."""

    route: str
    state: str
    notices: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Everything that a delivery needs. `now` is the clock, in UTC; each step reads it again."""

    store: Store
    channels: Mapping[str, Channel]
    templates: Environment
    policy: Policy
    settings: Settings
    now: Callable[[], datetime]
    wait: Callable[[float], object] = time.sleep

    def today(self) -> date:
        """Return the date in the team's zone."""
        return self.now().astimezone(self.settings.zone).date()

    @property
    def routes(self) -> dict[str, Route]:
        """Return the routes by name."""
        return {route.name: route for route in self.policy.routes}


def deliver(out: Outgoing) -> list[Delivery]:
    """Send every digest that is ready and return the result of each. Commits each step.

    If the rate of a channel allows no message before the next tick, the digest waits for that tick.
    """
    patience = out.settings.delivery.tick_seconds
    delivered = []
    for name, urgent_only in _ready(out):
        route = out.routes.get(name)
        if route is not None:
            waited = _await_turn(out, route.channel, patience)
            if waited is None:
                continue
            patience -= waited
        message_id, leased = _lease(out, name, urgent_only=urgent_only)
        if not leased:
            continue  # another worker has leased it
        owed = _recheck(out, leased)
        if not owed:
            delivered.append(Delivery(route=name, state=table.CANCELLED, notices=len(leased)))
        elif route is None:
            reason = "the route is no longer in the settings"
            delivered.append(_close(out, name, owed, reason))
        else:
            delivered.append(_send(out, route, message_id, owed))
    return delivered


def preview(out: Outgoing, route: Route, owed: Sequence[table.Leased]) -> str:
    """Return what the channel of a route would send for these notices, without opening a connection.

    Without notices, return the test message.
    """
    message = _test_message(route)
    if owed:
        message = _message(route, message.id, _compose(out, route, owed))
    return out.channels[route.channel].preview(message)


def send_test(routes: Sequence[Route], channels: Mapping[str, Channel]) -> list[dict[str, Any]]:
    """Send a test message over each route and return the results."""
    results = []
    for route in routes:
        try:
            channels[route.channel].send(_test_message(route))
        except ChannelError as error:
            ok, detail = False, str(error)
        else:
            ok, detail = True, "sent"
        results.append({"route": route.name, "channel": route.channel, "ok": ok, "detail": detail})
    return results


def _test_message(route: Route) -> Message:
    return Message(
        id=f"test-{uuid4()}",
        to=route.to,
        subject="Content Sync: test message",
        text=f"This is a test of the route {route.name!r}. No action is needed.\n",
    )


def _ready(out: Outgoing) -> Iterator[tuple[str, bool]]:
    """Yield each route that has a digest to send, and whether only its urgent notices may go now."""
    now, settings = out.now(), out.settings.delivery
    ripe_routes = partial(
        table.ripe_routes,
        today=out.today(),
        now=now,
        quiet_since=now - timedelta(seconds=settings.group_wait_seconds),
        oldest=now - timedelta(seconds=settings.group_max_seconds),
    )
    with out.store.read() as connection:
        ripe = ripe_routes(connection)
        urgent = ripe_routes(connection, urgent_only=True)
    for name in sorted({*ripe, *urgent}):
        route = out.routes.get(name)
        hours = route.hours if route is not None else None
        if hours is None or is_open(hours, now, who=name):
            yield name, False
        elif name in urgent:
            yield name, True


def _await_turn(out: Outgoing, channel: str, patience: float) -> float | None:
    """Wait until a channel may send; return the seconds waited, or None if `patience` is too short."""
    per_minute = out.settings.channels[channel].per_minute
    waited = 0.0
    while True:
        seconds = out.store.transact(
            lambda c: channel_states.take_turn(c, channel, per_minute=per_minute, now=out.now())
        )
        if not seconds:
            return waited
        if waited + seconds > patience:
            return None
        out.wait(seconds)
        waited += seconds


def _lease(
    out: Outgoing, route: str, *, urgent_only: bool = False
) -> tuple[str, list[table.Leased]]:
    now, fresh_id = out.now(), str(uuid4())
    until = now + timedelta(seconds=out.settings.delivery.lease_seconds)
    return out.store.transact(
        lambda c: table.lease_digest(
            c,
            route,
            out.today(),
            now=now,
            until=until,
            message_id=fresh_id,
            urgent_only=urgent_only,
        )
    )


def _recheck(out: Outgoing, leased: list[table.Leased]) -> list[table.Leased]:
    """Cancel notices that are no longer true, withdraw those of snoozed reviews, and return the rest."""
    now = out.now()
    with out.store.read() as connection:
        found = recheck(connection, leased, policy=out.policy, today=out.today())
    if found.gone or found.snoozed:
        with out.store.write() as connection:
            table.mark(connection, found.gone, table.CANCELLED, now=now)
            table.forget(connection, found.snoozed)
    return found.owed


def _send(out: Outgoing, route: Route, message_id: str, owed: list[table.Leased]) -> Delivery:
    """Compose a digest, send it and mark it as sent, or record why it was not sent."""
    try:
        composed = _compose(out, route, owed)
        out.channels[route.channel].send(_message(route, message_id, composed))
    except ChannelError as error:
        return _channel_failed(out, route, owed, error)
    except ConfigurationError as error:  # a broken template
        return _not_sent(out, route.name, owed, str(error))
    _mark_sent(out, route, owed)
    logger.info("sent       %s over %s: %s", route.name, route.channel, composed.subject)
    return Delivery(route=route.name, state=table.SENT, notices=len(owed), detail=composed.subject)


def _mark_sent(out: Outgoing, route: Route, owed: list[table.Leased]) -> None:
    ids, now = [notice.id for notice in owed], out.now()
    with out.store.write() as connection:
        table.mark(connection, ids, table.SENT, now=now)
        channel_states.note_success(connection, route.channel, now=now)


def _compose(out: Outgoing, route: Route, owed: Sequence[table.Leased]) -> Composed:
    now = out.now()
    with out.store.read() as connection:
        return compose_digest(
            connection,
            route,
            owed,
            templates=out.templates,
            settings=out.settings,
            policy=out.policy,
            today=out.today(),
            now=now,
        )


def _message(route: Route, message_id: str, composed: Composed) -> Message:
    return Message(
        id=message_id,
        to=route.to,
        subject=composed.subject,
        text=composed.text,
        html=composed.html,
        thread=composed.thread,
        data=composed.data,
    )


def _channel_failed(
    out: Outgoing, route: Route, owed: list[table.Leased], error: ChannelError
) -> Delivery:
    """Record the failure for the channel too; notify other routes if it rests or lost a message."""
    settings, now = out.settings.delivery, out.now()
    failure = out.store.transact(
        lambda c: channel_states.note_failure(
            c,
            route.channel,
            error=str(error),
            now=now,
            retry_after=error.retry_after,
            most_failures=settings.breaker_failures,
            rest=timedelta(seconds=settings.breaker_seconds),
        )
    )
    delivery = _not_sent(
        out,
        route.name,
        owed,
        str(error),
        permanent=error.permanent,
        retry_after=error.retry_after,
    )
    if failure.rests or delivery.state == table.FAILED:
        notices = failing_notices(
            route.channel, since=failure.since, error=str(error), routes=out.policy.routes
        )
        out.store.transact(lambda c: table.add_notices(c, notices, now=now))
    return delivery


def _not_sent(
    out: Outgoing,
    route: str,
    owed: list[table.Leased],
    reason: str,
    *,
    permanent: bool = False,
    retry_after: float | None = None,
) -> Delivery:
    """Postpone the notices, or fail them if the error is permanent or the attempts are used up."""
    attempts = max(notice.attempts for notice in owed)
    if permanent or attempts >= out.settings.delivery.max_attempts:
        return _close(out, route, owed, reason)
    until = out.now() + _backoff(attempts, retry_after)
    ids = [notice.id for notice in owed]
    out.store.transact(lambda c: table.postpone(c, ids, until=until, error=reason))
    logger.warning("not sent   %s: %s; next try at %s UTC", route, reason, f"{until:%H:%M:%S}")
    return Delivery(route=route, state="postponed", notices=len(owed), detail=reason)


def _close(out: Outgoing, route: str, owed: list[table.Leased], reason: str) -> Delivery:
    """Mark notices as failed; `notices --state failed` and `doctor` show them, `notices retry` sends them."""
    ids, now = [notice.id for notice in owed], out.now()
    out.store.transact(lambda c: table.mark(c, ids, table.FAILED, now=now, error=reason))
    logger.error("failed     %s: %s", route, reason)
    return Delivery(route=route, state=table.FAILED, notices=len(owed), detail=reason)


def _backoff(attempts: int, retry_after: float | None) -> timedelta:
    """Return how long to wait: exponential with full jitter, and at least `retry_after` seconds.

    Full jitter spreads the retries of workers that failed together (AWS Architecture Blog, 2015).
    """
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (attempts - 1))
    seconds = random.uniform(1, longest)  # noqa: S311 - spreading load, not a secret
    return timedelta(seconds=max(seconds, retry_after or 0))
