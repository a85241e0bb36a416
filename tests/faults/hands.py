"""Hands that do random things to a library, as a team with many tools at once would.

Everything comes from one seed, so that a run can be repeated. Which contents are refused is said
here; whether the service did so is asked by `deployment.py`.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from support.seeds import BODY, a_seed

NAMES = tuple(f"{letter}.md" for letter in "abcdefghij")
FOLDERS = ("", "x", "x/y", "z")
#: What the service refuses, for this word in the front matter.
WRONG_WORD = "quaterly"
OPERATIONS_A_SECOND = 25


def is_refused(data: bytes) -> bool:
    """Return whether the service has to refuse this content, of those that hands write."""
    return f"reviewFrequency: {WRONG_WORD}".encode() in data


class Hands:
    """Operations on one seeds folder, drawn at random."""

    def __init__(
        self,
        seeds: Path,
        seed: int,
        *,
        names: tuple[str, ...] = NAMES,
        pace: float = OPERATIONS_A_SECOND,
    ) -> None:
        self.seeds = seeds
        self.random = random.Random(seed)
        self.names = names
        self.pace = pace
        self.most = math.inf
        self.done = 0
        self.log: list[str] = []

    def work(self, seconds: float) -> None:
        """Do things for a while, at the pace of many people, as long as there is something to do."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.finished:
            self.do()
            time.sleep(self.random.uniform(0, 2 / self.pace))

    @property
    def finished(self) -> bool:
        """Return whether all operations are done."""
        return self.done >= self.most

    def do(self) -> None:
        """Do one thing."""
        common = [self.write, self.rewrite, self.replace, self.refuse, self.fix, self.rename]
        rare = [self.delete, self.copy, self.touch, self.retract, self.move_folder, self.append]
        what: Callable[[], None] = self.random.choice(common * 2 + rare)
        with suppress(OSError, shutil.SameFileError):  # what is not possible at the moment
            what()
            self.done += 1

    def write(self) -> None:
        self._write(self._any(), self.text())

    def rewrite(self) -> None:
        """Write in place, slowly: half a file is there for a moment."""
        path, text = self._there(), self.text()
        with path.open("w") as file:
            file.write(text[: len(text) // 2])
            file.flush()
            time.sleep(self.random.choice([0, 0.005]))
            file.write(text[len(text) // 2 :])

    def replace(self) -> None:
        """Save as careful editors do: another file, renamed over the old one."""
        path = self._any()
        temporary = path.with_name(f".{path.name}.tmp")
        self._write(temporary, self.text())
        temporary.replace(path)

    def refuse(self) -> None:
        self._write(self._any(), self.text(reviewFrequency=WRONG_WORD))

    def fix(self) -> None:
        wrong = [path for path in self._files() if is_refused(path.read_bytes())]
        if wrong:
            self._write(self.random.choice(wrong), self.text())

    def retract(self) -> None:
        self._write(self._there(), self.text(status="deprecated"))

    def append(self) -> None:
        with self._there().open("a") as file:
            file.write(f"More of it, the {self.done}th time.\n")

    def rename(self) -> None:
        self._there().replace(self._any())

    def copy(self) -> None:
        shutil.copy2(self._there(), self._any())

    def touch(self) -> None:
        os.utime(self._there())

    def delete(self) -> None:
        self._there().unlink()

    def move_folder(self) -> None:
        source, target = self.random.sample(FOLDERS[1:], 2)
        (self.seeds / source).rename(self.seeds / target)

    def text(self, **fields: str) -> str:
        """Return a page unlike any before."""
        title = f"Page {self.random.getrandbits(40):x}"
        return a_seed(title=title, body=f"{BODY}\nThis is {title}.\n", **fields)

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _any(self) -> Path:
        return self.seeds / self.random.choice(FOLDERS) / self.random.choice(self.names)

    def _there(self) -> Path:
        files = self._files()
        return self.random.choice(files) if files else self._any()

    def _files(self) -> list[Path]:
        return sorted(path for path in self.seeds.rglob("*.md") if not path.name.startswith("."))
