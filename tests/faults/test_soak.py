"""A short run of the soak: the long ones are `python -m tests.faults.soak`."""

from __future__ import annotations

import math

from faults.soak import BARS, soak
from support.waiting import PATIENCE_SECONDS


def test_folder_and_store_are_equal_after_a_storm_of_faults(tmp_path):
    figures = soak(
        tmp_path,
        seconds=math.inf,
        operations=325,
        least_faults=6,
        bar=BARS["storm"],
        seed=12,
        every_seconds=1.5,
        fault_seconds=1.5,
        black_hole_seconds=6,
        warm_up_seconds=1,
        patience_seconds=2,
        recovery_seconds=PATIENCE_SECONDS,
    )
    assert figures["differences"] == []
    # A process that was just started still grows: only a long run tells of its memory.
    assert figures["verdict"] == "good" or " grew from " in figures["verdict"], figures
    assert figures["operations"] >= 325
    assert sum(figures["faults"].values()) >= 6
