"""How the benchmarks run and time processes: in a clean environment, each by the wall clock.

Called by the benchmarks alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from support import clean_environment


def run(
    *command: str, cwd: Path, env: dict[str, str] | None = None, codes: set[int] | None = None
) -> None:
    """Run a command to its end; end the benchmark when it does not exit with one of `codes`."""
    done = subprocess.run(
        command, cwd=cwd, env=clean_environment(env), capture_output=True, check=False
    )
    if done.returncode not in (codes or {0}):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode()}")


def ours(*arguments: str, cwd: Path) -> None:
    """Run a command of the service."""
    run(sys.executable, "-m", "worker", *arguments, cwd=cwd, codes={0, 1})


def git_commit(seeds: Path) -> None:
    """Commit all that lies in a folder that is a repository."""
    run("git", "add", ".", cwd=seeds)
    identity = ("-c", "user.name=b", "-c", "user.email=b@example.org")
    run("git", *identity, "commit", "-qm", "all", cwd=seeds)


def clock(times: dict[str, list[float]], name: str, work: Callable[[], object]) -> None:
    """Note how many seconds some work takes."""
    start = time.perf_counter()
    work()
    times.setdefault(name, []).append(time.perf_counter() - start)


@contextmanager
def temporary() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table whose first column is text, and whose others are numbers."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
