"""Bar 5, what hostile files cost a running service: `uv run python -m tests.faults.hostile`.

Drops each file of `hostile_files` beside a real `content-sync up`, a good file with it, waits until both
have ended, and prints what it cost: processor time and memory of the process, and what became of it.
What is stored is then replaced by what was stored before, so that each is compared with another. Linux
only: the highest memory is the kernel's own count, which is set back before each file.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from faults.hostile_files import Hostile, hostile_files
from rich.console import Console
from rich.table import Table
from support.programs import Process, started
from support.seeds import a_seed, write
from support.waiting import wait_until

CPU_SECONDS, MEMORY_MIB, GOOD_SECONDS = 2.0, 200, 5
ENV = {
    "CONTENT_SYNC_WATCH__SCAN_SECONDS": "2",
    "CONTENT_SYNC_DELIVERY__GROUP_WAIT_SECONDS": "0.5",
    "CONTENT_SYNC_DELIVERY__TICK_SECONDS": "0.2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one file cost the service, and what became of it."""

    name: str
    expected: str
    fate: str
    reason: str
    cpu_seconds: float
    memory_mib: float
    good_seconds: float

    @property
    def within_bar(self) -> bool:
        """Return whether it cost no more than it may."""
        return (
            self.cpu_seconds <= CPU_SECONDS
            and self.memory_mib <= MEMORY_MIB
            and self.good_seconds <= GOOD_SECONDS
        )


class Trial:
    """A running service, its folder, and a plain view into its database."""

    def __init__(self, folder: Path, process: Process) -> None:
        self.seeds = folder / "seeds"
        self.database = folder / "var" / "content-sync.db"
        self.process = process
        self._about = psutil.Process(process.pid)
        self._drops = 0
        self._before: bytes | None = None

    def drop(self, hostile: Hostile) -> Cost:
        """Drop a file and a good one, wait until both have ended, and return what that cost."""
        self._drops += 1
        path = self.seeds / (hostile.file_name or f"{self._drops:03}.md")
        self._forget_peak()
        memory, processor, began = self._resident(), self._processor(), time.monotonic()
        hostile.put(path)
        self._good()
        good_seconds = time.monotonic() - began
        fate, reason = wait_until(lambda: self._fate(path.name), what=f"the end of {hostile.name}")
        if fate == "stored" and hostile.file_name is None:
            self._replace(path)
        return Cost(
            name=hostile.name,
            expected=hostile.expected,
            fate=fate,
            reason=reason,
            cpu_seconds=self._processor() - processor,
            memory_mib=(self._peak() - memory) / 2**20,
            good_seconds=good_seconds,
        )

    def _good(self) -> None:
        """Drop a good file, and wait until it has landed."""
        title = f"Good {self._drops}"
        write(self.seeds / "good.md", a_seed(title=title))
        query = "SELECT 1 FROM documents WHERE path = 'good.md' AND title = ?"
        wait_until(lambda: self._query(query, title), what="the good file")

    def _replace(self, path: Path) -> None:
        """Put the text that was stored before it in a file's place, and wait until it has ended too."""
        content = path.read_bytes()
        if self._before is not None:
            write(path, self._before)
            edited = "SELECT 1 FROM documents WHERE path = ?1 AND number = 2"
            refused = "SELECT 1 FROM paths WHERE path = ?1 AND state = 'refused'"
            wait_until(
                lambda: self._query(f"{edited} UNION {refused}", path.name),
                what=f"the second version of {path.name}",
            )
        self._before = content

    def _fate(self, name: str) -> tuple[str, str] | None:
        try:
            name.encode()
        except UnicodeEncodeError:
            stored, refused = [], []
        else:
            stored = self._query("SELECT number FROM documents WHERE path = ?", name)
            refused = self._query(
                "SELECT problems FROM paths WHERE path = ? AND state = 'refused'", name
            )
        if stored:
            return "stored", f"version {stored[0][0]}"
        if refused:
            problem = json.loads(refused[0][0])[0]
            return "refused", f"{problem['code']} {problem['message']}"
        for line in self.process.output.splitlines():
            what, _, reason = line.partition("  ignored ")[2].rpartition(": ")
            if what and what == "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name):
                return "ignored", reason
        return None

    def _query(self, statement: str, *values: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(statement, values).fetchall()

    def _processor(self) -> float:
        times = self._about.cpu_times()
        return times.user + times.system + times.children_user + times.children_system

    def _resident(self) -> int:
        return int(self._about.memory_info().rss)

    def _peak(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def _forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


def costs(folder: Path) -> Iterator[Cost]:
    """Run the service in an empty folder, drop all files, and yield what each cost.

    Fails when a good file does not land, or the service says that something broke.
    """
    outside = write(folder / "outside.md", a_seed(title="Outside the folder"))
    (folder / "seeds").mkdir()
    with started("up", cwd=folder, env=ENV) as process:
        process.wait_for("Ctrl-C stops")
        trial = Trial(folder, process)
        trial._good()  # what a first file costs is not the hostile one's
        for hostile in hostile_files(outside):
            yield trial.drop(hostile)
        process.stop()
        assert process.exit_code == 0
        assert "Traceback" not in process.output
        assert not trial._query("SELECT 1 FROM documents WHERE title = 'Outside the folder'")


def main() -> int:
    table = Table(
        "file", "fate", "CPU s", "MiB", "good s", "reason", title="What hostile files cost"
    )
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for cost in costs(Path(folder)):
            fine = cost.within_bar and cost.fate == cost.expected
            broken += not fine
            table.add_row(
                cost.name,
                cost.fate,
                f"{cost.cpu_seconds:.2f}",
                f"{cost.memory_mib:.0f}",
                f"{cost.good_seconds:.2f}",
                cost.reason.encode(errors="replace").decode()[:70],
                style=None if fine else "red",
            )
    table.caption = f"{table.row_count} files, {broken} outside the bar"
    Console(width=150).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
