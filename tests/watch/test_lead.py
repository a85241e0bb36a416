"""The lease by which one watcher leads, over both databases, with a clock that the test moves."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.domain.folder.snapshot import Known
from worker.errors import StoreUnavailableError
from worker.run.doctor import WATCHER_SECONDS, doctor
from worker.settings.model import load_settings
from worker.store import leases, liveness
from worker.store.engine import Store
from worker.store.migrate import migrate
from worker.watch.lead import (
    GIVEN_WAY_SECONDS,
    LEASE_SECONDS,
    RENEW_SECONDS,
    Lead,
    LeadLostError,
)

ELSEWHERE = "another system"


class Site:
    """A store, a clock for all, and processes that want to lead; each on a system of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seconds = 1000.0
        migrate(store)

    def process(self, place: str = ELSEWHERE) -> Lead:
        lead = Lead(self.store, now=lambda: datetime.now(UTC), monotonic=lambda: self.seconds)
        lead._place = f"{place} {id(lead)}"
        return lead

    def leads(self, lead: Lead) -> bool:
        """Let a process look once whether it may lead."""
        return lead.look()

    def lease(self) -> leases.Lease | None:
        with self.store.read() as connection:
            return leases.find_lease(connection)


@pytest.fixture
def site(store_url: str):
    store = Store(store_url)
    yield Site(store)
    store.close()


def test_the_first_watcher_leads_and_the_second_does_not(site: Site):
    first, second = site.process(), site.process()
    assert site.leads(first)
    assert not site.leads(second)
    site.seconds += LEASE_SECONDS - 0.1
    assert not site.leads(second)


def test_a_standby_leads_when_the_lease_was_not_renewed_in_time(site: Site):
    first, second = site.process(), site.process()
    site.leads(first)
    site.leads(second)
    site.seconds += LEASE_SECONDS
    assert site.leads(second)
    with pytest.raises(LeadLostError):
        first.confirm(0)
    second.confirm(0)


def test_a_leader_that_renews_is_left_alone(site: Site):
    first, second = site.process(), site.process()
    site.leads(first)
    for _ in range(20):
        site.seconds += RENEW_SECONDS
        first.confirm(0)
        assert not site.leads(second)


def test_a_late_watcher_waits_as_long_for_a_silent_leader(site: Site):
    """It cannot know how long the leader has been silent: clocks of other hosts tell nothing."""
    site.leads(site.process())
    site.seconds += 10 * LEASE_SECONDS
    late = site.process()
    assert not site.leads(late)
    site.seconds += LEASE_SECONDS
    assert site.leads(late)


def test_a_released_lease_is_taken_at_once(site: Site):
    first, second = site.process(), site.process()
    site.leads(first)
    first.hand_back()
    with pytest.raises(LeadLostError):
        first.confirm(0)
    assert site.leads(second)
    first.hand_back()
    second.confirm(0)
    assert site.lease().holder == second._holder


def test_a_leader_that_gives_way_leaves_the_lead_to_a_standby_for_a_while(site: Site):
    first, second = site.process(), site.process()
    site.leads(first)
    assert not site.leads(second)
    with pytest.raises(LeadLostError, match="giving way"):
        first.give_way()
    first.hand_back()
    site.seconds += GIVEN_WAY_SECONDS - 0.1
    assert not site.leads(first), "it would be the first to look"
    assert site.leads(second)


def test_a_leader_that_gives_way_without_a_successor_leads_again(site: Site):
    first, second = site.process(), site.process()
    site.leads(first)
    site.leads(second)
    with pytest.raises(LeadLostError):
        first.give_way()
    first.hand_back()
    site.seconds += GIVEN_WAY_SECONDS
    assert site.leads(first)


def test_a_leader_without_a_standby_does_not_give_way(site: Site):
    alone = site.process()
    site.leads(alone)
    alone.give_way()
    alone.confirm(0)


def test_a_leader_process_that_ended_on_this_host_is_replaced_at_once(site: Site):
    first, second = site.process(), site.process()
    site.leads(first)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    with site.store.write() as connection:
        row = replace(site.lease(), pid=child)
        leases.put_lease(connection, row, before=row.renewal, now=datetime.now(UTC))
    assert not site.leads(second), "the same process id on another system says nothing"
    second._place = first._place
    assert site.leads(second)


def test_of_many_concurrent_watchers_one_leads(site: Site):
    processes = [site.process() for _ in range(6)]
    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda p=process: outcomes.append(site.leads(p)))
        for process in processes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 5 + [True]


def test_a_renewal_whose_answer_was_lost_counts(site: Site):
    first = site.process()
    site.leads(first)
    with site.store.write() as connection:
        mine = site.lease()
        stored = replace(mine, renewal=mine.renewal + 1)
        assert leases.put_lease(connection, stored, before=mine.renewal, now=datetime.now(UTC))
    site.seconds += RENEW_SECONDS
    first.confirm(0)
    assert site.lease().renewal == mine.renewal + 2


def test_a_successor_numbers_above_its_predecessor(site: Site):
    """Even where the clock of the other host is ahead."""
    first, second = site.process(), site.process()
    site.leads(first)
    site.seconds += RENEW_SECONDS
    first.confirm(5_000_000)
    first.confirm(5_000_000 + int(1e6 * (LEASE_SECONDS - 1)))  # not yet renewed
    site.leads(second)
    site.seconds += LEASE_SECONDS
    assert site.leads(second)
    assert second.observed_above >= 5_000_000 + 1e6 * LEASE_SECONDS


def test_a_row_with_unknown_keys_is_understood(site: Site):
    """A newer version may say more."""
    site.leads(site.process())
    with site.store.write() as connection:
        rows = liveness.find_heartbeats(connection)
        data = {**rows[leases.LEAD].data, "more": 1}
        liveness.beat(connection, leases.LEAD, data, now=datetime.now(UTC))
    assert site.lease().renewal == 1


def test_a_store_outage_does_not_count_as_silence_of_the_leader(postgres_server):
    """Neither could renew: whoever stands by begins to measure anew."""
    with postgres_server.database() as url:
        store = Store(url)
        site = Site(store)
        first, second = site.process(), site.process()
        site.leads(first)
        site.leads(second)
        postgres_server.stop()
        site.seconds += LEASE_SECONDS - 1
        assert not site.leads(second)
        first.confirm(0)  # nobody can have taken it over yet
        site.seconds += 2
        with pytest.raises(StoreUnavailableError):
            first.confirm(0)
        postgres_server.start()
        assert not site.leads(second)
        first.confirm(0)
        assert not site.leads(second)
        store.close()


class Hosts:
    """What the watchers of this host and of another one say, and what `doctor` makes of it here."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._settings = load_settings(store_url=url)
        migrate(store)

    def say(self, name: str, state: str, *, host: str | None = None, ago: float = 0) -> None:
        now = datetime.now(UTC) - timedelta(seconds=ago)
        data: dict[str, Any] = {"state": state, "host": host or socket.gethostname(), "pid": 1}
        with self._store.write() as connection:
            liveness.beat(connection, name, data, now=now)

    @property
    def well(self) -> bool:
        return doctor(self._settings, "watcher")[-1].ok

    @property
    def said(self) -> str:
        return doctor(self._settings, "watcher")[-1].detail


@pytest.fixture
def hosts(sqlite_url: str):
    store = Store(sqlite_url)
    yield Hosts(store, sqlite_url)
    store.close()


def test_a_standby_watcher_on_this_host_is_healthy_while_it_reports(hosts: Hosts):
    here = f"stand-by:{socket.gethostname()}"
    hosts.say("watcher", "watching", host="there")
    hosts.say(here, "stands by")
    assert hosts.well
    hosts.say(here, "stands by", ago=WATCHER_SECONDS + 5)
    assert not hosts.well, "it is silent, and that another host's watcher leads does not help it"
    assert hosts.said.startswith("silent, last heartbeat ")
    hosts.say(here, "stopped")
    assert not hosts.well
    assert hosts.said.startswith("stopped, last heartbeat ")


def test_a_dead_leader_on_this_host_is_unhealthy_though_another_host_took_over(hosts: Hosts):
    hosts.say(f"stand-by:{socket.gethostname()}", "leads", ago=100)
    hosts.say("watcher", "watching")
    assert hosts.well
    hosts.say("watcher", "watching", host="there")
    assert not hosts.well


def test_a_late_watcher_is_called_silent(hosts: Hosts):
    hosts.say("watcher", "watching", ago=WATCHER_SECONDS + 5)
    assert not hosts.well
    assert hosts.said.startswith("silent, last heartbeat ")


def test_a_host_without_a_watcher_checks_the_leader(hosts: Hosts):
    assert not hosts.well
    hosts.say("watcher", "watching", host="there")
    assert hosts.well


def test_a_watcher_that_lost_the_lead_sends_nothing_more(
    watch: Callable[..., Any], seeds, library, page
):
    """It noticed the file while it led, and is asked again just before it sends."""
    watching = watch()
    watcher = watching.watcher
    lost = threading.Event()

    def confirm(_observed: int) -> None:
        if lost.is_set():
            raise LeadLostError("another process leads now")

    watching.stop()
    watcher._confirm = confirm
    (seeds / "a.md").write_text(page)
    watcher._feed.take("a.md", next(iter(watcher._feed._open)))
    lost.set()
    before: dict[str, Known] = dict(library.known)
    with pytest.raises(LeadLostError):
        watcher._feed.flush()
    assert library.known == before
    assert library.spool.outstanding() == 0
