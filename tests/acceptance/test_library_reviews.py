"""The real library's reviews on one day, the next, and a week later, over a real mail server."""

from __future__ import annotations

import email
import email.policy
from datetime import date
from pathlib import Path

import pytest
from support.stored import Library, a_library

from worker.settings.model import EmailChannel, RouteSettings

pytestmark = pytest.mark.corpus


@pytest.fixture
def post(start_post):
    return start_post()


@pytest.fixture
def library(store_url: str, post, corpus: Path):
    channels = {"mail": EmailChannel(host="127.0.0.1", port=post.port)}
    routes = {"team": RouteSettings(channel="mail", to=("team@example.org",), kinds=("review",))}
    with a_library(store_url, channels=channels, routes=routes) as library:
        library.on(date(2026, 11, 24))
        pages = sorted(path for path in corpus.rglob("*") if path.is_file())
        for start in range(0, len(pages), 128):
            library.take_in(
                {str(page.relative_to(corpus)): page.read_bytes() for page in pages[start:][:128]}
            )
        yield library


def mails_of(library: Library, post, day: date) -> list[str]:
    """Sweep and deliver on a day as often as the service does, and return the subjects."""
    before = len(post.envelopes)
    library.on(day)
    for _ in range(3):
        library.services.sweep()
        library.later(seconds=6)
        library.services.deliver()
    return [
        email.message_from_bytes(envelope.content, policy=email.policy.default)["Subject"]
        for envelope in post.envelopes[before:]
    ]


def test_a_thousand_overdue_reviews_are_one_mail_a_week(library: Library, post):
    first = ["Content Sync: 1,424 reviews overdue"]
    assert mails_of(library, post, date(2026, 11, 24)) == first
    assert mails_of(library, post, date(2026, 11, 24)) == []
    for day in range(25, 31):
        assert mails_of(library, post, date(2026, 11, day)) == []
    assert mails_of(library, post, date(2026, 12, 1)) == first
    assert mails_of(library, post, date(2026, 12, 2)) == []
    assert len(post.envelopes) == 2
