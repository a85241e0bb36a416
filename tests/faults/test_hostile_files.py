"""Bar 5: a hostile file costs little memory, ends with a reason, and keeps no good file out.

What it costs in time is measured by `python -m tests.faults.hostile`; here the lines of Python are counted
that the rules and the change record run for it.
"""

from __future__ import annotations

import json
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faults.hostile import MEMORY_MIB, costs
from faults.hostile_files import hostile_files
from support.steps import steps_of

from worker.domain.changes.change import compare
from worker.domain.rules.rules import compile_rules, examine
from worker.domain.seeds.facts import Fields

SCHEMA = Path(__file__).parents[2] / "config" / "seed.schema.json"
MAX_BYTES = 5 * 1024 * 1024

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")


def test_hostile_files_cost_little_and_block_no_good_file(tmp_path: Path, subtests):
    """That the good file lands is asserted where it is waited for."""
    tried = 0
    for cost in costs(tmp_path):
        tried += 1
        with subtests.test(cost.name):
            assert cost.fate == cost.expected, cost
            assert cost.reason
            assert cost.memory_mib <= MEMORY_MIB
    assert tried > 60


def test_hostile_files_are_examined_and_compared_in_a_few_passes(tmp_path: Path, subtests):
    rules = compile_rules(json.loads(SCHEMA.read_text(encoding="utf-8")), Fields())
    today = datetime.now(UTC).date()
    bodies = [""]
    for number, hostile in enumerate(hostile_files(tmp_path / "outside.md")):
        path = tmp_path / f"{number:03}.md"
        hostile.put(path)
        if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > MAX_BYTES:
            continue
        data = path.read_bytes()

        def work(data: bytes = data) -> None:
            examined = examine(data, rules=rules, today=today, max_bytes=MAX_BYTES)
            if examined.facts is not None:
                compare({}, bodies[-1], {}, examined.seed.body, review_fields=frozenset())
                bodies.append(examined.seed.body)

        with subtests.test(hostile.name):
            steps_of(work, most=1_000_000)
    assert len(bodies) > 40
