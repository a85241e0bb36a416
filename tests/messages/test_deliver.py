"""Notices become messages: grouped, checked again, and sent over a real mail server."""

from __future__ import annotations

import email
import email.policy
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from redis import Redis
from support.seeds import a_seed
from support.stored import Library, a_library, a_mailing_library, mails_at

from worker.domain.folder.cloud_event import Event
from worker.messages.channels.stream import EventStream
from worker.messages.deliver import _lease
from worker.messages.publish import publish_events


@pytest.fixture
def post(start_post):
    return start_post()


@pytest.fixture
def library(store_url: str, post):
    with a_mailing_library(store_url, post) as library:
        yield library


def deliver(library: Library) -> list[tuple[str, int]]:
    """Deliver once nothing new has come for a while."""
    library.later(seconds=6)
    return [(d.state, d.notices) for d in library.services.deliver()]


def text_of(message: email.message.EmailMessage) -> str:
    return message.get_body(("plain",)).get_content()


def states(library: Library) -> set[str]:
    return {notice["state"] for notice in library.services.notices(None)}


def test_a_first_load_is_one_message_with_its_totals(library: Library, post):
    for number in range(5):
        library.take_in({f"{number}-{i}.md": a_seed(title=f"{number} {i}") for i in range(10)})
    library.drop("bad.md", "")

    assert deliver(library) == [("sent", 51)]
    (message,) = mails_at(post)
    assert message["Subject"] == "Content Sync: 50 reviews overdue, 1 file refused"
    text = text_of(message)
    assert "20 of 50 shown" in text
    assert "bad.md" in text
    assert deliver(library) == []


def test_a_refusal_names_the_good_version_that_was_stored_after_it(library: Library, post):
    good = a_seed().encode()
    earlier = library.snapshot("a.md", good)
    library.drop("a.md", "broken")
    library.take_in_batch((earlier,), good)

    deliver(library)
    (message,) = mails_at(post)
    assert "version 1 stays published" in text_of(message)
    assert "nothing is published" not in text_of(message)


def test_a_refusal_names_an_error_that_the_file_still_has_when_the_message_goes(
    library: Library, post
):
    text = a_seed(lastReviewed="2026-11-25", reviewFrequency="sometimes")
    library.drop("a.md", text)
    library.on(date(2026, 11, 25))
    library.drop("a.md", text)

    deliver(library)
    (message,) = mails_at(post)
    assert "CS037" in text_of(message)
    assert "in the future" not in text_of(message)


def test_nothing_is_sent_while_new_notices_arrive(library: Library, post):
    library.drop("a.md")
    library.later(seconds=4)
    library.drop("b.md")
    library.later(seconds=4)

    assert library.services.deliver() == []
    assert deliver(library) == [("sent", 2)]


def test_an_endless_load_does_not_delay_a_message_for_ever(library: Library, post):
    for number in range(160):
        library.drop(f"{number}.md")
        library.later(seconds=4)

    assert [d.state for d in library.services.deliver()] == ["sent"]


def test_a_review_before_sending_cancels_its_notice(library: Library, post):
    library.drop("a.md")
    library.drop("a.md", lastReviewed="2026-11-20")

    assert deliver(library) == [("cancelled", 1)]
    assert post.envelopes == []


def test_a_fix_a_retirement_or_a_withdrawal_before_sending_cancels_its_notice(
    library: Library, post
):
    library.drop("fixed.md", "")
    library.drop("fixed.md", reviewFrequency="as_needed")
    library.drop("retired.md")
    library.remove("retired.md")
    library.drop("refused.md", "")
    library.remove("refused.md")

    assert deliver(library) == [("sent", 1)]
    assert mails_at(post)[0]["Subject"] == "Content Sync: 1 page retracted"
    assert Counter(n["state"] for n in library.services.notices(None)) == {
        "cancelled": 3, "sent": 1,
    }  # fmt: skip


def test_a_file_that_is_refused_again_gets_a_new_message(library: Library, post):
    text = a_seed(reviewFrequency="as_needed")
    for _ in range(2):
        library.drop("a.md", "")
        assert deliver(library) == [("sent", 1)]
        library.drop("a.md", text)
    assert len(post.envelopes) == 2


def test_a_busy_server_is_tried_again_with_the_same_message_id(library: Library, post):
    library.drop("a.md")
    post.replies["DATA"] = "451 Try again later"
    assert deliver(library) == [("postponed", 1)]
    assert library.services.notices("pending")[0]["error"]

    del post.replies["DATA"]
    first_id = _message_id(library)
    library.drop("b.md")  # comes later: a message of its own
    library.later(minutes=2)
    assert [(d.state, d.notices) for d in library.services.deliver()] == [("sent", 1)]
    assert first_id in mails_at(post)[0]["Message-ID"]
    assert deliver(library) == [("sent", 1)]


def test_a_permanently_refused_message_is_failed_and_listed(library: Library, post):
    library.drop("a.md")
    post.replies["DATA"] = "554 No"

    assert deliver(library) == [("failed", 1)]
    assert "554" in library.services.notices("failed")[0]["error"]


def test_a_notice_fails_after_twelve_attempts(library: Library, post):
    library.drop("a.md")
    post.replies["DATA"] = "451 Try again later"
    tries = []
    for _ in range(12):
        library.later(hours=2)
        tries.extend(d.state for d in library.services.deliver())

    assert tries == ["postponed"] * 11 + ["failed"]


def test_a_worker_that_died_while_sending_repeats_the_same_message(library: Library, post):
    library.drop("a.md")
    library.later(seconds=6)
    delivery = library.services.settings.delivery
    died_with, leased = _lease(library.services._outgoing, "team")
    assert len(leased) == 1

    assert library.services.deliver() == [], "the lease holds"
    library.later(seconds=delivery.lease_seconds + 1)
    assert [d.state for d in library.services.deliver()] == ["sent"]
    assert died_with in mails_at(post)[0]["Message-ID"]


def test_two_workers_send_a_digest_once(library: Library, post):
    library.drop("a.md")
    library.later(seconds=6)
    _id, first = _lease(library.services._outgoing, "team")
    _id, second = _lease(library.services._outgoing, "team")

    assert (len(first), len(second)) == (1, 0)


def test_a_stage_passed_while_the_message_waited_is_sent_once(library: Library, post):
    library.drop("a.md", lastReviewed="2026-11-01", reviewFrequency="monthly")
    library.on(date(2026, 11, 29))
    library.services.sweep()
    library.on(date(2026, 12, 1))
    library.services.sweep()
    library.on(date(2026, 12, 2))
    library.services.sweep()

    assert deliver(library) == [("sent", 3)]
    assert text_of(mails_at(post)[0]).count("- a.md") == 1
    assert mails_at(post)[0]["Subject"] == "Content Sync: 1 review overdue"


def test_notices_of_a_removed_route_fail(library: Library, post):
    library.drop("a.md")
    library.services.policy = replace(library.services.policy, routes=())
    assert deliver(library) == [("failed", 1)]


def test_a_mass_disappearance_is_sent_as_one_message(library: Library, post):
    library.services.hold(["a.md", "b.md"], 2)
    library.services.hold(["a.md", "b.md"], 2)

    assert deliver(library) == [("sent", 1)]
    assert "approve" in text_of(mails_at(post)[0])
    ids = [library.services.held()["ids"]["removals"]]
    assert library.services.approve(ids, by="asha") == {"removals": 2, "refusals": 0}
    assert library.services.removals(()).agreed == {"a.md", "b.md"}


def test_events_are_published_once_and_in_order(sqlite_url: str, redis_url: str):
    with a_library(sqlite_url, stream={"url": redis_url}, routes={}) as library:
        library.drop("a.md")
        library.services.deliver()
        library.drop("a.md", status="deprecated")
        library.remove("a.md")
        library.services.deliver()
        library.services.deliver()

    entries = Redis.from_url(redis_url).xrange("content-sync:events")
    events = [json.loads(fields[b"event"]) for _id, fields in entries]
    assert [event["type"].removeprefix("org.content-sync.") for event in events] == [
        "version.stored", "version.stored", "document.retired",
    ]  # fmt: skip
    assert events[1]["subject"] == "a.md"
    assert events[1]["data"]["status"] == "deprecated"


class LateStream(EventStream):
    """As a worker sees it that asked how far it is, and then was slower than another one."""

    batches = 0

    def last(self, key: str | None = None) -> None:
        return None

    def publish(self, events: Sequence[Event], key: str | None = None) -> int:
        self.batches += 1
        return super().publish(events, key)


def test_events_that_another_worker_publishes_are_skipped(
    sqlite_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.messages.publish.EVENTS_AT_ONCE", 2)
    with a_library(sqlite_url, stream={"url": redis_url}, routes={}) as library:
        for name in "abcdef":
            library.drop(f"{name}.md")
        library.services.deliver()
        late = LateStream(redis_url, key="content-sync:events", max_length=100)
        assert publish_events(library.store, late, now=library.time) == 0
        assert late.batches == 1
        late.close()
    assert Redis.from_url(redis_url).xlen("content-sync:events") == 6


def _message_id(library: Library) -> str:
    from sqlalchemy import select

    from worker.store.schema import notices

    with library.store.read() as connection:
        return connection.scalar(select(notices.c.message_id).where(notices.c.path == "a.md"))


def test_the_timer_of_a_postponed_message_waits_at_most_an_hour(library: Library, post):
    library.drop("a.md")
    post.replies["DATA"] = "451 Try again later"
    for _ in range(8):
        library.later(hours=1, seconds=1)
        assert [d.state for d in library.services.deliver()] == ["postponed"]
