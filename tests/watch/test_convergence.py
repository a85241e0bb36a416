"""The library converges to the folder after any changes, in any order and at any speed."""

from __future__ import annotations

import random
import shutil
import time
from contextlib import suppress

import pytest
from support.seeds import a_seed

from worker.settings.model import BrakeSettings

NAMES = ["a.md", "b.md", "c.txt", "d.md~", ".e.md", "note.txt"]
FOLDERS = ["", "x", "x/y", "z", "z/.hidden"]


class Hands:
    """Does random things to a folder, as many tools at once would."""

    def __init__(self, seeds, seed):
        self.seeds = seeds
        self.random = random.Random(seed)
        self.count = 0

    def path(self):
        return self.seeds / self.random.choice(FOLDERS) / self.random.choice(NAMES)

    def text(self):
        self.count += 1
        return a_seed(title=f"Page {self.count}")

    def write(self):
        path = self.path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text())

    def write_slowly(self):
        path = self.path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            for line in self.text().splitlines(keepends=True):
                file.write(line)
                file.flush()

    def append(self):
        with self.path().open("r+") as file:  # one that is there: a new text would be a plain note
            file.seek(0, 2)
            file.write("More.\n")

    def save_by_rename(self):
        path = self.path()
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(self.text())
        temporary.replace(path)

    def rename(self):
        self.path().replace(self.path())

    def copy(self):
        shutil.copy2(self.path(), self.path())

    def delete(self):
        self.path().unlink()

    def link(self):
        self.path().symlink_to(self.path())

    def delete_folder(self):
        shutil.rmtree(self.seeds / self.random.choice(FOLDERS[1:]))

    def move_folder(self):
        source, target = self.random.sample(FOLDERS[1:], 2)
        (self.seeds / source).rename(self.seeds / target)

    def do(self):
        common = [self.write, self.save_by_rename, self.rename, self.append, self.write_slowly]
        rare = [self.copy, self.delete, self.link, self.delete_folder, self.move_folder]
        with suppress(OSError, shutil.SameFileError):  # what is not possible at the moment
            self.random.choice(common * 2 + rare)()


@pytest.mark.parametrize("seed", range(6))
def test_the_library_converges_to_the_folder(watch, seed):
    watching = watch(brake=BrakeSettings(share=1, count=10_000))
    hands = Hands(watching.seeds, seed)
    for number in range(300):
        hands.do()
        if number % 10 == seed:
            time.sleep(hands.random.choice([0, 0.001, 0.02, 0.1]))
    watching.settles()
    for _ in range(5):
        hands.do()
        watching.settles()


def test_the_library_converges_despite_lost_messages_and_broker_outages(
    watch, library, monkeypatch
):
    monkeypatch.setattr("worker.watch.in_flight.IN_FLIGHT_SECONDS", 0.3)
    watching = watch(brake=BrakeSettings(share=1, count=10_000), scan_seconds=0.2)
    hands = Hands(watching.seeds, 7)
    for number in range(300):
        hands.do()
        if number % 20 == 0:
            library.broker_is_away = hands.random.random() < 0.3
            library.loses_messages = hands.random.random() < 0.3
            time.sleep(0.02)
    library.broker_is_away = library.loses_messages = False
    watching.settles()
