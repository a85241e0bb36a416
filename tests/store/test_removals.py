"""What counts as removed within a day: events, however many processes wrote them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.seeds import a_seed, write
from support.stored import Library, a_library

from worker.library.write_back import retire
from worker.store.removals import find_live, find_removals


@pytest.fixture
def library(store_url: str, seeds):
    with a_library(store_url, seeds=seeds) as library:
        for number in range(5):
            write(seeds / f"{number}.md", a_seed(title=f"Page {number}"))
            library.drop(f"{number}.md", title=f"Page {number}")
        yield library


def found(library: Library, hours: float = 24):
    with library.store.read() as connection:
        return find_removals(connection, library.time - timedelta(hours=hours))


def test_retired_documents_count_for_a_day(library: Library):
    assert found(library) == (0, frozenset())
    library.remove("0.md", "1.md")
    library.later(hours=23)
    library.remove("2.md")
    assert found(library) == (3, frozenset())
    library.later(hours=2)
    assert found(library) == (1, frozenset())
    library.later(hours=24)
    assert found(library) == (0, frozenset())


def test_documents_that_are_back_do_not_count(library: Library):
    library.remove("0.md", "1.md", "2.md")
    library.drop("0.md", title="Page 0")
    library.drop("1.md", title="Page 1, edited")
    assert found(library) == (1, frozenset())
    library.remove("0.md")
    assert found(library) == (2, frozenset())


def test_a_document_whose_move_came_after_its_removal_does_not_count(library: Library):
    library.remove("0.md")
    data = a_seed(title="Page 0").encode()
    snapshot = replace(library.snapshot("moved.md", data), candidates=(library.source("0.md"),))
    library.take_in_batch((snapshot,), data)
    assert library.document("moved.md")["state"] == "live"
    assert found(library) == (0, frozenset())
    library.remove("moved.md")
    assert found(library) == (1, frozenset()), "a document counts once"


def test_what_a_person_removed_does_not_count(library: Library):
    retire(library.services, "0.md", by="asha")
    assert found(library) == (0, frozenset({"0.md"}))
    library.remove("0.md", "1.md")
    assert found(library) == (1, frozenset())


def test_a_person_who_asked_for_one_version_did_not_ask_for_the_next(library: Library):
    retire(library.services, "0.md", by="asha")
    library.drop("0.md", title="Written anew")
    assert found(library) == (0, frozenset())
    library.remove("0.md")
    assert found(library) == (1, frozenset())


def test_a_person_who_asked_once_did_not_ask_twice(library: Library):
    retire(library.services, "0.md", by="asha")
    library.remove("0.md")
    library.drop("0.md", title="Page 0")
    assert found(library) == (0, frozenset()), "it was brought back"
    library.remove("0.md")
    assert found(library) == (1, frozenset())


def test_paths_of_live_documents_are_found(library: Library):
    library.remove("0.md")
    with library.store.read() as connection:
        assert find_live(connection, {"0.md", "1.md", "unknown.md"}) == {"1.md"}
        assert find_live(connection, ()) == frozenset()
