"""The path ledger's locks: what two workers see of the same path."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text
from support.seeds import a_seed
from support.stored import Library, a_library
from support.waiting import wait_until

from worker.domain.folder.entry import Entry
from worker.store.paths import lock


def test_a_head_that_another_worker_advances_is_found_and_not_lost(postgres_url: str):
    with a_library(postgres_url) as library, ThreadPoolExecutor() as pool:
        library.drop("a.md")
        with library.store.write() as holder:
            lock(holder, ["a.md"], ["a.md"])
            edit = pool.submit(library.drop, "a.md", a_seed(title="The edit"))
            wait_until(lambda: _waiting_for_a_lock(library) == 1)
            waiting = pool.submit(_locked, library, "a.md")
            wait_until(lambda: _waiting_for_a_lock(library) == 2)
        assert edit.result().number == 2
        assert waiting.result().head.number == 2


def test_a_path_that_two_workers_see_first_has_one_document(postgres_url: str):
    with a_library(postgres_url) as library, ThreadPoolExecutor() as pool:
        with library.store.write() as holder:
            lock(holder, ["a.md"], ["a.md"])
            drops = [pool.submit(library.drop, "a.md", a_seed(title=f"{n}")) for n in range(2)]
            wait_until(lambda: _waiting_for_a_lock(library) == 2)
        kinds = sorted(drop.result().kind for drop in drops)
        assert kinds in (["changed", "new"], ["new", "stale"])
        assert len(library.services.list_documents(None)) == 1


def test_a_source_that_was_never_seen_gets_no_row(store_url: str):
    with a_library(store_url) as library:
        with library.store.write() as connection:
            lock(connection, ["a.md"], ["a.md", "source.md"])
        assert _locked(library, "source.md") is None


def _locked(library: Library, path: str) -> Entry | None:
    with library.store.write() as connection:
        return lock(connection, [], [path]).get(path)


def _waiting_for_a_lock(library: Library) -> int:
    with library.store.read() as connection:
        return connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
            )
        )
