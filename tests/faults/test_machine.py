"""Any operations on files, any faults, in any order: in the end the store equals the folder.

A real watcher over a real folder, and the real intake over SQLite; between them a queue that loses,
repeats and reorders as brokers and killed workers do. The model is a dictionary. Sequences that once
failed are kept below as tests of their own.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy import text
from support.seeds import BODY, a_seed
from support.waiting import wait_until

from worker.domain.folder.snapshot import Batch
from worker.ingest.outcomes import WAITING
from worker.library.services import Services
from worker.run.tasks import WAIT_SECONDS
from worker.settings.model import BrakeSettings, IntakeSettings, WatchSettings, load_settings
from worker.store.migrate import migrate
from worker.watch import in_flight
from worker.watch.settle import Hint, HintKind
from worker.watch.watcher import Watcher

FOLDERS = ("", "x/", "x/y/", "z/")
PATHS = st.sampled_from([f"{folder}{name}.md" for folder in FOLDERS for name in "abc"])
INDEXES = st.integers(min_value=0, max_value=50)
MOMENT_SECONDS = 0.04
#: A page that nobody touches: the folder is never empty, which would be held for a person.
STAYS = "stays.md"


def now():
    return datetime.now(UTC)


class Service:
    """A watcher in a thread, a store, and a queue between them that is worked off by hand."""

    def __init__(self, folder: Path) -> None:
        self.seeds = folder / "seeds"
        self.seeds.mkdir()
        (self.seeds / STAYS).write_text(a_seed(title="This page stays"))
        self.settings = load_settings(
            seeds=self.seeds,
            store_url=f"sqlite:///{folder}/store.db",
            watch=WatchSettings(still_ms=20, removal_ms=60, scan_seconds=0.2),
            brake=BrakeSettings(share=1, count=10_000),
            intake=IntakeSettings(batch_files=8),
        )
        self.services = Services(self.settings, now=now)
        migrate(self.services.store)
        self.queue: list[Batch] = []
        self.waited: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        self.stop_watching = threading.Event()
        self.watcher = Watcher(
            settings=self.settings,
            record=self.services,
            spool=self.services.spool,
            publish=lambda batch, _lane: self.queue.append(Batch.from_json(batch.as_json())),
            now=now,
            monotonic=time.monotonic,
        )
        self.thread = threading.Thread(target=self.watcher.run, args=(self.stop_watching,))
        self.thread.start()

    def kill_watcher(self) -> None:
        """End the watcher; what it has read and not sent is lost, as with its memory."""
        self.watcher._feed.flush = lambda *_lanes: None
        self.stop_watching.set()
        self.watcher._events._signals.put(Hint(kind=HintKind.CLOSED, path=".wake"))
        self.thread.join()

    def await_message(self) -> None:
        """Wait a moment for a message: a fault with nothing under way is none."""
        until = time.monotonic() + MOMENT_SECONDS
        while not self.queue and time.monotonic() < until:
            time.sleep(0.001)

    def take(self, index: int, *, dies: bool = False) -> None:
        """Let a worker take in one message; it may die after the commit and before it says so."""
        self.await_message()
        if self.queue:
            batch = self.queue.pop(index % len(self.queue))
            data = self.services.spool.get(batch.id)
            if dies and data is not None:
                self.services.take_in_bytes(batch, data)
                self.queue.append(batch)
            else:
                self._take_in(batch)

    def _take_in(self, batch: Batch) -> None:
        """Ingest a batch; what waits comes again, as often as a task tries."""
        tried = self.waited.get(batch.id, 0)
        outcomes = self.services.take_in(batch, patient=tried < len(WAIT_SECONDS))
        if all(outcome.kind != WAITING for outcome in outcomes):
            return
        self.waited[batch.id] = tried + 1
        if tried < len(WAIT_SECONDS):
            self.queue.append(batch)
        else:
            self.services.spool.drop(batch.id)

    def close(self) -> None:
        self.kill_watcher()
        self.services.close()

    def rows(self, statement: str) -> list:
        with self.services.store.read() as connection:
            return list(connection.execute(text(statement)))


class FolderMachine(RuleBasedStateMachine):
    """The service, and a model of what its folder holds."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.mkdtemp(prefix="content-sync-machine-")
        self.service = Service(Path(self.scratch))
        self.files: dict[str, bytes] = {}
        self.wrong: set[bytes] = set()
        self.count = 0

    # What people do.

    @rule(path=PATHS)
    def write(self, path):
        self._write(path, self._page())

    @rule(path=PATHS)
    def replace(self, path):
        data = self._page()
        there = self._place(path)
        temporary = there.with_name(f".{there.name}.tmp")
        temporary.write_bytes(data)
        temporary.replace(there)
        self.files[path] = data

    @precondition(lambda self: self.files)
    @rule(index=INDEXES)
    def rewrite_in_place(self, index):
        path, data = self._one(index), self._page()
        with (self.service.seeds / path).open("wb") as file:
            file.write(data[:200])
            file.flush()
            time.sleep(0.002)
            file.write(data[200:])
        self.files[path] = data

    @rule(path=PATHS)
    def refuse(self, path):
        data = self._page(reviewFrequency="quaterly")
        self.wrong.add(data)
        self._write(path, data)

    @precondition(lambda self: self.wrong & set(self.files.values()))
    @rule(index=INDEXES)
    def fix(self, index):
        wrong = sorted(path for path, data in self.files.items() if data in self.wrong)
        self._write(wrong[index % len(wrong)], self._page())

    @precondition(lambda self: self.files)
    @rule(index=INDEXES, to=PATHS)
    def rename(self, index, to):
        path = self._one(index)
        if path != to:
            (self.service.seeds / path).rename(self._place(to))
            self.files[to] = self.files.pop(path)

    @precondition(lambda self: self.files)
    @rule(index=INDEXES, to=PATHS)
    def copy(self, index, to):
        path = self._one(index)
        if path != to:
            shutil.copy2(self.service.seeds / path, self._place(to))
            self.files[to] = self.files[path]

    @rule(source=st.sampled_from(("x", "z", "x/y")), to=st.sampled_from(("x", "z", "w", "z/y")))
    def move_folder(self, source, to):
        old, new = self.service.seeds / source, self.service.seeds / to
        if to.startswith(source) or not old.is_dir() or new.exists() or not new.parent.is_dir():
            return
        old.rename(new)
        for path in list(self.files):
            if path.startswith(f"{source}/"):
                moved = to + path.removeprefix(source)
                self.files[moved] = self.files.pop(path)

    @precondition(lambda self: self.files)
    @rule(index=INDEXES)
    def delete(self, index):
        path = self._one(index)
        (self.service.seeds / path).unlink()
        del self.files[path]

    @precondition(lambda self: self.files)
    @rule(index=INDEXES)
    def touch(self, index):
        (self.service.seeds / self._one(index)).touch()

    # What passes, and what fails.

    @rule(milliseconds=st.sampled_from((5, 30, 120)))
    def wait(self, milliseconds):
        time.sleep(milliseconds / 1000)

    @rule()
    def work(self):
        self.service.take(0)

    @rule(index=INDEXES)
    def work_out_of_order(self, index):
        self.service.take(index)

    @rule()
    def kill_worker_after_its_commit(self):
        self.service.take(0, dies=True)

    @rule()
    def kill_worker_before_its_commit(self):
        self.service.await_message()
        self.service.queue[:1] = []

    @rule()
    def kill_watcher(self):
        self.service.kill_watcher()
        self.service.start()

    @rule()
    def flush_broker(self):
        self.service.await_message()
        self.service.queue.clear()
        for batch_id in list(self.service.services.spool._batches):
            self.service.services.spool.drop(batch_id)

    # What has to hold.

    def settles(self):
        def equal():
            for _ in range(len(self.service.queue)):
                self.service.take(0)
            return self._differences() == []

        wait_until(equal, what="the store to be what the folder is")

    def teardown(self):
        try:
            self.settles()
            doubled = self.service.rows(
                "SELECT a.path, b.number FROM versions a JOIN versions b ON b.number = a.number + 1"
                " AND b.document_id = a.document_id AND b.sha256 = a.sha256"
            )
            assert doubled == []
            refused = {hashlib.sha256(data).hexdigest() for data in self.wrong}
            stored = {row.sha256 for row in self.service.rows("SELECT sha256 FROM versions")}
            assert not refused & stored
        except BaseException as error:
            error.add_note(f"differences: {self._differences()}")
            raise
        finally:
            self.service.close()
            shutil.rmtree(self.scratch)

    def _differences(self) -> list[str]:
        documents = self.service.rows("SELECT path, sha256 FROM documents WHERE state = 'live'")
        live = {row.path: row.sha256 for row in documents}
        refused = dict(
            map(tuple, self.service.rows("SELECT path, sha256 FROM paths WHERE state = 'refused'"))
        )
        found = []
        for path, data in self.files.items():
            sha256 = hashlib.sha256(data).hexdigest()
            if data in self.wrong:
                good = refused.get(path) == sha256
            else:
                good = live.get(path) == sha256 and path not in refused
            found += [] if good else [f"{path} is not as it is in the folder"]
        gone = (live.keys() | refused.keys()) - self.files.keys() - {STAYS}
        return found + [f"{path} is gone from the folder" for path in gone]

    def _page(self, **fields) -> bytes:
        self.count += 1
        title = f"Page {self.count}"
        return a_seed(title=title, body=f"{BODY}\nThis is {title}.\n", **fields).encode()

    def _place(self, path: str) -> Path:
        place = self.service.seeds / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _write(self, path: str, data: bytes) -> None:
        self._place(path).write_bytes(data)
        self.files[path] = data

    def _one(self, index: int) -> str:
        return sorted(self.files)[index % len(self.files)]


#: Sequences that failed once, or while the code was broken on purpose; add those that Hypothesis finds.
KEPT = [
    # A message about a refused page is lost, and nobody touches that page again.
    [("refuse", {"path": "x/y/b.md"}), ("kill_worker_before_its_commit", {})],
    [("write", {"path": "a.md"}), ("work", {}), ("refuse", {"path": "a.md"}), ("flush_broker", {})],
    [
        ("write", {"path": "x/a.md"}),
        ("work", {}),
        ("move_folder", {"source": "x", "to": "w"}),
        ("kill_worker_after_its_commit", {}),
        ("rename", {"index": 0, "to": "z/a.md"}),
        ("kill_watcher", {}),
    ],
]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("steps", KEPT)
def test_reported_failures_do_not_happen_again(steps):
    machine = FolderMachine()
    try:
        for name, arguments in steps:
            getattr(machine, name)(**arguments)
    finally:
        machine.teardown()


TestFolder = FolderMachine.TestCase
TestFolder.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    # Each run takes as long as a service needs: a failure is reported without shrinking it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestFolder.pytestmark = [pytest.mark.usefixtures("_impatient")]


@pytest.fixture(scope="module")
def _impatient():
    """Let lost messages be missed after a moment."""
    patch = pytest.MonkeyPatch()
    patch.setattr(in_flight, "IN_FLIGHT_SECONDS", 0.3)
    yield
    patch.undo()
