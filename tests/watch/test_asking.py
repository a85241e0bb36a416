"""A scan queries the known files of the store only when they may have changed."""

from __future__ import annotations

import pytest
from support.seeds import write
from support.waiting import wait_until

from worker.errors import StoreUnavailableError


@pytest.fixture
def quiet(watch, library, seeds, page):
    """Return what watches a folder of one page, of which the store has said that it has it."""
    write(seeds / "a.md", page)
    watching = watch(scan_seconds=0.05)
    watching.settles()

    def is_quiet() -> bool:
        asked = library.asked
        watching.scans_again()
        watching.scans_again()
        return library.asked == asked

    wait_until(is_quiet, what="scans that ask for nothing")
    return watching


def test_an_idle_watcher_requests_nothing(quiet, library):
    asked = library.asked
    for _ in range(5):
        quiet.scans_again()
    assert library.asked == asked
    assert len(library.of("a.md")) == 1


def test_files_that_the_store_lost_are_sent_again(quiet, library, page):
    with library._lock:
        library.content.clear()
        library.known.clear()
    quiet.sees("a.md", page)


def test_scans_query_the_store_after_a_lost_message(quiet, library, seeds, page):
    library.loses_messages = True
    write(seeds / "a.md", f"{page}\nMore.\n")
    wait_until(library.spool.kept, what="a message that is lost")
    asked = library.asked
    wait_until(lambda: library.asked > asked + 2, what="scans that ask")


def test_an_edit_made_while_the_broker_is_away_is_sent_again(quiet, library, seeds, page, caplog):
    """It counted as known when it was read, and the store says what it said before."""
    library.broker_is_away = True
    edited = f"{page}\nMore.\n"
    write(seeds / "a.md", edited)
    wait_until(lambda: "no broker" in caplog.text, what="the complaint")
    library.broker_is_away = False
    quiet.sees("a.md", edited)


def test_a_failed_query_of_the_store_is_repeated(quiet, library, monkeypatch):
    """Else the watcher would go on with nothing known, and send all files as new ones."""
    taken, answers = len(library.taken), library.known_files
    failed = []

    def fail_once():
        if not failed:
            failed.append(True)
            raise StoreUnavailableError("it went away")
        return answers()

    monkeypatch.setattr(library, "known_files", fail_once)
    with library._lock:
        known = library.known["a.md"]
        library.known["a.md"] = known._replace(observed=known.observed + 1)
    wait_until(lambda: failed, what="a store that fails")
    asked = library.asked
    wait_until(lambda: library.asked > asked, what="a store that is asked again")
    quiet.scans_again()
    assert len(library.taken) == taken
