"""What counts as a load, and what as an edit, while many files come at once."""

from __future__ import annotations

import math
import time
from functools import partial

from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.folder.known import KnownFiles
from worker.run.processes import EMBEDDED_CONCURRENCY, _sparing_a_thread
from worker.run.worker_process import in_order
from worker.settings.model import WatchSettings, load_settings
from worker.watch.backlog import Backlog
from worker.watch.ignore import seed_names
from worker.watch.intake import Load
from worker.watch.scan import Survey, walk


def queues_of(library, paths):
    return [taken.queue for path in paths for taken in library.of(path)]


def test_an_edit_of_a_known_page_is_live_during_a_load(watch, library, seeds, page):
    write(seeds / "known.md", page)
    watching = watch()
    beside = write(seeds.parent / "beside.md", a_seed(title="Edited"))
    for number in range(300):
        write(seeds / "load" / f"{number}.md", a_seed(title=f"Page {number}"))
    beside.replace(seeds / "known.md")
    watching.settles()
    assert library.of("known.md")[-1].queue == "live"


def test_a_few_new_files_are_live_and_the_rest_of_many_is_a_load(
    watching, library, seeds, monkeypatch
):
    arrivals = watching.watcher._intake._arrivals
    # All of one second, however slow the machine is.
    monkeypatch.setattr(arrivals, "admits", lambda _at: Load.admits(arrivals, 0.0))
    paths = [f"{number}.md" for number in range(60)]
    for path in paths:
        write(seeds / path, a_seed(title=path))
    watching.settles()
    queues = queues_of(library, paths)
    assert 0 < queues.count("live") <= 16
    assert queues.count("bulk") >= 44


def test_edits_are_batched_while_workers_lag(watching, library, seeds):
    paths = [f"{number}.md" for number in range(40)]
    for path in paths:
        write(seeds / path, a_seed(title=path))
    watching.settles()
    library.batches.clear()
    library.consumes = False
    most = 16  # four times what may wait of a load
    gathered = watching.watcher._intake.backlog.changed

    def is_taken(path):
        return path in gathered or any(path in batch.paths for batch, _ in library._waiting)

    for path in paths:
        write(seeds / path, a_seed(title=f"{path}, edited"))
        wait_until(partial(is_taken, path))
    assert len(library._waiting) == most
    library.consumes = True
    library.consume()
    watching.settles()
    assert {t.queue for path in paths for t in library.of(path)[-1:]} == {"live"}
    assert len(library.batches) < len(paths)


def test_a_load_lasts_until_a_second_has_fewer_files():
    load = Load(2)
    first = [load.admits(at) for at in (0.0, 0.1, 0.2)]
    second = [load.admits(at) for at in (1.0, 1.1, 1.2)]
    calm = [load.admits(2.0)]
    third = [load.admits(3.0)]
    assert (first, second, calm, third) == ([True, True, False], [False] * 3, [False], [True])


def test_a_load_is_over_after_a_second_without_a_file():
    load = Load(2)
    assert [load.admits(at) for at in (0.0, 0.1, 0.2, 2.5)] == [True, True, False, True]


def test_a_waiting_new_file_is_distinguished_from_one_that_has_grown():
    backlog = Backlog()
    backlog.add_new("a.md", 10)
    waits = [backlog.awaits("a.md", 10), backlog.awaits("a.md", 11), backlog.awaits("b.md", 10)]
    backlog.next_new()
    assert [*waits, backlog.awaits("a.md", 10)] == [True, False, False, False]


def test_a_scan_keeps_nothing_of_a_file_in_the_queue(seeds):
    for name in ("waits.md", "new.md", "note.txt"):
        write(seeds / name, "some text\n")
    survey = Survey(
        walk(seed_names(seeds, WatchSettings())),
        KnownFiles(),
        awaits=lambda path, size: (path, size) == ("waits.md", len("some text\n")),
        notes=["note.txt", "gone.txt"],
    )
    assert survey.step(time.monotonic, math.inf)
    assert sorted(seen[0] for seen in survey.difference.new) == ["new.md", "note.txt"]
    assert survey.unseen_notes == {"gone.txt"}


def test_a_load_in_one_process_leaves_a_thread_for_live_edits():
    assert _sparing_a_thread(load_settings()).intake.max_batches < EMBEDDED_CONCURRENCY


def test_a_worker_reads_edits_then_messages_then_loads_in_any_queue_order():
    assert in_order(("bulk", "notices", "live")) == ["live", "notices", "bulk"]
    assert in_order(("bulk", "live")) == ["live", "bulk"]
