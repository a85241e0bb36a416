"""When messages are sent: working hours, a channel's rate, its rests, and the message that it fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec import structs
from support.stored import Library, a_library

from worker.messages.deliver import deliver
from worker.settings.model import EmailChannel, HoursSettings, RouteSettings, Secret, WebhookChannel
from worker.settings.types import ClockTime

OFFICE = HoursSettings(
    opens=ClockTime(9), closes=ClockTime(17), timezone="Asia/Kolkata", holidays="IN"
)


@pytest.fixture
def post(start_post):
    return start_post()


def mail(post, **options):
    return EmailChannel(host="127.0.0.1", port=post.port, **options)


def team(**options):
    return RouteSettings(channel="mail", to=("team@example.org",), **options)


def sent(library: Library) -> list[tuple[str, str, int]]:
    """Deliver once nothing new has come for a while."""
    library.later(seconds=6)
    return [(d.route, d.state, d.notices) for d in library.services.deliver()]


def at(library: Library, text: str) -> None:
    library.time = datetime.fromisoformat(text).replace(tzinfo=UTC)
    library.services.sweep()  # or its silence would be reported


# Working hours


@pytest.fixture
def office(sqlite_url: str, post):
    routes = {"team": team(hours=OFFICE)}
    with a_library(sqlite_url, channels={"mail": mail(post)}, routes=routes) as library:
        yield library


def test_a_message_waits_for_the_working_hours_of_its_reader(office: Library, post):
    at(office, "2026-11-24 12:00")  # 17:30 in Kolkata
    office.drop("a.md")
    assert sent(office) == []
    at(office, "2026-11-25 03:29")
    assert sent(office) == []
    at(office, "2026-11-25 03:30")  # 09:00
    assert sent(office) == [("team", "sent", 1)]


def test_no_review_notice_is_sent_at_a_weekend_or_on_a_holiday(office: Library, post):
    at(office, "2027-01-23 06:00")  # a Saturday
    office.drop("a.md")
    assert sent(office) == []
    at(office, "2027-01-26 06:00")  # Republic Day
    assert sent(office) == []
    at(office, "2027-01-27 06:00")
    assert sent(office) == [("team", "sent", 1)]


def test_an_urgent_message_is_sent_at_any_hour_without_review_notices(office: Library, post):
    at(office, "2026-11-28 23:00")
    office.drop("a.md")
    office.drop("bad.md", "")
    assert sent(office) == [("team", "sent", 1)]
    assert [n["path"] for n in office.services.notices("pending")] == ["a.md"]


# The rate of a channel


def test_a_channel_never_exceeds_its_rate(store_url: str, post):
    owners = [f"owner-{number}" for number in range(12)]
    routes = {name: team(owners=(name,)) for name in owners}
    channels = {"mail": mail(post, per_minute=60)}
    with a_library(store_url, channels=channels, routes=routes) as library:
        for name in owners:
            library.drop(f"{name}.md", owner=name)
        library.later(seconds=6)
        sent_at = []

        def wait(seconds: float) -> None:
            library.later(seconds=seconds)

        outgoing = replace(library.services._outgoing, wait=wait)
        channel = outgoing.channels["mail"]

        class Noting:
            def send(self, message):
                sent_at.append(library.time)
                channel.send(message)

        outgoing = replace(outgoing, channels={"mail": Noting()})
        for _ in range(20):
            deliver(outgoing)
            library.later(seconds=outgoing.settings.delivery.tick_seconds)

    assert len(post.envelopes) == len(sent_at) == 12
    gaps = [later - earlier for earlier, later in pairwise(sent_at)]
    assert min(gaps) >= timedelta(seconds=1)


# A channel that fails


@pytest.fixture
def two(sqlite_url: str, post, start_post):
    other = start_post()
    channels = {"mail": mail(post), "other": mail(other)}
    reviews = [f"r{number}" for number in range(8)]
    routes = {name: team(tags=(name,), kinds=("review",)) for name in reviews}
    routes["watchers"] = RouteSettings(
        channel="other", to=("watchers@example.org",), kinds=("failing",)
    )
    with a_library(sqlite_url, channels=channels, routes=routes) as library:
        for name in reviews:
            library.drop(f"{name}.md", tags=[name])
        yield library, other


def test_a_channel_rests_after_five_failures_and_is_then_tried_once(two, post):
    library, _other = two
    post.replies["DATA"] = "451 Try again later"
    assert len(sent(library)) == 5
    assert sent(library) == [("watchers", "sent", 1)]
    assert sent(library) == []
    assert {
        n["attempts"] for n in library.services.notices("pending") if n["kind"] == "review"
    } == {
        0,
        1,
    }
    library.later(seconds=301)
    assert [state for route, state, _ in sent(library) if route != "watchers"] == ["postponed"]

    library.later(seconds=301)
    post.replies.clear()
    assert {state for _, state, _ in sent(library)} == {"sent"}
    library.later(hours=1)
    sent(library)
    assert len(post.envelopes) == 8


def test_a_failing_channel_is_reported_once_over_another(two, post):
    library, other = two
    post.replies["DATA"] = "451 Try again later"
    for _ in range(4):
        sent(library)
        library.later(seconds=301)

    assert len(other.envelopes) == 1
    assert b"mail" in other.envelopes[0].content
    assert library.services.status()["failing"][0]["channel"] == "mail"


def test_a_channel_that_recovered_before_the_message_is_not_reported(two, post):
    library, other = two
    post.replies["DATA"] = "451 Try again later"
    library.later(seconds=6)
    library.services.deliver()
    post.replies.clear()
    library.later(seconds=301)
    sent(library)

    assert other.envelopes == []
    assert library.services.status()["failing"] == []


def test_nothing_is_sent_during_the_delay_that_a_channel_requested(sqlite_url: str, web):
    web.status, web.headers = 429, {"Retry-After": "120"}
    hook = WebhookChannel(
        url=Secret(f"http://127.0.0.1:{web.port}/hook"),
        secret=Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        allow_private=("127.0.0.1",),
    )
    routes = {
        "one": RouteSettings(channel="hook", tags=("one",)),
        "two": RouteSettings(channel="hook", tags=("two",)),
    }
    with a_library(sqlite_url, channels={"hook": hook}, routes=routes) as library:
        library.drop("a.md", tags=["one"])
        library.drop("b.md", tags=["two"])
        assert sent(library) == [("one", "postponed", 1)]
        library.later(seconds=100)
        assert sent(library) == []
        web.status = 200
        library.later(seconds=60)
        assert [state for _, state, _ in sent(library)] == ["sent"], "its rate is one a second"
        assert [state for _, state, _ in sent(library)] == ["sent"]
        assert len(web.requests) == 3


# Failed for good


def test_failed_notices_are_sent_again_with_the_same_id(sqlite_url: str, post):
    with a_library(sqlite_url, channels={"mail": mail(post)}, routes={"team": team()}) as library:
        library.drop("a.md")
        post.replies["DATA"] = "554 No"
        assert sent(library) == [("team", "failed", 1)]
        assert sent(library) == []

        post.replies.clear()
        (failed,) = library.services.notices("failed")
        assert library.services.retry_notices([failed["id"] + 1]) == 0
        assert library.services.retry_notices(None) == 1
        assert sent(library) == [("team", "sent", 1)]
        assert library.services.status()["notices"]["failed"] == 0


# The address outside


def test_an_outside_url_gets_a_ping_for_each_delivery_and_failure(two, post, web):
    library, _other = two
    settings = library.services.settings
    deadman = structs.replace(settings.deadman, url=Secret(f"http://127.0.0.1:{web.port}/ping"))
    library.services.silence_alarm.settings = structs.replace(settings, deadman=deadman)
    web.answer = b"OK"
    post.replies["DATA"] = "451 Try again later"
    library.services.deliver()
    library.later(seconds=1)
    library.services.deliver()
    assert web.paths == ["/ping"]

    library.later(seconds=60)
    library.services.deliver()
    assert web.paths == ["/ping", "/ping/fail"]
