"""Verify a store against its folder: all damage is found, and repaired where possible."""

from __future__ import annotations

import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from support.programs import run
from support.seeds import BODY, a_seed, write

from worker.domain.folder.chain import Checkpoint, read_checkpoint
from worker.domain.folder.chain_laws import check_chain
from worker.domain.folder.laws import Breaches, Law
from worker.library.opened import open_reader, open_services
from worker.reviews.snooze_and_ack import snooze
from worker.run import processes
from worker.run.repair import repair_library
from worker.run.sync import sync_folder
from worker.run.verify import verify_library
from worker.settings.model import Settings, load_settings
from worker.store.chain import chain_older, chained_events
from worker.store.documents import add_events, event_row
from worker.store.engine import Connection, Store

TODAY = datetime.now(UTC).date()
DUE = str(TODAY - timedelta(days=200))  # of a quarterly review
LONG_AGO = 1_000_000_000  # seconds since the epoch
MIXED_ENDS = a_seed(title="Mixed", body="One.\r\nTwo.\nThree.\r\n")


def quiet(_done: int, _total: int) -> None:
    pass


CONTENT = "at, kind, path, document_id, number, data, salt, content_sha256, chain_sha256"
UNCHAINED = "at, kind, path, document_id, number, data, NULL, NULL, NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A folder and its store, brought together by `sync`."""

    seeds: Path
    settings: Settings

    def sync(self) -> None:
        sync_folder(self.settings, full=False, dry_run=False, progress=quiet)

    def verify(self, most: int = 20, against: Checkpoint | None = None) -> Breaches:
        return verify_library(self.settings, most=most, progress=quiet, against=against)

    def checkpoint(self) -> Checkpoint:
        with open_reader(self.settings) as reader:
            return read_checkpoint(reader.export_manifest(active_only=False)["checkpoint"])

    def repair(self) -> Any:
        return repair_library(self.settings, progress=quiet)

    def damage(self, *statements: str) -> None:
        store = Store(self.settings.store_url.value)
        with store.write() as connection:
            for statement in statements:
                assert connection.execute(text(statement)).rowcount > 0, statement
        store.close()

    def ask(self, query: str) -> list[Any]:
        store = Store(self.settings.store_url.value)
        with store.read() as connection:
            rows = [tuple(row) for row in connection.execute(text(query))]
        store.close()
        return rows

    def age(self) -> None:
        """Let no folder seem to have changed since it was looked at."""
        for folder in (self.seeds, *(path for path in self.seeds.rglob("*") if path.is_dir())):
            os.utime(folder, (LONG_AGO, LONG_AGO))


@pytest.fixture
def world(store_url: str, seeds: Path) -> World:
    """Give a library with an edit, a move, a retirement, a refusal, a snooze and a review that is due."""
    settings = load_settings(store_url=store_url, seeds=seeds, watch={"removal_ms": 20})
    processes.migrate(settings)
    world = World(seeds=seeds, settings=settings)
    write(seeds / "edited.md", a_seed(title="Edited", lastReviewed=str(TODAY)))
    write(seeds / "old.md", a_seed(title="Moved", lastReviewed=str(TODAY), body=f"{BODY}\nMoved."))
    write(seeds / "gone.md", a_seed(title="Gone", lastReviewed=str(TODAY), body=f"{BODY}\nGone."))
    write(seeds / "due.md", a_seed(title="Due", lastReviewed=DUE, body=f"{BODY}\nDue."))
    write(seeds / "snoozed.md", a_seed(title="Snoozed", lastReviewed=DUE, body=f"{BODY}\nLater."))
    write(seeds / "mixed.md", MIXED_ENDS)
    write(seeds / "sub" / "refused.md", a_seed(status="actve"))
    write(seeds / "note.txt", "No seed at all.\n")
    world.sync()
    edited = a_seed(title="Edited", lastReviewed=str(TODAY), body=f"{BODY}\nOne line more.")
    write(seeds / "edited.md", edited.replace("title:", "# touched\ntitle:"))
    (seeds / "old.md").rename(seeds / "sub" / "moved.md")
    (seeds / "gone.md").unlink()
    world.sync()
    write(seeds / "edited.md", edited)  # makes no version: only a comment is gone
    world.sync()
    with open_services(settings) as services:
        until = TODAY + timedelta(days=7)
        snooze(
            services.store, "snoozed.md", until=until, reason="a holiday", by="Asha",
            settings=settings, now=services.now(), today=TODAY,
        )  # fmt: skip
        services.sweep()
    world.age()
    return world


def laws_of(findings: Breaches) -> set[Law]:
    return set(findings.found)


def test_a_sound_library_breaks_no_law(world: World):
    findings = world.verify()
    assert findings.breaches == []
    assert findings.ok
    checked = findings.checked
    assert (checked["documents"], checked["versions"], checked["refusals"]) == (6, 7, 1)
    assert (checked["files"], checked["waiting"], checked["unproven"]) == (6, 0, 0)
    assert checked["acknowledgements"] == 1


DAMAGES = [
    pytest.param(
        "UPDATE bodies SET body = body || ' 6 days' WHERE body LIKE '%Moved.'",
        Law.BODY, "sub/moved.md", False, id="a body is altered",
    ),
    pytest.param(
        "UPDATE versions SET metadata = (SELECT metadata FROM versions WHERE path = 'due.md')"
        " WHERE path = 'old.md'",
        Law.VERSION, "sub/moved.md", False, id="metadata is altered",
    ),
    pytest.param(
        "UPDATE versions SET front_matter = 'title: Another' || substr(front_matter, 14)"
        " WHERE path = 'due.md'",
        Law.VERSION, "due.md", False, id="front matter is altered",
    ),
    pytest.param(
        "UPDATE versions SET front_matter = front_matter || '# more' || chr(10)"
        " WHERE path = 'mixed.md'",
        Law.VERSION, "mixed.md", False, id="a comment in front matter that no hash proves",
    ),
    pytest.param(
        "UPDATE versions SET number = 3 WHERE path = 'edited.md' AND number = 1",
        Law.NUMBERS, "edited.md", False, id="a number is missing",
    ),
    pytest.param(
        "DELETE FROM versions WHERE path = 'due.md'",
        Law.NUMBERS, "due.md", False, id="a document without a version",
    ),
    pytest.param(
        "UPDATE documents SET number = 1 WHERE path = 'edited.md'",
        Law.HEAD, "edited.md", True, id="the head is an old version",
    ),
    pytest.param(
        "UPDATE documents SET status = 'inactive', title = 'Other' WHERE path = 'due.md'",
        Law.HEAD, "due.md", True, id="the head says something else",
    ),
    pytest.param(
        "UPDATE documents SET due_on = '2099-01-01' WHERE path = 'due.md'",
        Law.DUE_DATE, "due.md", True, id="a due date is another",
    ),
    pytest.param(
        "UPDATE documents SET sha256 = repeat('0', 64) WHERE path = 'due.md'",
        Law.FILE, "due.md", True, id="the hash of a file is another",
    ),
    pytest.param(
        "DELETE FROM events WHERE kind = 'version.stored' AND number = 2",
        Law.EVENT, "edited.md", False, id="a version's event is gone",
    ),
    pytest.param(
        "DELETE FROM events WHERE kind = 'version.stored' AND path = 'gone.md'",
        Law.EVENT, "gone.md", False, id="a retired version's event is gone",
    ),
    pytest.param(
        "UPDATE events SET number = 9 WHERE kind = 'version.stored' AND number = 2",
        Law.EVENT, "edited.md", False, id="an event of no version",
    ),
    pytest.param(
        "DELETE FROM events WHERE kind = 'document.moved'",
        Law.STORY, "sub/moved.md", False, id="a move is gone",
    ),
    pytest.param(
        "UPDATE documents SET state = 'retired' WHERE path = 'due.md'",
        Law.RETIRED, "due.md", True, id="a served document counts as retired",
    ),
    pytest.param(
        "UPDATE documents SET state = 'live' WHERE path = 'gone.md'",
        Law.MISSING, "gone.md", True, id="a retired document counts as live",
    ),
    pytest.param(
        "DELETE FROM paths WHERE path = 'sub/refused.md'",
        Law.FILE, "sub/refused.md", True, id="a refusal is gone",
    ),
    pytest.param(
        "UPDATE paths SET state = 'refused', sha256 = repeat('0', 64) WHERE path = 'due.md'",
        Law.REFUSAL, "due.md", True, id="an accepted file counts as refused",
    ),
    pytest.param(
        "UPDATE paths SET path = 'sub/none.md' WHERE path = 'sub/refused.md'",
        Law.REFUSAL, "sub/none.md", True, id="a refused file is not there",
    ),
    pytest.param(
        "UPDATE paths SET document_id = NULL WHERE path = 'due.md'",
        Law.LEDGER, "due.md", True, id="the ledger names no document",
    ),
    pytest.param(
        "UPDATE paths SET state = 'gone' WHERE path = 'due.md'",
        Law.LEDGER, "due.md", True, id="the ledger says that a file is gone",
    ),
    pytest.param(
        "UPDATE notices SET document_id = 99 WHERE path = 'due.md'",
        Law.SUBJECT, "due.md", False, id="a notice about no document",
    ),
    pytest.param(
        "UPDATE notices SET state = 'sent' WHERE path = 'due.md'",
        Law.NOTICE, "due.md", False, id="sent at no time",
    ),
    pytest.param(
        "UPDATE notices SET document_id = (SELECT id FROM documents WHERE path = 'due.md'),"
        " due_on = (SELECT due_on FROM documents WHERE path = 'due.md')"
        " WHERE path = 'snoozed.md'",
        Law.NOTICE, "due.md", False, id="one stage owed twice",
    ),
    pytest.param(
        "UPDATE notices SET leased_until = '2099-01-01 00:00:00' WHERE path = 'due.md'",
        Law.LEASE, "due.md", True, id="leased for ever",
    ),
    pytest.param(
        "DELETE FROM notices WHERE path = 'due.md'",
        Law.REMINDER, "due.md", True, id="an overdue review has no notice",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "law", "path", "repaired"), DAMAGES)
def test_damage_is_found_and_repaired_where_possible(
    world: World, statement: str, law: Law, path: str, *, repaired: bool
):
    if world.settings.store_url.value.startswith("sqlite"):
        statement = in_sqlite(statement)
    world.damage(statement)

    findings = world.verify()
    assert law in laws_of(findings), findings.breaches
    found = [breach for breach in findings.breaches if breach.law is law]
    assert path in {breach.path for breach in found}
    versions = world.ask("SELECT path, number, sha256, front_matter FROM versions ORDER BY id")

    world.repair()
    after = world.verify()
    kept = world.ask("SELECT path, number, sha256, front_matter FROM versions ORDER BY id")
    assert kept[: len(versions)] == versions, "nothing is deleted or overwritten"
    if repaired:
        assert all(breach.repairable for breach in found)
        assert after.breaches == []
    else:
        assert law in laws_of(after)
        assert not any(breach.repairable for breach in found)


def in_sqlite(statement: str) -> str:
    return statement.replace("chr(10)", "char(10)").replace("repeat('0', 64)", f"'{'0' * 64}'")


def test_a_repair_derives_heads_writes_an_event_and_sweeps(world: World):
    due_on = world.ask("SELECT due_on FROM documents WHERE path = 'due.md'")
    world.damage("UPDATE documents SET due_on = '2099-01-01', title = 'X' WHERE path = 'due.md'")
    world.damage("DELETE FROM notices WHERE path = 'due.md'")
    repaired, report, notices = world.repair()
    assert (repaired.heads, repaired.leases, report.scanned, notices) == (1, 0, 7, 1)
    assert world.ask("SELECT due_on FROM documents WHERE path = 'due.md'") == due_on
    [(kind, data)] = world.ask("SELECT kind, data FROM events ORDER BY id DESC LIMIT 1")
    assert kind == "document.repaired"
    assert as_json(data) == {"columns": ["due_on", "title"], "status": "active"}


def as_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def test_a_sync_withholds_a_document_and_neither_verify_nor_a_repair_undoes_it(world: World):
    served = a_seed(title="Edited", lastReviewed=str(TODAY), body=f"{BODY}\nOne line more.")
    retracted = served.replace("status: active", "status: inactive")
    write(
        world.seeds / "edited.md",
        retracted.replace("reviewFrequency: quarterly", "reviewFrequency: often"),
    )
    world.sync()
    world.age()
    status = "SELECT status FROM documents WHERE path = 'edited.md'"
    assert world.ask(status) == [("inactive",)]
    assert world.verify().breaches == []
    world.repair()
    assert world.ask(status) == [("inactive",)]

    world.damage("UPDATE documents SET status = 'active' WHERE path = 'edited.md'")
    assert laws_of(world.verify()) == {Law.HEAD}
    world.repair()
    assert world.ask(status) == [("inactive",)]

    write(world.seeds / "edited.md", served)
    world.sync()
    world.age()
    assert world.ask(status) == [("active",)]
    assert world.ask("SELECT kind FROM events ORDER BY id DESC LIMIT 1") == [("document.revived",)]
    assert world.verify().breaches == []


def test_a_repair_ingests_the_file_of_a_lost_version(world: World):
    """The newest version is lost: the document goes back, and the file brings it again."""
    world.damage(
        "DELETE FROM events WHERE path = 'edited.md' AND number = 2",
        "DELETE FROM versions WHERE path = 'edited.md' AND number = 2",
    )
    assert laws_of(world.verify()) == {Law.HEAD, Law.FILE, Law.CHAIN}
    world.repair()
    assert laws_of(world.verify()) == {Law.CHAIN}, "nothing brings the lost event again"
    rows = world.ask("SELECT number FROM versions WHERE path = 'edited.md' ORDER BY number")
    assert rows == [(1,), (2,)]


def test_a_due_date_from_other_settings_is_reported_and_derived_again(world: World):
    write(world.seeds / "unsaid.md", a_seed(title="Unsaid", reviewFrequency=None))
    world.sync()
    world.age()
    cadence = {"frequency": "annual", "paths": ["unsaid.md"]}
    review = replace(world.settings.review, default_cadences=())
    settings = replace(world.settings, review=review)
    other = load_settings(
        store_url=settings.store_url.value,
        seeds=world.seeds,
        review={"default_cadences": [cadence]},
    )
    later = World(seeds=world.seeds, settings=other)
    [breach] = [b for b in later.verify().breaches if b.law is Law.DUE_DATE]
    assert (breach.path, breach.repairable) == ("unsaid.md", True)
    later.repair()
    assert later.verify().ok


def test_a_change_since_the_last_scan_is_waiting_and_not_a_breach(world: World):
    write(world.seeds / "due.md", a_seed(title="Saved just now"))
    write(world.seeds / "new.md", a_seed(title="New"))
    (world.seeds / "sub" / "moved.md").unlink()
    findings = world.verify()
    assert findings.ok, findings.breaches
    assert findings.checked["waiting"] == 3


def test_a_finished_scan_turns_a_difference_into_a_breach(world: World):
    write(world.seeds / "due.md", a_seed(title="Missed"))
    heartbeat = {
        "state": "watching",
        "unread": 0,
        "last_scan": (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
    }
    with open_services(world.settings) as services:
        services.heartbeat("watcher", heartbeat | {"unread": 1})
        assert world.verify().ok, "it still reads"
        services.heartbeat("watcher", heartbeat)
    assert [breach.path for breach in world.verify().breaches] == ["due.md"]


def test_removals_that_wait_for_a_person_are_not_a_breach(world: World):
    with open_services(world.settings) as services:
        services.hold(["due.md"], live=6)
    (world.seeds / "due.md").unlink()
    world.age()
    assert world.verify().ok


def test_a_limited_number_of_breaches_of_a_law_is_kept(world: World):
    world.damage("UPDATE documents SET title = 'X'")
    findings = world.verify(most=2)
    assert findings.found == {Law.HEAD: 6}
    assert len(findings.breaches) == 2


def test_a_damaged_sqlite_file_is_reported_and_nothing_else_is_trusted(
    sqlite_url: str, seeds: Path, tmp_path: Path
):
    settings = load_settings(store_url=sqlite_url, seeds=seeds)
    write(seeds / "a.md", a_seed())
    world = World(seeds=seeds, settings=settings)
    world.sync()
    with sqlite3.connect(tmp_path / "content-sync.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE versions SET document_id = 99")
    connection.close()
    findings = world.verify()
    assert laws_of(findings) == {Law.DATABASE}
    assert findings.unsound
    assert "row 1 of versions refers to a row of documents" in findings.breaches[0].detail


def test_a_sequence_set_back_by_a_restore_is_found(postgres_url: str, seeds: Path):
    settings = load_settings(store_url=postgres_url, seeds=seeds)
    processes.migrate(settings)
    write(seeds / "a.md", a_seed())
    write(seeds / "b.md", a_seed(title="B"))
    world = World(seeds=seeds, settings=settings)
    world.sync()
    world.damage("SELECT setval(pg_get_serial_sequence('events', 'id'), 1)")
    [breach] = world.verify().breaches
    assert (breach.law, "next ID of events" in breach.detail) == (Law.DATABASE, True)


def test_verify_prints_the_law_the_place_and_the_fix(tmp_path: Path, seeds: Path):
    write(seeds / "a.md", a_seed(lastReviewed=str(TODAY)))
    run("sync", cwd=tmp_path)
    sound = run("verify", cwd=tmp_path)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "1 document," in sound.stdout
    assert "No error found." in sound.stdout

    database = sqlite3.connect(tmp_path / "var" / "content-sync.db")
    with database:
        database.execute("UPDATE documents SET title = 'Another'")
    database.close()
    result = run("verify", cwd=tmp_path)
    assert result.returncode == 1
    assert "a.md: title is 'Another', not 'How bones are checked'" in result.stdout
    assert "fix: content-sync verify --repair" in result.stdout

    answer = json.loads(run("verify", "--json", cwd=tmp_path).stdout)
    assert (answer["ok"], answer["found"]) == (False, {"head": 1})
    [problem] = answer["problems"]
    assert (problem["law"], problem["path"], problem["repairable"]) == ("head", "a.md", True)
    assert answer["checked"]["documents"] == 1

    repaired = run("verify", "--repair", cwd=tmp_path)
    assert repaired.returncode == 0
    assert "derived 1 document from their versions" in repaired.stdout


def test_verify_without_a_store_is_a_usage_error(tmp_path: Path, seeds: Path):
    result = run("verify", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (["UPDATE events SET path = 'x.md' WHERE id = 5"], ["event 5 was altered"]),
        (
            ["DELETE FROM events WHERE id = 5"],
            ["an event before event 6 was removed, inserted or moved"],
        ),
        (
            [
                "UPDATE events SET id = 1000 WHERE id = 5",
                "UPDATE events SET id = 5 WHERE id = 6",
                "UPDATE events SET id = 6 WHERE id = 1000",
            ],
            [f"an event before event {number} was removed, inserted or moved" for number in (5, 6, 7)],
        ),
        (
            [f"INSERT INTO events (id, {CONTENT}) SELECT 0, {CONTENT} FROM events WHERE id = 5"],
            [f"an event before event {number} was removed, inserted or moved" for number in (0, 1)],
        ),
        (
            [f"INSERT INTO events (id, {CONTENT}) SELECT 0, {UNCHAINED} FROM events WHERE id = 5"],
            ["event 0 was inserted: it has no hash"],
        ),
    ],
    ids=["altered", "removed", "reordered", "inserted", "inserted without hashes"],
)  # fmt: skip
def test_events_that_were_altered_by_hand_are_found(
    world: World, damage: list[str], said: list[str]
):
    assert len(world.ask("SELECT id FROM events")) > 7
    world.damage(*damage)
    found = [b.detail for b in world.verify().breaches if b.law is Law.CHAIN]
    assert found == said


def test_a_chain_that_was_computed_again_differs_from_a_checkpoint(world: World):
    kept = world.checkpoint()
    assert world.verify(against=kept).ok
    write(world.seeds / "edited.md", a_seed(title="Edited again", lastReviewed=str(TODAY)))
    world.sync()
    world.age()
    assert world.verify(against=kept).ok, "what came later does not matter"

    world.damage("UPDATE events SET at = '2026-01-01 00:00:00' WHERE id = 2")
    world.damage("UPDATE events SET salt = NULL, content_sha256 = NULL, chain_sha256 = NULL")
    store = Store(world.settings.store_url.value)
    with store.write() as connection:
        chain_older(connection)
    store.close()

    assert Law.CHAIN not in world.verify().found, "a chain alone proves nothing"
    found = [b.detail for b in world.verify(against=kept).breaches if b.law is Law.CHAIN]
    assert found == [f"event {kept.event} or one before it was altered"]


def test_events_that_are_missing_at_the_end_are_found_with_a_checkpoint(world: World):
    kept = world.checkpoint()
    world.damage(f"DELETE FROM events WHERE id = {kept.event}")
    found = [b.detail for b in world.verify(against=kept).breaches if b.law is Law.CHAIN]
    assert found == [f"event {kept.event} was removed"]


def test_two_writers_at_once_make_one_chain(store_url: str):
    settings = load_settings(store_url=store_url)
    processes.migrate(settings)
    began = Barrier(4)

    def add(writer: int) -> None:
        store = Store(store_url)
        began.wait()
        for number in range(25):
            rows = [event_row(datetime.now(UTC), "seed.fixed", f"{writer}.md", number=number)] * 3

            def work(connection: Connection, rows: list[dict[str, Any]] = rows) -> None:
                store.lock_events(connection)
                add_events(connection, rows)

            store.transact(work)
        store.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    store = Store(store_url)
    with store.read() as connection:
        rows = list(chained_events(connection))
        assert len(rows) == 4 * 25 * 3
        assert list(check_chain(rows)) == []
    store.close()
