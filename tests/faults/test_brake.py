"""The bar of the brake: whatever makes files vanish, none of a mass retires without a person.

With real files and real processes, over both databases. `test_storage` unmounts a folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faults.installation import Installation
from support.peers import Post, mail_server
from support.programs import Process, run, started
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.store.engine import Store

MARKER = ".content-sync"
PAGES = 40


class Site:
    """A folder with a marker, a store and a mail server, and what a stranger sees of them."""

    def __init__(self, folder: Path, store_url: str, post: Post) -> None:
        self.folder = folder
        self.seeds = folder / "seeds"
        self.post = post
        self.store = Store(store_url)
        self.env = {
            "CONTENT_SYNC_STORE_URL": store_url,
            "CONTENT_SYNC_WATCH__REMOVAL_MS": "200",
            "CONTENT_SYNC_DELIVERY__GROUP_WAIT_SECONDS": "0.2",
            "CONTENT_SYNC_DELIVERY__TICK_SECONDS": "0.2",
            "CONTENT_SYNC_CHANNELS__MAIL__KIND": "email",
            "CONTENT_SYNC_CHANNELS__MAIL__HOST": "127.0.0.1",
            "CONTENT_SYNC_CHANNELS__MAIL__PORT": str(post.port),
            "CONTENT_SYNC_ROUTES__TEAM__CHANNEL": "mail",
            "CONTENT_SYNC_ROUTES__TEAM__TO": '["team@example.org"]',
            "CONTENT_SYNC_ROUTES__TEAM__KINDS": '["held"]',
        }

    def fill(self, pages: int) -> None:
        """Write pages and store them."""
        (self.seeds / MARKER).touch()
        for number in range(pages):
            write(self.seeds / f"{number:02}.md", a_seed(title=f"Page {number}"))
        assert self.run("migrate").returncode == 0
        assert self.run("sync").returncode == 0
        assert self.states() == {"live": pages}

    def run(self, *arguments: str) -> Any:
        return run(*arguments, cwd=self.folder, env=self.env)

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    @contextmanager
    def up(self) -> Iterator[Process]:
        """Run the service, which has scanned the folder."""
        with started("up", cwd=self.folder, env=self.env) as process:
            wait_until(lambda: self._scanner() == process.pid, what="the first scan")
            yield process

    def _scanner(self) -> int | None:
        query = "SELECT data FROM heartbeats WHERE name = 'watcher'"
        with self.store.read() as connection:
            row = connection.exec_driver_sql(query).scalar_one_or_none()
        beat = json.loads(row) if isinstance(row, str) else row
        return beat["pid"] if beat and beat["last_scan"] else None

    def states(self) -> dict[str, int]:
        query = "SELECT state, count(*) FROM documents GROUP BY state"
        with self.store.read() as connection:
            return dict(map(tuple, connection.exec_driver_sql(query)))

    def held(self) -> int:
        query = "SELECT removals FROM holds WHERE state = 'held'"
        with self.store.read() as connection:
            lists = connection.exec_driver_sql(query).scalars().all()
        return sum(len(json.loads(one) if isinstance(one, str) else one) for one in lists)

    def settles(self, *, retired: int, held: int, of: int = PAGES) -> None:
        """Wait for these numbers."""
        live = {"live": of - retired} if of > retired else {}
        wanted = live | ({"retired": retired} if retired else {})
        wait_until(
            lambda: (self.states(), self.held()) == (wanted, held),
            what=f"{retired} documents to be retired, and {held} to be held",
        )

    def alarms(self) -> list[str]:
        mails = [envelope.content.decode() for envelope in list(self.post.envelopes)]
        return [mail for mail in mails if "hold waits for a person" in mail]


@pytest.fixture
def site(tmp_path: Path, seeds: Path, store_url: str):
    with mail_server() as post:
        site = Site(tmp_path, store_url, post)
        yield site
        site.store.close()


def delete(seeds: Path, pages: range) -> None:
    for number in pages:
        (seeds / f"{number:02}.md").unlink()


def empty(seeds: Path) -> None:
    for page in seeds.glob("*.md"):
        page.unlink()


def take_away(seeds: Path) -> None:
    seeds.rename(seeds.with_name("away"))


def put_an_empty_one_there(seeds: Path) -> None:
    take_away(seeds)
    seeds.mkdir()


def lose_the_marker(seeds: Path) -> None:
    (seeds / MARKER).unlink()
    (seeds / "00.md").unlink()


def delete_60_percent(seeds: Path) -> None:
    delete(seeds, range(24))


@pytest.mark.parametrize(
    ("disaster", "pages", "held"),
    [
        (empty, 1, 1),
        (empty, 10, 10),
        (empty, PAGES, PAGES),
        (take_away, 10, 10),
        (put_an_empty_one_there, 10, 10),
        (lose_the_marker, PAGES, 1),
        (delete_60_percent, PAGES, 24),
    ],
)
def test_nothing_retires_without_a_person_and_they_get_an_alarm(
    site: Site, disaster: Callable[[Path], None], pages: int, held: int
):
    site.fill(pages)
    if disaster is lose_the_marker:  # without it, the brake has to see the others by itself
        site.env["CONTENT_SYNC_BRAKE__MARKER"] = MARKER
    with site.up():
        disaster(site.seeds)
        wait_until(site.alarms, what="the alarm")
        site.settles(retired=0, held=held, of=pages)
        assert site.ask("status")["held"]["removals"] == held
        assert site.run("doctor").returncode == 1
    site.seeds.mkdir(exist_ok=True)
    assert site.run("sync").returncode == 1
    with site.up():  # another process, which has only the store
        another = "".join(f"No other page has line {line}.\n\n" for line in range(20))
        write(site.seeds / "new.md", a_seed(title="New", body=another))
        site.settles(retired=0, held=held, of=pages + 1)
    assert len(site.alarms()) == 1


def test_deletions_add_up_over_runs_of_sync(site: Site):
    site.fill(PAGES)
    for step in range(5):
        delete(site.seeds, range(8 * step, 8 * step + 8))
        assert site.run("sync").returncode == (1 if step else 0)
    site.settles(retired=8, held=32)


def test_deletions_add_up_over_restarts(site: Site):
    site.fill(PAGES)
    for step in range(3):
        with site.up():
            delete(site.seeds, range(8 * step, 8 * step + 8))
            site.settles(retired=8, held=8 * step)


def test_deletions_add_up_over_a_change_of_the_leader(
    tmp_path: Path, postgres_url: str, redis_url: str
):
    service = Installation(tmp_path, postgres_url, redis_url)
    for number in range(PAGES):
        write(service.seeds / f"{number:02}.md", a_seed(title=f"Page {number}"))
    retired = "SELECT count(*) FROM documents WHERE state = 'retired'"
    with service.start("worker"), service.start("watch") as first:
        first.wait_for("leading (")
        wait_until(service.is_equal, what="the pages")
        with service.start("watch") as second:
            second.wait_for("standing by:")
            delete(service.seeds, range(8))
            wait_until(service.is_equal, what="8 retirements")
            os.kill(first.pid, signal.SIGKILL)
            assert first.wait() == -signal.SIGKILL
            second.wait_for("leading (")
            delete(service.seeds, range(8, 16))
            wait_until(
                lambda: service.ask("status")[0]["held"]["removals"] == 8, what="8 to be held"
            )
    assert service.query(retired) == [(8,)]


def test_what_a_person_removed_is_not_held_and_does_not_count(site: Site):
    site.fill(PAGES)
    with site.up():
        for number in range(12):
            asked = site.run("retire", f"{number:02}.md", "--yes", "--by", "Asha Rao")
            assert asked.returncode == 0, asked.stderr
        delete(site.seeds, range(12, 15))
        site.settles(retired=15, held=0)


def test_a_person_agrees_to_the_list_and_to_nothing_else(site: Site):
    site.fill(PAGES)
    delete(site.seeds, range(30))
    assert site.run("sync").returncode == 1
    shown = site.ask("approve", "--show")
    with site.up():
        delete(site.seeds, range(30, 35))
        site.settles(retired=0, held=35)
        refused = site.run("approve", shown["ids"]["removals"])
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "it has 35 removals now" in refused.stderr
        shown = site.ask("approve", "--show")
        assert site.run("approve", shown["ids"]["removals"], "--by", "Asha").returncode == 0
        site.settles(retired=35, held=0)
        delete(site.seeds, range(35, 40))
        site.settles(retired=35, held=5)


def test_files_that_come_back_end_the_hold(site: Site):
    site.fill(PAGES)
    with site.up():
        put_an_empty_one_there(site.seeds)
        site.settles(retired=0, held=PAGES)
        shutil.rmtree(site.seeds)
        site.seeds.with_name("away").rename(site.seeds)
        site.settles(retired=0, held=0)
        write(site.seeds / "new.md", a_seed(title="New"))
        wait_until(lambda: site.states() == {"live": PAGES + 1}, what="the new page")
