"""Files that are renamed and edited keep their history, and no two documents become one."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from support.programs import run, started
from support.seeds import a_seed, write
from support.stored import Library, a_library
from support.waiting import wait_until

from worker.domain.folder.decide import RETIRED_WITH_MICROSECONDS
from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Source
from worker.domain.seeds import codes
from worker.ingest.outcomes import Outcome
from worker.library.opened import open_services
from worker.library.services import Services
from worker.run.sync import sync_folder
from worker.settings.model import load_settings
from worker.store.library import events_after
from worker.store.schema import documents, versions


def lines(number: int, edits: int = 0) -> str:
    """Return a page's body of 20 lines that no other page has, some of them edited."""
    return "\n" + "".join(
        f"Page {number} says in line {line}{' anew' if line < edits else ''} what it has to.\n\n"
        for line in range(20)
    )


def page(number: int, edits: int = 0, **fields: Any) -> str:
    return a_seed(**{"title": f"Page {number}", "body": lines(number, edits)} | fields)


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def seen(library: Library, path: str, text: str, *candidates: str) -> tuple[Snapshot, bytes]:
    data = text.encode()
    sources = tuple(map(library.source, candidates))
    return replace(library.snapshot(path, data), candidates=sources), data


def take_in(
    library: Library, *items: tuple[Snapshot, bytes], removals: tuple[Removal, ...] = ()
) -> dict[str, Outcome]:
    snapshots = tuple(snapshot for snapshot, _ in items)
    data = b"".join(data for _, data in items)
    return {o.path: o for o in library.take_in_batch(snapshots, data, removals=removals)}


def live_paths(library: Library) -> list[str]:
    rows = library.services.list_documents(None)
    return [row["path"] for row in rows if row["state"] == "live"]


def numbers(library: Library, path: str) -> list[int]:
    """Return the numbers of the versions of the live document at a path."""
    return [number for _, number in live_versions(library.services)[path]]


def live_versions(services: Services) -> dict[str, list[tuple[int, int]]]:
    """Return for each live path its document's id with the number of each version."""
    d, v = documents.c, versions.c
    found: dict[str, list[tuple[int, int]]] = {}
    with services.store.read() as connection:
        for path, *version in connection.execute(
            select(d.path, d.id, v.number)
            .join(versions, v.document_id == d.id)
            .where(d.state == "live")
            .order_by(d.path, v.number)
        ):
            found.setdefault(path, []).append((version[0], version[1]))
    return found


def test_a_file_renamed_and_edited_moves_and_stores_its_next_version(library: Library):
    library.drop("old.md", page(1))
    outcome = take_in(library, seen(library, "new.md", page(1, edits=2), "old.md"))["new.md"]

    assert (outcome.kind, outcome.number, outcome.moved_from) == ("moved", 2, "old.md")
    assert [row["path"] for row in library.services.list_documents(None)] == ["new.md"]
    assert numbers(library, "new.md") == [1, 2]
    assert library.kinds() == ["version.stored", "document.moved", "version.stored"]
    with library.store.read() as connection:
        moved = events_after(connection, 0, 10)[1]
    assert moved.data == {"moved_from": "old.md", "similarity": 0.9}


def test_a_file_renamed_with_other_metadata_alone_is_a_metadata_version(library: Library):
    library.drop("old.md", page(1))
    outcome = take_in(library, seen(library, "new.md", page(1, owner="Asha"), "old.md"))["new.md"]

    assert outcome.kind == "moved"
    assert outcome.change is not None
    assert outcome.change.kind == "metadata"
    assert outcome.change.fields[0].new == "Asha"


def test_a_candidate_with_the_same_content_moves_without_a_new_version(library: Library):
    library.drop("old.md", page(1))
    text = page(1).replace("\n", "\r\n")
    outcome = take_in(library, seen(library, "new.md", text, "old.md"))["new.md"]

    assert (outcome.kind, outcome.number, outcome.change) == ("moved", 1, None)
    assert numbers(library, "new.md") == [1]


def test_a_file_that_is_not_similar_is_new_and_the_old_one_is_retired_by_its_removal(
    library: Library,
):
    library.drop("old.md", page(1))
    assert take_in(library, seen(library, "new.md", page(2), "old.md"))["new.md"].kind == "new"
    assert live_paths(library) == ["new.md", "old.md"]
    library.remove("old.md")
    assert live_paths(library) == ["new.md"]
    assert library.document("old.md")["state"] == "retired"


def test_the_removal_of_a_path_that_moved_changes_nothing(library: Library):
    library.drop("old.md", page(1))
    take_in(library, seen(library, "new.md", page(1, edits=2), "old.md"))

    assert library.remove("old.md")[0].kind == "stale"
    assert live_paths(library) == ["new.md"]


@pytest.mark.parametrize("removal_is_seen_first", [False, True])
def test_a_removal_ingested_before_the_new_file_does_not_end_the_history(
    library: Library, *, removal_is_seen_first: bool
):
    library.drop("old.md", page(1))
    new = page(1, edits=2)
    if removal_is_seen_first:
        library.remove("old.md")
        item = seen(library, "new.md", new, "old.md")
    else:
        item = seen(library, "new.md", new, "old.md")
        library.remove("old.md")

    assert take_in(library, item)["new.md"].kind == "moved"
    assert numbers(library, "new.md") == [1, 2]
    assert live_paths(library) == ["new.md"]
    assert library.kinds()[-3:] == ["document.moved", "document.revived", "version.stored"]


def test_a_removal_beside_the_new_file_does_not_end_the_history(library: Library):
    library.drop("old.md", page(1))
    item = seen(library, "new.md", page(1, edits=2), "old.md")
    removal = Removal(path="old.md", observed=next(library.observed))

    assert take_in(library, item, removals=(removal,))["new.md"].kind == "moved"
    assert live_paths(library) == ["new.md"]


def test_a_document_retired_long_ago_stays_retired(library: Library):
    library.drop("old.md", page(1))
    library.remove("old.md")
    snapshot, data = seen(library, "new.md", page(1, edits=2), "old.md")
    later = replace(snapshot, observed=snapshot.observed + RETIRED_WITH_MICROSECONDS)

    assert take_in(library, (later, data))["new.md"].kind == "new"
    assert library.document("old.md")["state"] == "retired"


def test_a_document_whose_file_came_back_does_not_move(library: Library):
    library.drop("old.md", page(1))
    item = seen(library, "new.md", page(1, edits=2), "old.md")
    library.drop("old.md", page(1, edits=1))

    assert take_in(library, item)["new.md"].kind == "new"
    assert live_paths(library) == ["new.md", "old.md"]


def test_a_document_whose_file_came_back_refused_does_not_move(library: Library):
    library.drop("old.md", page(1))
    item = seen(library, "new.md", page(1, edits=2), "old.md")
    library.drop("old.md", "broken")

    assert take_in(library, item)["new.md"].kind == "new"
    assert live_paths(library) == ["new.md", "old.md"]


def test_a_document_whose_file_came_back_does_not_move_by_equal_bytes_either(library: Library):
    library.drop("old.md", page(1))
    data = page(1).encode()
    snapshot = library.snapshot("new.md", data, moved_from="old.md")
    library.drop("old.md", page(1))
    library.take_in_batch((snapshot,), data)

    assert live_paths(library) == ["new.md", "old.md"]


def test_a_document_whose_path_is_in_the_same_batch_does_not_move(library: Library):
    library.drop("old.md", page(1))
    outcomes = take_in(
        library,
        seen(library, "new.md", page(1, edits=2), "old.md"),
        seen(library, "old.md", page(1, edits=1)),
    )

    assert {path: o.kind for path, o in outcomes.items()} == {"new.md": "new", "old.md": "changed"}


def test_an_exact_move_comes_before_a_similar_one(library: Library):
    library.drop("old.md", page(1))
    exact = page(1).encode()
    moved = library.snapshot("z.md", exact, moved_from="old.md")
    outcomes = take_in(library, seen(library, "a.md", page(1, edits=1), "old.md"), (moved, exact))

    assert {path: o.kind for path, o in outcomes.items()} == {"a.md": "new", "z.md": "moved"}


def test_the_more_similar_of_two_new_files_takes_the_document(library: Library):
    library.drop("old.md", page(1))
    outcomes = take_in(
        library,
        seen(library, "a.md", page(1, edits=5), "old.md"),
        seen(library, "b.md", page(1, edits=1), "old.md"),
    )

    assert {path: o.kind for path, o in outcomes.items()} == {"a.md": "new", "b.md": "moved"}


def test_a_candidate_is_used_once_in_two_batches_too(library: Library):
    library.drop("old.md", page(1))
    first = seen(library, "a.md", page(1, edits=1), "old.md")
    second = seen(library, "b.md", page(1, edits=2), "old.md")

    assert take_in(library, first)["a.md"].kind == "moved"
    assert take_in(library, second)["b.md"].kind == "new"
    assert take_in(library, first)["a.md"].kind == "stale"
    assert live_paths(library) == ["a.md", "b.md"]


def test_concurrent_workers_use_each_document_once(library: Library):
    olds = [f"old/{number}.md" for number in range(16)]
    for number, path in enumerate(olds):
        library.drop(path, page(number))
    items = [
        seen(library, f"new/{number}-{copy}.md", page(number, edits=copy), *olds)
        for number in range(16)
        for copy in (1, 2)
    ]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(take_in, library, item) for item in items * 2]
        kinds = Counter(outcome.kind for job in jobs for outcome in job.result().values())

    assert kinds == {"moved": 16, "new": 16, "stale": 32}
    assert len(live_paths(library)) == 32
    ids = [rows[0][0] for rows in live_versions(library.services).values()]
    assert len(set(ids)) == 32


def test_a_renamed_file_is_compared_with_its_previous_version(library: Library):
    long = "A paragraph that says more than all the rest of the page. " * 100 + "\n"
    library.drop("old.md", page(1, body=lines(1) + long, lastReviewed="2026-10-01"))
    shrunk = page(1, lastReviewed="2026-10-01")
    outcome = take_in(library, seen(library, "new.md", shrunk, "old.md"))["new.md"]

    assert (outcome.kind, outcome.problems[-1].code) == ("refused", codes.BODY_SHRANK)
    assert live_paths(library) == ["new.md"], "the last good version moves"
    fixed = page(1, body=lines(1, edits=1) + long, lastReviewed="2026-01-15")
    outcome = take_in(library, seen(library, "new.md", fixed))["new.md"]
    assert (outcome.kind, outcome.number) == ("changed", 2)
    assert codes.EARLIER_REVIEW in {problem.code for problem in outcome.problems}
    assert library.services.list_refusals() == []


@pytest.mark.parametrize("broken", ["status", "yaml"])
def test_a_file_renamed_with_an_error_keeps_its_last_good_version_at_the_new_path(
    library: Library, broken: str
):
    library.drop("old.md", page(1))
    text = page(1, edits=1, status="actve")
    if broken == "yaml":
        text = page(1, edits=1).replace("title: Page", "title: [Page")
    outcomes = take_in(library, seen(library, "new.md", text, "old.md"))

    assert {path: o.kind for path, o in outcomes.items()} == {"new.md": "refused"}
    assert live_paths(library) == ["new.md"]
    assert [r["path"] for r in library.services.list_refusals()] == ["new.md"]
    assert library.kinds() == ["version.stored", "document.moved", "seed.refused"]


def test_a_refusal_at_the_old_path_ends_with_the_move(library: Library):
    library.drop("old.md", page(1))
    library.drop("old.md", "broken")
    assert take_in(library, seen(library, "new.md", page(1, edits=1), "old.md"))["new.md"].kind == (
        "moved"
    )
    assert library.services.list_refusals() == []
    assert set(library.services.known_files()) == {"new.md"}


def test_a_batch_names_the_paths_that_its_files_may_continue(library: Library):
    plain, _ = seen(library, "a.md", page(1))
    asking, _ = seen(library, "b.md", page(2), "old.md")
    message = json.loads(json.dumps(Batch(id="2", snapshots=(plain, asking)).as_json()))
    assert Batch.from_json(message).snapshots == (plain, asking)
    assert Batch.from_json(message).paths == ["a.md", "b.md", "old.md"]


def test_two_pages_that_swap_their_names_keep_their_histories(library: Library):
    texts = {"a.md": page(1), "b.md": page(2)}
    library.take_in(texts)
    library.drop("a.md", page(1, edits=2))
    before = live_versions(library.services)
    sources = {path: library.source(path) for path in texts}
    a, b = page(2).encode(), page(1, edits=2).encode()
    swapped = (
        replace(library.snapshot("a.md", a), moved_from=sources["b.md"]),
        replace(library.snapshot("b.md", b), moved_from=sources["a.md"]),
    )
    outcomes = library.take_in_batch(swapped, a + b)

    assert [(o.path, o.kind, o.number) for o in outcomes] == [
        ("a.md", "moved", 1),
        ("b.md", "moved", 2),
    ]
    after = live_versions(library.services)
    assert (after["a.md"], after["b.md"]) == (before["b.md"], before["a.md"])
    assert library.kinds()[-2:] == ["document.moved"] * 2, "none of them retired"


def test_a_page_takes_the_place_of_one_that_moves_on_in_the_same_batch(library: Library):
    library.take_in({"a.md": page(1), "b.md": page(2)})
    before = live_versions(library.services)
    sources = {path: library.source(path) for path in ("a.md", "b.md")}
    b, c = page(1).encode(), page(2).encode()
    library.take_in_batch(
        (
            replace(library.snapshot("b.md", b), moved_from=sources["a.md"]),
            replace(library.snapshot("c.md", c), moved_from=sources["b.md"]),
        ),
        b + c,
    )
    after = live_versions(library.services)
    assert after == {"b.md": before["a.md"], "c.md": before["b.md"]}


def test_a_move_waits_for_the_edit_before_it(library: Library):
    library.drop("a.md", page(1))
    edited = page(1, edits=2).encode()
    edit = library.snapshot("a.md", edited)
    named = Source("a.md", edit.observed)
    move = replace(library.snapshot("b.md", edited), moved_from=named)

    assert library.take_in_batch((move,), edited)[0].kind == "waiting"
    assert live_paths(library) == ["a.md"]
    library.take_in_batch((edit,), edited)
    assert library.take_in_batch((move,), edited)[0].kind == "moved"
    assert numbers(library, "b.md") == [1, 2]


def test_a_new_file_waits_for_what_is_known_of_its_candidates_until_that_counts_as_lost(
    library: Library,
):
    snapshot, data = seen(library, "new.md", page(1))
    waiting = replace(snapshot, candidates=(Source("never-stored.md", snapshot.observed - 1),))
    batch = Batch(id="1", snapshots=(waiting,))

    assert library.services.take_in_bytes(batch, data)[0].kind == "waiting"
    assert library.services.take_in_bytes(batch, data, patient=False)[0].kind == "new"


def test_a_removal_waits_for_a_live_edit_until_that_counts_as_lost(library: Library):
    library.drop("a.md", page(1))
    edit = library.snapshot("a.md", page(2).encode())
    number = next(library.observed)
    removal = Removal(path="a.md", observed=number, after=edit.observed)
    batch = Batch(id="1", removals=(removal,))

    assert library.services.take_in_bytes(batch, b"")[0].kind == "waiting"
    assert library.services.take_in_bytes(batch, b"", patient=False)[0].kind == "retired"


def test_a_page_deleted_and_written_anew_is_not_compared_across_its_retirement(library: Library):
    long = "A paragraph that says more than all the rest of the page. " * 100 + "\n"
    library.drop("faq.md", page(1, body=lines(1) + long))
    library.remove("faq.md")
    library.drop("faq-new.md", page(1))
    outcome = library.move("faq-new.md", "faq.md", page(1))[0]

    assert outcome.kind == "moved"
    assert live_paths(library) == ["faq.md"]
    assert library.services.list_refusals() == []


def test_a_refused_file_that_is_renamed_stays_refused_and_its_document_live(library: Library):
    long = "A paragraph that says more than all the rest of the page. " * 100 + "\n"
    library.drop("old.md", page(1, body=lines(1) + long))
    shrunk = page(1)
    assert library.drop("old.md", shrunk).kind == "refused"
    outcome = library.move("old.md", "new.md", shrunk)[0]

    assert (outcome.kind, outcome.moved_from) == ("refused", "old.md")
    assert live_paths(library) == ["new.md"]
    assert numbers(library, "new.md") == [1]
    assert [r["path"] for r in library.services.list_refusals()] == ["new.md"]


def test_the_effect_of_a_refusal_is_the_good_version_that_came_later(library: Library):
    good = page(1).encode()
    earlier = library.snapshot("a.md", good)
    library.drop("a.md", "broken")
    library.take_in_batch((earlier,), good)

    assert live_paths(library) == ["a.md"]
    assert library.services.refusal("a.md")["effect"].startswith("not published; version 1")


# The whole program over a folder.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seeds").mkdir()
    return tmp_path


QUICK = {"CONTENT_SYNC_WATCH__REMOVAL_MS": "50"}


def sync(folder: Path) -> dict[str, int]:
    answer = run("sync", "--json", cwd=folder, env=QUICK)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    counts: dict[str, int] = json.loads(answer.stdout)
    del counts["seconds"]
    return {name: count for name, count in counts.items() if count}


def ask(folder: Path, *arguments: str) -> Any:
    return json.loads(run(*arguments, "--json", cwd=folder).stdout)


def state(folder: Path) -> dict[str, list[tuple[int, int]]]:
    settings = load_settings(store_url=f"sqlite:///{folder}/var/content-sync.db")
    with open_services(settings) as services:
        return live_versions(services)


def test_a_rename_with_an_edit_while_nothing_ran_is_a_move(folder: Path):
    seeds = folder / "seeds"
    for number in range(5):
        write(seeds / f"{number}.md", page(number))
    sync(folder)
    (seeds / "3.md").unlink()
    write(seeds / "elsewhere/third.md", page(3, edits=2))

    assert sync(folder) == {"scanned": 5, "moved": 1, "unchanged": 4}
    assert [number for _, number in state(folder)["elsewhere/third.md"]] == [1, 2]
    assert sync(folder) == {"scanned": 5, "unchanged": 5}


def test_a_renamed_directory_keeps_every_history_also_of_the_edited_pages(folder: Path):
    seeds = folder / "seeds"
    for number in range(300):
        write(seeds / f"old/part-{number % 3}/page-{number}.md", page(number))
    sync(folder)
    before = {path.partition("/")[2]: rows for path, rows in state(folder).items()}
    (seeds / "old").rename(seeds / "new")
    for number in range(0, 300, 7):  # 43 of them
        path = seeds / f"new/part-{number % 3}/page-{number}.md"
        path.unlink()  # the inode says nothing
        write(path, page(number, edits=3))

    assert sync(folder) == {"scanned": 300, "moved": 300}
    after = {path.partition("/")[2]: rows for path, rows in state(folder).items()}
    assert {path: rows[0][0] for path, rows in after.items()} == {
        path: rows[0][0] for path, rows in before.items()
    }
    assert sum(len(rows) == 2 for rows in after.values()) == 43


def test_equal_files_renamed_together_keep_their_documents_and_histories(
    folder: Path,
):
    seeds = folder / "seeds"
    for number in range(20):
        write(seeds / f"old/{number}.md", page(number))
    sync(folder)
    for number in range(20):
        write(seeds / f"old/{number}.md", page(0))
    sync(folder)
    before = {path.partition("/")[2]: rows for path, rows in state(folder).items()}
    shutil.copytree(seeds / "old", seeds / "new")  # with other inodes
    shutil.rmtree(seeds / "old")

    assert sync(folder) == {"scanned": 20, "moved": 20}
    assert {path.partition("/")[2]: rows for path, rows in state(folder).items()} == before


def test_a_copy_with_an_edit_is_a_new_document(folder: Path):
    seeds = folder / "seeds"
    write(seeds / "a.md", page(1))
    sync(folder)
    write(seeds / "b.md", page(1, edits=1))

    assert sync(folder) == {"scanned": 2, "new": 1, "unchanged": 1}


def test_a_page_that_only_resembles_the_removed_one_is_a_new_document(folder: Path):
    seeds = folder / "seeds"
    shared = "".join(f"Every page of ours says this in line {line}.\n\n" for line in range(14))
    for number in range(3):
        text = a_seed(title=f"Drug {number}", body=shared + lines(number)[:500])
        write(seeds / f"drug-{number}.md", text)
    sync(folder)
    (seeds / "drug-1.md").unlink()
    write(seeds / "drug-9.md", a_seed(title="Drug 9", body=shared + lines(9)[:500]))

    assert sync(folder) == {"scanned": 3, "new": 1, "retired": 1, "unchanged": 2}


def test_a_large_rename_with_edits_is_not_held(folder: Path):
    seeds = folder / "seeds"
    for number in range(100):
        write(seeds / f"old/{number}.md", page(number))
    sync(folder)
    for number in range(40):
        (seeds / f"old/{number}.md").unlink()
        write(seeds / f"new/{number}.md", page(number, edits=2))

    assert sync(folder) == {"scanned": 100, "moved": 40, "unchanged": 60}


def test_a_large_disappearance_is_held_despite_as_many_new_files(folder: Path):
    seeds = folder / "seeds"
    for number in range(100):
        write(seeds / f"old/{number}.md", page(number))
    sync(folder)
    for number in range(40):
        (seeds / f"old/{number}.md").unlink()
        write(seeds / f"new/{number}.md", page(number + 500))

    answer = run("sync", "--json", cwd=folder, env=QUICK)
    assert answer.returncode == 1
    counts = json.loads(answer.stdout)
    assert (counts["new"], counts["moved"], counts["retired"]) == (40, 0, 0)


def test_the_service_treats_a_large_rename_with_edits_as_moves_and_holds_nothing(folder: Path):
    seeds = folder / "seeds"
    for number in range(100):
        write(seeds / f"old/{number}.md", page(number))
    sync(folder)
    before = {Path(path).name: rows for path, rows in state(folder).items()}
    for number in range(40):
        (seeds / f"old/{number}.md").unlink()
        write(seeds / f"new/{number}.md", page(number, edits=2))
    with started("up", cwd=folder, env=QUICK) as up:
        wait_until(lambda: up.output.count("moved ") == 40, what="40 moves")
        # While it runs, too: a folder's rename, and all of its files written anew.
        for number in range(40, 100):
            (seeds / f"old/{number}.md").unlink()
            write(seeds / f"later/{number}.md", page(number, edits=2))
        wait_until(lambda: up.output.count("moved ") == 100, what="100 moves")
        wait_until(
            lambda: ask(folder, "status")["documents"] == {"live": 100, "retired": 0},
            what="all documents to live",
        )
        assert "held" not in up.output
        assert "gone from the folder" not in up.output
    after = {Path(path).name: rows for path, rows in state(folder).items()}
    assert {name: rows[0][0] for name, rows in after.items()} == {
        name: rows[0][0] for name, rows in before.items()
    }
    assert all(len(rows) == 2 for rows in after.values())


class Renaming(RuleBasedStateMachine):
    """A folder in which files are made, edited, renamed, copied and deleted between syncs."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.seeds = self.folder / "seeds"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.seeds.mkdir(parents=True)
        self.settings = load_settings(
            seeds=self.seeds,
            store_url=f"sqlite:///{self.folder / 'store.db'}",
            watch={"removal_ms": 1},
            brake={"share": 1.0},
        )
        self.made = 0
        self.is_synced = False
        self.synced: dict[str, list[tuple[int, int]]] = {}

    def files(self) -> list[Path]:
        return sorted(path for path in self.seeds.rglob("*.md"))

    def some(self, data: st.DataObject) -> Path:
        return data.draw(st.sampled_from(self.files()))

    def free(self, data: st.DataObject) -> Path:
        folder = self.seeds / data.draw(st.sampled_from(["x", "y"]))
        folder.mkdir(exist_ok=True)
        return folder / f"{data.draw(st.integers(0, 5))}.md"

    @rule(data=st.data())
    def make(self, data):
        self.made += 1
        write(self.free(data), page(self.made))
        self.is_synced = False

    @precondition(lambda self: self.files())
    @rule(data=st.data(), line=st.integers(0, 19))
    def edit(self, data, line):
        path = self.some(data)
        path.write_text(path.read_text().replace(f"in line {line} ", f"in line {line}: "))
        self.is_synced = False

    @precondition(lambda self: self.files())
    @rule(data=st.data(), line=st.none() | st.integers(0, 19))
    def rename(self, data, line):
        old, new = self.some(data), self.free(data)
        text = old.read_text()
        old.unlink()
        write(new, text if line is None else text.replace(f"in line {line} ", "in no line "))
        self.is_synced = False

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def copy(self, data):
        write(self.free(data), self.some(data).read_text())
        self.is_synced = False

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def delete(self, data):
        self.some(data).unlink()
        self.is_synced = False

    @precondition(lambda self: not self.is_synced and self.files())
    @rule()
    def sync(self):
        sync_folder(self.settings, full=False, dry_run=False, progress=lambda *_: None)
        with open_services(self.settings) as services:
            self.synced = live_versions(services)
            bodies = {
                path: services.show(path, number=None, at=None)["body"] for path in self.synced
            }
        self.is_synced = True
        there = {path.relative_to(self.seeds).as_posix(): path for path in self.files()}
        assert set(self.synced) == set(there)
        for path, file in there.items():
            assert file.read_text().endswith(bodies[path])

    @invariant()
    def each_document_has_one_path_and_consecutive_versions(self):
        ids = [rows[0][0] for rows in self.synced.values()]
        assert len(ids) == len(set(ids))
        for rows in self.synced.values():
            assert [number for _, number in rows] == list(range(1, len(rows) + 1))


def test_random_renames_and_edits_leave_one_document_a_file(tmp_path: Path):
    machine = type("RenamingHere", (Renaming,), {"folder": tmp_path / "library"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
