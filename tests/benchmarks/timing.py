"""How the benchmarks run and time processes: in a clean environment, each by the wall and its processor.

Called by the benchmarks alone.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from threading import Event, Thread

from rich.console import Console
from rich.table import Table
from support.programs import clean_environment

#: How much of the output of a failed command is shown.
SAID_CHARACTERS = 2_000
PEAK_SECONDS = 0.02
#: Tables are as wide in a file as in a roomy terminal.
COLUMNS = 150
_FOLDERS = ExitStack()
atexit.register(_FOLDERS.close)


class CommandFailedError(Exception):
    """A command that was to be timed did not end well; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a piece of work took; `peak_mebibytes` is the most that its process held, 0 where unknown."""

    seconds: float
    processor_seconds: float
    peak_mebibytes: float = 0.0


def run(
    *command: str, cwd: Path, env: dict[str, str] | None = None, codes: set[int] | None = None
) -> Cost:
    """Run a command to its end; raise `CommandFailedError` unless it exits with one of `codes`.

    The cost is that of the whole process and its children, start and end included.
    """
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=clean_environment(env), stdout=subprocess.DEVNULL, stderr=said
        )
        with _watching(process.pid) as peak:
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        process.returncode = code = os.waitstatus_to_exitcode(status)
        if code not in (codes or {0}):
            said.seek(0)
            end = said.read().decode(errors="replace")[-SAID_CHARACTERS:]
            raise CommandFailedError(f"{' '.join(command)} ended with {code}:\n{end}")
    return Cost(
        seconds=seconds,
        processor_seconds=used.ru_utime + used.ru_stime,
        peak_mebibytes=max(peak),
    )


def ours(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Cost:
    """Run a command of the service."""
    return run(sys.executable, "-m", "worker", *arguments, cwd=cwd, env=env, codes={0, 1})


def timed(work: Callable[[], object]) -> Cost:
    """Run some work in this process, and return what it took."""
    start, worked = time.perf_counter(), time.process_time()
    work()
    return Cost(seconds=time.perf_counter() - start, processor_seconds=time.process_time() - worked)


def medians(costs: Sequence[Cost]) -> dict[str, float]:
    """Return the medians of several costs, and the least and the most of the seconds."""
    seconds = [cost.seconds for cost in costs]
    return {
        "seconds": median(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "processor_seconds": median(cost.processor_seconds for cost in costs),
        "peak_mebibytes": max(cost.peak_mebibytes for cost in costs),
        "runs": len(costs),
    }


def say(what: str) -> None:
    """Tell on standard error what is being measured now."""
    Console(stderr=True).print(f"[dim]{datetime.now(UTC):%H:%M:%S}[/] {what}", highlight=False)


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process has had, 0 where it has ended.

    What `wait4` tells is not less than what we held when we started it.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def _watching(pid: int) -> Iterator[list[float]]:
    """Note a process's peak in MiB again and again; one that ends sooner than that has none."""
    ended, peak = Event(), [0.0]

    def note() -> None:
        while not ended.wait(PEAK_SECONDS):
            peak.append(peak_bytes(pid) / 2**20)

    thread = Thread(target=note)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


@contextmanager
def temporary() -> Iterator[Path]:
    """Give a folder that is gone when all is measured, and not before.

    For minutes ext4 gives no deleted file's inode away again, and looks through them for each new file:
    git, or a copy of a library, takes up to twice as long then (`recently_deleted`, in a profile).
    """
    yield Path(_FOLDERS.enter_context(tempfile.TemporaryDirectory()))


def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table whose first column is text, and whose others are numbers."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = COLUMNS
    console.print(table)
