"""The rules that need the previous version, as a worker ingests files, over both databases."""

from __future__ import annotations

import pytest
from support.seeds import BODY, a_seed
from support.stored import Library, a_library

LONG = BODY * 4


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def last_event(library: Library):
    from worker.store.library import events_after

    with library.store.read() as connection:
        return [*events_after(connection, 0, 1000)][-1]


def test_a_body_that_shrank_by_more_than_half_keeps_the_last_good_version(library: Library):
    library.drop("a.md", body=LONG)
    outcome = library.drop("a.md", body="Lost.\n")

    assert outcome.kind == "refused"
    assert "CS073" in {problem.code for problem in outcome.problems}
    assert library.document("a.md")["number"] == 1
    [refusal] = library.services.list_refusals()
    assert "CS073" in {problem["code"] for problem in refusal["problems"]}
    assert library.kinds() == ["version.stored", "seed.refused"]


def test_a_refused_cut_that_is_seen_again_is_one_notice(library: Library):
    library.drop("a.md", body=LONG)
    text = a_seed(body="Lost.\n")
    library.drop("a.md", text)
    library.drop("a.md", text)

    assert library.kinds() == ["version.stored", "seed.refused"]


def test_a_new_label_confirms_the_cut(library: Library):
    library.drop("a.md", body=LONG)
    library.drop("a.md", body="Short now.\n")
    outcome = library.drop("a.md", body="Short now.\n", version="v2")

    assert (outcome.kind, outcome.number) == ("changed", 2)
    assert library.services.list_refusals() == []
    assert last_event(library).data["warnings"] == ["CS073"]


def test_a_short_body_never_blocks_a_retraction(library: Library):
    library.drop("a.md", body=LONG)
    outcome = library.drop("a.md", body="Withdrawn.\n", status="deprecated")

    assert outcome.kind == "changed"
    assert library.document("a.md")["status"] == "deprecated"


def test_warnings_of_a_stored_version_are_in_its_event(library: Library):
    library.drop("a.md")
    assert last_event(library).data["warnings"] == []
    outcome = library.drop("a.md", body=BODY + "More.\n", lastReviewed="2025-12-01")

    assert outcome.kind == "changed"
    assert last_event(library).data["warnings"] == ["CS070", "CS072"]
    assert {problem.code for problem in outcome.problems} == {"CS070", "CS072"}


def test_a_team_that_cuts_often_makes_it_a_warning(store_url: str):
    with a_library(store_url, rules={"body-shrank": "warning"}) as library:
        library.drop("a.md", body=LONG)
        assert library.drop("a.md", body="Short.\n").kind == "changed"
