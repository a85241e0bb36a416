"""A notice cancelled because its document was away is owed again when the document is back."""

from __future__ import annotations

import pytest
from support.stored import a_library

from worker.settings.model import EmailChannel, RouteSettings


@pytest.fixture
def post(start_post):
    return start_post()


@pytest.fixture
def library(store_url, post):
    channels = {"mail": EmailChannel(host="127.0.0.1", port=post.port)}
    routes = {"team": RouteSettings(channel="mail", to=("team@example.org",), kinds=("review",))}
    with a_library(store_url, channels=channels, routes=routes) as made:
        yield made


def deliver(library):
    library.later(minutes=1)
    return [delivery.state for delivery in library.services.deliver()]


@pytest.mark.parametrize("back", ["edited", "unchanged"])
def test_a_page_that_comes_back_still_owes_its_overdue_notice(library, post, back):
    library.drop("a.md")
    library.remove("a.md")
    assert deliver(library) == ["cancelled"]

    library.drop("a.md", **({"title": "Another title"} if back == "edited" else {}))
    library.services.sweep()
    assert deliver(library) == ["sent"]
    library.services.sweep()
    assert deliver(library) == []
    assert len(post.envelopes) == 1


def test_a_page_that_is_active_again_still_owes_its_overdue_notice(library, post):
    library.drop("a.md")
    library.drop("a.md", status="inactive")
    assert deliver(library) == ["cancelled"]

    library.drop("a.md")
    assert deliver(library) == ["sent"]


def test_a_sent_notice_is_not_sent_again(library, post):
    library.drop("a.md")
    assert deliver(library) == ["sent"]
    library.remove("a.md")
    library.drop("a.md")
    library.services.sweep()
    assert deliver(library) == []
