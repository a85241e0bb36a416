"""The cost of one function on texts made to be slow: the change record, and validation with all rules.

Processor time of this process, the least of some runs. Called by the command alone.
"""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hostile
from options import Options
from support.seeds import a_seed
from timing import say, show, temporary

from worker.domain.changes.change import compare
from worker.domain.rules.rules import compile_rules, examine
from worker.domain.seeds.seed import Fields

MAX_BYTES = 5 * 1024 * 1024
#: Targets in milliseconds: a long page with twenty edits, and any text that intake takes.
PAGE, ANY = 10, 50


def compare_bodies(options: Options) -> dict[str, Any]:
    """Time the change record of a long page with twenty edits, and of texts made to be slow."""
    say("change records")
    page = _largest_page(options.corpus)
    whose = "made" if options.corpus is None else "largest"
    name = f"{whose} page of {len(page) / 1e6:.1f} MB, 20 digits changed"
    results = {}
    for case, make in ((name, lambda: hostile.edited(page)), *hostile.pairs()):
        old, new = make()

        def record(old: str = old, new: str = new) -> object:
            return compare({}, old, {}, new, review_fields=frozenset())

        results[case] = _least(record, options.runs)
    _show("change record", results, {name: PAGE}, options)
    return results


def validate_bodies(options: Options) -> dict[str, Any]:
    """Time parsing and all rules for files of 5 MiB made to be slow."""
    say("validation")
    schema = Path(__file__).parents[2] / "config" / "seed.schema.json"
    rules = compile_rules(json.loads(schema.read_text(encoding="utf-8")), Fields())
    head, today = a_seed(body="").encode(), datetime.now(UTC).date()
    results = {}
    for name, make in hostile.bodies():

        def check(data: bytes = head + make().encode()) -> object:
            return examine(data, rules=rules, today=today, max_bytes=MAX_BYTES)

        results[name] = _least(check, options.runs)
    _show("validation", results, {}, options)
    return results


def _largest_page(corpus: Path | None) -> str:
    if corpus is None:
        return hostile.page()
    if corpus.is_dir():
        return hostile.sample(corpus)
    with temporary() as folder, tarfile.open(corpus) as archive:
        archive.extractall(folder, filter="data")
        return hostile.sample(folder)


def _least(work: Callable[[], object], runs: int) -> float:
    """Return the least processor time of some runs in milliseconds."""
    taken = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1000)
    return min(taken)


def _show(title: str, results: dict[str, float], targets: dict[str, int], options: Options) -> None:
    rows = []
    for name, taken in results.items():
        target = targets.get(name, ANY)
        rows.append([name, f"{taken:.1f}", f"{target}{'' if taken <= target else ' over'}"])
    show(f"{title}, least of {options.runs}, ms of the processor", ["", "ms", "target"], rows)
