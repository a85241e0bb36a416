"""Mutation check of the domain: `uv run python -m tests.mutation [--sample N] [--seed S] [--json FILE]`.

Changes worker/domain in one place at a time (see `mutants`) and runs tests/domain against it: a mutant
that fails no test survives and shows a change that no test notices. No file is changed: each mutant is
compiled in a separate process, forked from one that has the libraries loaded, where the tests that
reach it run first, with few and always the same Hypothesis examples. One seed gives one sample, equal
for every module. Ctrl-C ends it with what is known so far.

The score is the share of mutants that a failing test or the time limit killed; a line that no test
reaches counts against it. So do equivalent mutants (of a limit, or of a short cut that only saves
time), so 100% is out of reach.

mutmut 3 and cosmic-ray cannot sample, and mutate messages too: the whole domain would take hours.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import Counter, deque
from contextlib import closing, suppress
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.mutation.mutants import DOMAIN, Mutant, find_mutants
from tests.mutation.trials import try_all

OUTCOMES = ("killed", "survived", "not covered", "timeout")
ALIVE = {"survived", "not covered"}
KINDS = ("logic", "constants")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="as `changes/figures`; all without any")
    parser.add_argument("--sample", type=int, help="how many mutants; all without it")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at once")
    parser.add_argument("--again", type=Path, help="only those that a run's --json has not killed")
    parser.add_argument("--json", type=Path, help="write the outcome of each mutant to this file")
    arguments = parser.parse_args()
    every = sorted(
        path.relative_to(DOMAIN).with_suffix("").as_posix()
        for path in DOMAIN.glob("*/*.py")
        if path.stem != "__init__"
    )
    chosen = choose(arguments.modules or every, arguments.sample, arguments.seed)
    if arguments.again:
        before = json.loads(arguments.again.read_text())
        left = {(m["module"], m["number"]) for m in before if m["outcome"] in ALIVE}
        chosen = [mutant for mutant in chosen if (mutant.module, mutant.number) in left]
    with tempfile.TemporaryDirectory() as folder:
        trials = try_all(chosen, Path(folder), arguments.jobs)
        with suppress(KeyboardInterrupt), closing(trials):
            deque(track(trials, total=len(chosen)), maxlen=0)
    tried = [mutant for mutant in chosen if mutant.outcome != "waits"]
    tell(tried)
    if arguments.json:
        mutants = [asdict(mutant) | {"lines": list(mutant.lines)} for mutant in tried]
        arguments.json.write_text(json.dumps(mutants, indent=1) + "\n")


def choose(modules: list[str], number: int | None, seed: int) -> list[Mutant]:
    """Return so many mutants, of each module as many as of any other while it has some left."""
    by_module = [find_mutants(module) for module in modules]
    for mutants in by_module:
        random.Random(seed).shuffle(mutants)
    turns = zip_longest(*by_module)
    return [mutant for turn in turns for mutant in turn if mutant is not None][:number]


def tell(mutants: list[Mutant]) -> None:
    """Print the mutants that were not killed, and the scores by module."""
    console = Console(width=110)
    for mutant in sorted(mutants, key=lambda mutant: (mutant.module, mutant.number)):
        if mutant.outcome in ALIVE:
            words = f"{mutant.outcome}: {mutant.module}.py:{mutant.what} ({mutant.kind})"
            console.print(words, markup=False, highlight=False, soft_wrap=True)
    table = Table("", *OUTCOMES, "score", *KINDS, box=None)
    for module in (*sorted({mutant.module for mutant in mutants}), "all"):
        some = [mutant for mutant in mutants if module in {mutant.module, "all"}]
        outcomes = Counter(mutant.outcome for mutant in some)
        by_kind = ([mutant for mutant in some if mutant.kind == kind] for kind in KINDS)
        scores = map(score, (some, *by_kind))
        table.add_row(module, *(str(outcomes[outcome]) for outcome in OUTCOMES), *scores)
    console.print(table)


def score(mutants: list[Mutant]) -> str:
    """Return the share that was killed, by a failing test or by the time limit."""
    killed = sum(mutant.outcome in {"killed", "timeout"} for mutant in mutants)
    return f"{killed / len(mutants):.0%} of {len(mutants)}" if mutants else ""


if __name__ == "__main__":
    main()
