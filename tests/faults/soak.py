"""Hours of work and faults: `uv run python -m tests.faults.soak [--minutes 60] [--seed S] [--json FILE]`.

People write at random while the service is broken at random; everything follows from the seed, but
the timing. `--bar 1` kills any process every 10 s and lets nothing settle before the end. `--bar 12` (the
default) inflicts a fault every 2 minutes that the processes have to survive, waits until all is well
after each, and compares what they hold before and after. `--bar 3` breaks Redis, `--bar 4` kills workers
every second; `--bar storm` inflicts everything, one upon the other. With `--operations N` a run ends after so
many operations, and `--seeds N` makes one run with each of so many seeds. Prints figures and a verdict,
and exits with 1 when it is bad; then the files of that run stay, with what each process has printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
from faults import inflicting
from faults.deployment import Deployment, deployment
from faults.hands import OPERATIONS_A_SECOND, Hands
from faults.resources import Held, held_by

#: As long as the worst fault of the network that is promised to be survived.
BLACK_HOLE_SECONDS = 60
FAULT_SECONDS = 10
WARM_UP_SECONDS = 30
#: How soon everything has to be well again after a fault.
RECOVERY_SECONDS = 60
#: The watcher's own patience; tests of faults take a shorter one.
PATIENCE_SECONDS = 20
MOST_MEMORY = 1.1
#: Connections that a pool keeps, and threads that end a little later.
SLACK = {"threads": 4, "descriptors": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What is inflicted: which faults, how often in seconds, and whether each has to be over first."""

    faults: dict[str, inflicting.Fault]
    every_seconds: float
    settling: bool


SURVIVABLE = {
    **inflicting.FREEZES,
    **inflicting.BROKER,
    **inflicting.STORE,
    "kill-child": inflicting.kill_child,
}
BARS = {
    "1": Bar(faults=inflicting.KILLS, every_seconds=10, settling=False),
    "3": Bar(faults=inflicting.BROKER, every_seconds=30, settling=True),
    "4": Bar(
        faults={
            name: inflicting.KILLS[name] for name in ("kill-worker", "kill-parent", "kill-child")
        },
        every_seconds=1,
        settling=False,
    ),
    "12": Bar(faults=SURVIVABLE, every_seconds=120, settling=True),
    "storm": Bar(faults=inflicting.FAULTS, every_seconds=5, settling=False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--bar", choices=BARS, default="12")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="instead of the bar's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seeds", type=int, default=1, help="runs, each with the next seed")
    parser.add_argument("--warm-up", type=float, default=WARM_UP_SECONDS, help="seconds before")
    parser.add_argument("--operations", type=float, default=math.inf, help="of each run, at most")
    parser.add_argument(
        "--pace", type=float, default=OPERATIONS_A_SECOND, help="operations a second"
    )
    arguments = parser.parse_args()
    runs = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        folder = Path(tempfile.mkdtemp(prefix="content-sync-soak-"))
        figures = soak(
            folder,
            seconds=arguments.minutes * 60,
            bar=BARS[arguments.bar],
            every_seconds=arguments.every,
            operations=arguments.operations,
            pace=arguments.pace,
            warm_up_seconds=arguments.warm_up,
            seed=seed,
            say=lambda line: print(line, flush=True),  # noqa: T201
        )
        if figures["verdict"] == "good":
            shutil.rmtree(folder)
        else:
            figures["logs"] = str(folder)
        runs.append({"bar": arguments.bar, **figures})
        print(json.dumps(runs[-1], indent=2), flush=True)  # noqa: T201
        if arguments.json:
            arguments.json.write_text(json.dumps(runs, indent=2) + "\n")
    sys.exit(0 if all(run["verdict"] == "good" for run in runs) else 1)


def soak(
    folder: Path,
    *,
    seconds: float,
    bar: Bar,
    seed: int,
    every_seconds: float | None = None,
    operations: float = math.inf,
    least_faults: int = 0,
    pace: float = OPERATIONS_A_SECOND,
    fault_seconds: float = FAULT_SECONDS,
    black_hole_seconds: float = BLACK_HOLE_SECONDS,
    warm_up_seconds: float = WARM_UP_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
    recovery_seconds: float = RECOVERY_SECONDS,
    say: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Work and break for so many seconds or operations, then wait until all is well; return the figures.

    With `least_faults` it goes on until it has inflicted so many.
    `verdict` is "good", or says what is not. Figures of memory are resident MiB.
    """
    every = bar.every_seconds if every_seconds is None else every_seconds
    inflicted: Counter[str] = Counter()
    convergence: dict[str, list[float]] = {}
    with deployment(folder, patience_seconds=patience_seconds) as deployed:
        hands = Hands(deployed.seeds, seed, pace=pace)
        deployed.settles()
        hands.work(warm_up_seconds)
        deployed.settles()
        before = _held(deployed)
        hands.most = hands.done + operations
        began = time.monotonic()
        trouble = ""
        for name in _each_in_turn(bar.faults, random.Random(seed)):
            over = hands.finished or time.monotonic() - began >= seconds
            if trouble or (over and inflicted.total() >= least_faults):
                break
            next_at = time.monotonic() + every
            if name == "lose-network":
                held_seconds = black_hole_seconds
            else:
                held_seconds = fault_seconds if bar.settling else min(fault_seconds, every)
            bar.faults[name](deployed, hands.work, held_seconds)
            inflicted[name] += 1
            deployed.revive()
            if bar.settling:
                trouble = _settle(deployed, name, convergence, recovery_seconds)
                say(f"{_now()} {name}: {trouble or f'well after {convergence[name][-1]} s'}")
            hands.work(max(0.0, min(next_at, began + seconds) - time.monotonic()))
        deployed.revive()
        trouble = trouble or _settle(deployed, "the end", convergence, recovery_seconds)
        after = _held(deployed)
        versions = deployed.library.versions()
        differences = deployed.library.differences()
        documents = len(list(deployed.seeds.rglob("*.md")))
    return {
        "verdict": trouble or "; ".join(_leaks(before, after)) or "good",
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "operations": hands.done,
        "documents": documents,
        "versions": versions,
        "faults": dict(sorted(inflicted.items())),
        "differences": differences,
        "seconds_to_be_well": {
            name: {"most": max(times), "times": len(times)}
            for name, times in sorted(convergence.items())
        },
        "held_before": {part: asdict(held) for part, held in before.items()},
        "held_after": {part: asdict(held) for part, held in after.items()},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def _each_in_turn(names: Iterable[str], chance: random.Random) -> Iterator[str]:
    """Yield the names for ever, in random order, each once before any comes again."""
    while True:
        turn = sorted(names)
        chance.shuffle(turn)
        yield from turn


def _settle(
    deployed: Deployment, name: str, convergence: dict[str, list[float]], recovery_seconds: float
) -> str:
    """Wait until all is well; return what is not within the time promised."""
    try:
        took = deployed.settles(timeout=recovery_seconds)
    except pytest.fail.Exception as failure:
        return f"after {name}: {failure.msg}"
    convergence.setdefault(name, []).append(round(took, 2))
    return ""


def _held(deployed: Deployment) -> dict[str, Held]:
    return {part: held_by(process.pid) for part, process in deployed.processes.items()}


def _leaks(before: dict[str, Held], after: dict[str, Held]) -> list[str]:
    """Return what a part holds more of than before, beyond what is allowed."""
    found = []
    for part, then in before.items():
        now = after[part]
        if now.memory > then.memory * MOST_MEMORY:
            found.append(f"{part} grew from {then.memory} to {now.memory} MiB")
        for what, slack in SLACK.items():
            had, has = getattr(then, what), getattr(now, what)
            if has > had + slack:
                found.append(f"{part} has {has} {what}, and had {had}")
    return found


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")


if __name__ == "__main__":
    main()
