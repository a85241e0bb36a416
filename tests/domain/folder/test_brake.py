from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.folder.brake import must_ask, trips_brake

USUAL = {"share": 0.2, "count": 10}


@pytest.mark.parametrize(
    ("removals", "live", "mass"),
    [
        (10, 10, False),
        (11, 11, True),
        (11, 54, True),
        (11, 55, False),
        (200, 1000, False),
        (201, 1000, True),
    ],
)
def test_a_mass_exceeds_both_a_share_and_a_minimum(removals, live, mass):
    assert trips_brake(removals, live, **USUAL) is mass


@pytest.mark.parametrize("live", [1, 2, 10, 1000])
@pytest.mark.parametrize("settings", [USUAL, {"share": 1.0, "count": 10_000}])
def test_an_emptied_folder_always_asks(live, settings):
    assert must_ask(live, live, recent=0, **settings)


@pytest.mark.parametrize(
    ("missing", "live", "recent", "asks"),
    [
        (10, 40, 0, False),
        (8, 32, 8, True),  # 16 of 40
        (1, 92, 8, False),
        (1, 40, 9, False),  # 10 are never a mass
        (1, 40, 10, True),  # 11 of 50
        (1, 85, 15, False),  # 16 of 100
        (0, 0, 100, False),
    ],
)
def test_what_retired_within_a_day_counts_with_what_is_missing(missing, live, recent, asks):
    assert must_ask(missing, live, recent=recent, **USUAL) is asks


@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=30),
    live=st.integers(1, 200),
)
def test_however_removals_are_split_no_more_pass_than_at_once(sizes, live):
    retired = 0
    for size in sizes:
        missing = min(size, live - retired)
        if missing and not must_ask(missing, live - retired, recent=retired, **USUAL):
            retired += missing
    assert retired <= max(10, 0.2 * live)
    assert retired < live
