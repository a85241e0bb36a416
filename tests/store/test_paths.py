"""The path ledger's locks: what two workers see of the same path."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from sqlalchemy import select, text
from support.seeds import a_seed
from support.stored import Library, a_library
from support.waiting import wait_until

from worker.domain.folder.entry import Entry
from worker.store.paths import forget_gone, lock
from worker.store.schema import paths


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


def test_a_path_that_is_gone_and_had_no_document_is_forgotten_after_thirty_days(store_url: str):
    with a_library(store_url) as library:
        library.drop("document.md")
        library.drop("refused.md", "broken")
        library.remove("document.md", "never-seen.md")
        library.services.sweep()
        assert _known(library) == {"document.md", "refused.md"}, "their observations are of 1970"

        now = round(library.time.timestamp() * 1e6)
        library.observed = count(now)
        library.remove("gone-today.md")
        library.services.sweep()
        assert "gone-today.md" in _known(library)
        library.later(days=31)
        library.services.sweep()
        assert _known(library) == {"document.md", "refused.md"}


def test_a_path_that_is_forgotten_at_this_moment_is_locked_all_the_same(postgres_url: str):
    with a_library(postgres_url) as library, ThreadPoolExecutor() as pool:
        library.remove("a.md")
        with library.store.write() as holder:
            forget_gone(holder, before=2**62)
            seen = pool.submit(_locked, library, "a.md", observed=["a.md"])
            wait_until(lambda: _waiting_for_a_lock(library) == 1)
        assert seen.result() is not None, "its row is made anew"


def _known(library: Library) -> set[str]:
    with library.store.read() as connection:
        return set(connection.scalars(select(paths.c.path)))


def _locked(library: Library, path: str, *, observed: Sequence[str] = ()) -> Entry | None:
    with library.store.write() as connection:
        return lock(connection, observed, [path]).get(path)


def _waiting_for_a_lock(library: Library) -> int:
    with library.store.read() as connection:
        return connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
            )
        )
