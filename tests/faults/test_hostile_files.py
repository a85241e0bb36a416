"""Bar 5: a hostile file costs little, ends with a reason, and keeps no good file out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from faults.hostile import CPU_SECONDS, MEMORY_MIB, costs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")


def test_hostile_files_cost_little_and_keep_no_good_file_out(tmp_path: Path, subtests):
    """Each good file is waited for."""
    tried = 0
    for cost in costs(tmp_path):
        tried += 1
        with subtests.test(cost.name):
            assert cost.fate == cost.expected, cost
            assert cost.reason
            assert cost.cpu_seconds <= CPU_SECONDS
            assert cost.memory_mib <= MEMORY_MIB
    assert tried > 60
