"""Bar 6: SIGKILL at every step over 500 notices. None is lost, at most one message repeats a kill."""

from __future__ import annotations

import email
import email.policy
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.mortal_delivery import STEPS
from support.programs import bound_to_us, clean_environment
from support.seeds import a_seed
from support.stored import a_library

from worker.settings.model import EmailChannel, RouteSettings

DELIVERY = Path(__file__).with_name("mortal_delivery.py")
ROUTES, EACH = 50, 10
KILLS_A_STEP = 4


@pytest.fixture
def settings_file(tmp_path: Path, store_url: str, start_post):
    """Owe 500 notices to 50 people, and return the settings file of whoever delivers."""
    post = start_post()
    lines = [
        f'store_url = "{store_url}"',
        "[delivery]\ngroup_wait_seconds = 0.001\nlease_seconds = 1",
        f'[channels.mail]\nkind = "email"\nhost = "127.0.0.1"\nport = {post.port}',
    ]
    for number in range(ROUTES):
        lines.append(f'[routes.p{number}]\nchannel = "mail"\nto = ["p{number}@example.org"]')
        lines.append(f'owners = ["p{number}"]\nkinds = ["review"]')
    path = tmp_path / "settings.toml"
    path.write_text("\n".join(lines))
    channels = {"mail": EmailChannel(host="127.0.0.1", port=post.port)}
    routes = {
        f"p{number}": RouteSettings(
            channel="mail",
            to=(f"p{number}@example.org",),
            owners=(f"p{number}",),
            kinds=("review",),
        )
        for number in range(ROUTES)
    }
    with a_library(store_url, channels=channels, routes=routes) as library:
        library.time = datetime.now(UTC) - timedelta(minutes=1)
        for number in range(ROUTES):
            library.take_in(
                {
                    f"p{number}/{page}.md": a_seed(
                        owner=f"p{number}", title=f"Page {number} {page}"
                    )
                    for page in range(EACH)
                }
            )
        yield path, post, library


def run(path: Path, step: str, number: int) -> int:
    command = [sys.executable, str(DELIVERY), step, str(number)]
    env = clean_environment({"CONTENT_SYNC_CONFIG": str(path)})
    done = subprocess.run(
        bound_to_us(command), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode


def test_no_message_is_lost_and_at_most_one_repeats_for_each_kill(settings_file):
    path, post, library = settings_file
    chance = random.Random(6)
    kills = 0
    for step in [step for step in STEPS for _ in range(KILLS_A_STEP)]:
        kills += run(path, step, chance.randint(1, 3)) == -signal.SIGKILL
    assert kills == KILLS_A_STEP * len(STEPS)
    assert run(path, "never", 0) == 0

    notices = library.services.notices(None)
    assert Counter(n["state"] for n in notices) == {"sent": ROUTES * EACH}

    sent: dict[str, set[str]] = {}
    ids = Counter()
    for envelope in post.envelopes:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = message.get_body(("plain",)).get_content()
        ids[message["Message-ID"]] += 1
        sent.setdefault(message["Message-ID"], set()).update(
            re.findall(r"^- (p\d+/\d\.md)", text, re.MULTILINE)
        )
    pages = [page for pages in sent.values() for page in pages]
    assert sorted(pages) == sorted(n["path"] for n in notices), "each once, under one id"
    repeats = sum(ids.values()) - len(ids)
    assert 0 < repeats <= kills
    assert max(ids.values()) <= 1 + kills
