"""Whatever order batches arrive in, the store ends as the folder is: some histories in every order.

`python tests/ingest/orders.py` runs all of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from histories import STEPS, History, histories
from interleavings import differences as interleaved
from interleavings import pairs
from orders import chosen, differences
from support.stored import a_library

#: A hundredth takes a minute or two on each database.
ONE_IN = 100 if os.environ.get("CI") == "true" else 1000


def test_every_history_is_enumerated_up_to_the_names_of_its_paths():
    assert sum(1 for _ in histories()) == 11_142
    assert len({one.name for one in histories(STEPS - 1)}) == sum(1 for _ in histories(STEPS - 1))


@pytest.mark.parametrize("split", [False, True])
def test_every_order_of_arrival_ends_as_the_own_order_of_the_history(
    store_url: str, *, split: bool
):
    some = [one for one in chosen(ONE_IN) if not split or "rename" in one.name]
    assert some
    with a_library(store_url) as library:
        assert list(differences(library, some, split=split)) == []


@pytest.mark.parametrize(
    "operations",
    [
        [("rename", "a", "b"), ("edit", "b")],
        [("rename", "a", "b"), ("rename", "b", "c")],
        [("edit", "a"), ("rename", "a", "b"), ("create", "a")],
        [("edit", "a"), ("break", "a"), ("rename", "a", "b")],
        [("remove", "a"), ("create", "a"), ("break", "a")],
        [("remove", "a"), ("create", "b"), ("rename", "b", "a"), ("rename", "a", "b")],
    ],
    ids=lambda operations: ", ".join(" ".join(one) for one in operations),
)
def test_the_histories_that_once_lost_a_document_do_not(store_url: str, operations):
    history = History(frozenset("a"), tuple(operations))
    with a_library(store_url) as library:
        assert list(differences(library, [history], split=False)) == []
        assert list(differences(library, [history], split=True)) == []


@pytest.mark.parametrize(
    "operations",
    [
        [("edit", "b"), ("rename", "a", "b")],
        [("break", "a"), ("rename", "b", "a")],
        [("edit", "a"), ("rename", "a", "c")],
    ],
    ids=lambda operations: ", ".join(" ".join(one) for one in operations),
)
def test_two_batches_at_once_end_as_one_after_the_other(postgres_url: str, operations):
    history = History(frozenset("ab"), tuple(operations))
    with a_library(postgres_url) as library:
        assert list(interleaved(library, [history])) == []


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="takes a minute: CI runs it")
def test_more_batches_at_once_end_as_one_after_the_other(postgres_url: str):
    with a_library(postgres_url) as library:
        assert list(interleaved(library, pairs(10 * ONE_IN))) == []
