"""An answer that changes a file loses no event, whenever its command ends or the store stops answering."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import text
from support.seeds import a_seed, write
from support.servers import PostgresServer
from support.stored import NOON, a_library

from worker.errors import StoreUnavailableError
from worker.ingest.holds import find_removals
from worker.library import write_back
from worker.library.write_back import Review, assign, record_reviews, retire
from worker.run import doctor as checks_of
from worker.run.doctor import doctor
from worker.store import engine, unfinished_answers
from worker.store.library import events_after

TODAY = NOON.date()
KINDS = {
    "reviewed": "review.recorded",
    "assign": "review.assigned",
    "retire": "document.retire_asked",
}


@pytest.fixture
def library(store_url, seeds):
    with a_library(store_url, seeds=seeds) as library:
        drop(library, write(seeds / "a.md", a_seed(owner="Asha")))
        yield library


def drop(library, page):
    """Let the service see a page, or that it is gone."""
    if page.exists():
        return library.drop(page.name, page.read_bytes())
    return library.remove(page.name)[0]


def answer(library, command):
    if command == "reviewed":
        given = Review(on=TODAY, by="asha", named=False)
        return record_reviews(library.services, {"a.md": None}, given)[0]
    if command == "assign":
        return assign(library.services, "a.md", owner="Meera", by="asha")
    return retire(library.services, "a.md", by="asha")


def recorded(library, command):
    """Return who gave the answer, once for each event."""
    with library.store.read() as connection:
        rows = events_after(connection, 0, 1000)
        return [row.data["by"] for row in rows if row.kind == KINDS[command]]


def unfinished(library):
    with library.store.read() as connection:
        return [one.path for one in unfinished_answers.find(connection)]


def killed(library, command, step):
    """Run a command in a process of its own, which kills itself at a step."""
    settings = library.services.settings
    script = f"""
import os, signal, sys
from datetime import datetime
from worker.library import seeds_folder, write_back
from worker.library.services import Services
from worker.settings.model import load_settings
from worker.library.write_back import Review, assign, record_reviews, retire

def ending(module, name, when):
    true = getattr(module, name)
    def call(*arguments, **options):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = true(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(module, name, call)

settings = load_settings(store_url={settings.store_url.value!r}, seeds={str(settings.seeds)!r})
now = datetime.fromisoformat({library.time.isoformat()!r})
services = Services(settings, now=lambda: now)
step = {step!r}
if step == "noted":
    ending(write_back, "_finish", "before")
elif step == "written beside":
    ending(seeds_folder, "_still", "before")
elif step == "changed":
    ending(write_back, "replace_seen", "after")
    ending(write_back, "take_away", "after")
else:
    ending(write_back, "_finish", "after")
if {command!r} == "reviewed":
    record_reviews(services, {{"a.md": None}}, Review(on=now.date(), by="asha", named=False))
elif {command!r} == "assign":
    assign(services, "a.md", owner="Meera", by="asha")
else:
    retire(services, "a.md", by="asha")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("command", KINDS)
@pytest.mark.parametrize("step", ["noted", "written beside", "changed", "recorded"])
def test_a_killed_command_leaves_no_change_without_its_event(library, seeds, command, step):
    page = seeds / "a.md"
    before = page.read_bytes()
    killed(library, command, step)
    is_changed = not page.exists() or page.read_bytes() != before
    assert is_changed == (step in {"changed", "recorded"})
    assert recorded(library, command) == (["asha"] if step == "recorded" else [])

    for _ in range(2):  # the service looks, and once more
        drop(library, page)
        assert recorded(library, command) == (["asha"] if is_changed else [])
    assert bool(unfinished(library)) != is_changed


@pytest.mark.parametrize("command", KINDS)
def test_an_answer_that_did_not_reach_the_file_is_given_again(library, seeds, command):
    killed(library, command, "noted")
    answer(library, command)
    assert recorded(library, command) == ["asha"]
    assert unfinished(library) == []


def test_the_next_answer_records_the_one_before_if_it_reached_the_file(library):
    killed(library, "reviewed", "changed")
    answer(library, "assign")
    assert (recorded(library, "reviewed"), recorded(library, "assign")) == (["asha"], ["asha"])
    assert unfinished(library) == []


def test_an_answer_counts_once_if_the_service_sees_the_file_first(library, seeds, monkeypatch):
    change = write_back.replace_seen

    def seen_at_once(*arguments):
        change(*arguments)
        drop(library, seeds / "a.md")

    monkeypatch.setattr(write_back, "replace_seen", seen_at_once)
    assert answer(library, "reviewed")["recorded"]
    assert recorded(library, "reviewed") == ["asha"]


def test_an_answer_is_recorded_even_if_another_one_took_it_for_abandoned(library, monkeypatch):
    change = write_back.replace_seen

    def after_another(*arguments):
        with library.store.write() as connection:
            connection.execute(text("DELETE FROM unfinished_answers"))
        change(*arguments)

    monkeypatch.setattr(write_back, "replace_seen", after_another)
    assert answer(library, "reviewed")["recorded"]
    assert recorded(library, "reviewed") == ["asha"]


def test_a_killed_removal_that_was_asked_for_is_no_mass_disappearance(library, seeds):
    killed(library, "retire", "changed")
    with library.store.read() as connection:
        assert find_removals(connection, [], now=library.time).agreed == {"a.md"}
    drop(library, seeds / "a.md")
    with library.store.read() as connection:
        assert find_removals(connection, [], now=library.time).retired == 0


def test_an_answer_about_a_page_that_is_gone_is_forgotten(library, seeds):
    killed(library, "reviewed", "noted")
    (seeds / "a.md").unlink()
    drop(library, seeds / "a.md")
    assert (recorded(library, "reviewed"), unfinished(library)) == ([], [])


def test_an_answer_is_recorded_even_if_its_file_was_renamed_since(library, seeds):
    killed(library, "reviewed", "changed")
    (seeds / "a.md").rename(seeds / "b.md")
    library.move("a.md", "b.md", (seeds / "b.md").read_bytes())
    assert (recorded(library, "reviewed"), unfinished(library)) == (["asha"], [])


def test_the_same_change_to_a_copy_of_the_page_is_not_its_answer(library, seeds):
    copy = seeds / "copy.md"
    copy.write_bytes((seeds / "a.md").read_bytes())
    drop(library, copy)
    killed(library, "reviewed", "noted")
    review = Review(on=TODAY, by="asha", named=False)
    assert record_reviews(library.services, {"copy.md": None}, review)[0]["recorded"]
    drop(library, copy)
    with library.store.read() as connection:
        rows = events_after(connection, 0, 1000)
    assert [row.path for row in rows if row.kind == KINDS["reviewed"]] == ["copy.md"]
    assert unfinished(library) == ["a.md"]


def check_of(library, monkeypatch, **later):
    monkeypatch.setattr(checks_of, "utc_now", lambda: NOON + timedelta(**later))
    checks = doctor(library.services.settings, None)
    return next((check for check in checks if check.name == "answers"), None)


def test_doctor_names_what_nobody_finished(library, monkeypatch):
    killed(library, "reviewed", "noted")
    assert check_of(library, monkeypatch, seconds=59) is None  # the command may still be running
    check = check_of(library, monkeypatch, seconds=61)
    assert not check.ok
    assert "a.md (review.recorded by asha, " in check.detail
    answer(library, "reviewed")
    assert check_of(library, monkeypatch, seconds=61) is None


def test_a_store_that_fails_before_the_file_leaves_everything_as_it_was(seeds, postgres_server):
    with a_library(postgres_server.url(), seeds=seeds) as library:
        page = write(seeds / "a.md", a_seed())
        drop(library, page)
        before = page.read_bytes()
        note = unfinished_answers.note

        def stopping(*arguments, **options):
            postgres_server.kill()
            return note(*arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unfinished_answers, "note", stopping)
            failed = answer(library, "reviewed")
        assert (failed["written"], failed["recorded"]) == (False, False)
        assert "is not usable" in failed["error"]
        assert page.read_bytes() == before
        postgres_server.start()
        assert unfinished(library) == []


@pytest.mark.parametrize("command", KINDS)
def test_a_store_that_fails_after_the_file_is_no_lie(seeds, command):
    with PostgresServer() as server, a_library(server.url(), seeds=seeds) as library:
        page = write(seeds / "a.md", a_seed(owner="Asha"))
        drop(library, page)
        lose_the_store_after_the_change(library, command, server.kill)
        server.start()
        drop(library, page)
        assert recorded(library, command) == ["asha"]
        assert unfinished(library) == []


@pytest.mark.parametrize("command", KINDS)
def test_a_locked_sqlite_after_the_file_is_no_lie(sqlite_url, seeds, command, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_WAIT_SECONDS", 0)
    monkeypatch.setattr(engine.time, "sleep", lambda _seconds: None)
    with a_library(sqlite_url, seeds=seeds) as library:
        page = write(seeds / "a.md", a_seed(owner="Asha"))
        drop(library, page)
        other = library.store._engine.connect()
        lose_the_store_after_the_change(library, command, other.begin)
        other.close()
        drop(library, page)
        assert recorded(library, command) == ["asha"]
        assert unfinished(library) == []


def lose_the_store_after_the_change(library, command, lose):
    """Give an answer, and lose the store once the file is changed: the error says what was done."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace_seen", "take_away"):
            change = getattr(write_back, name)
            patch.setattr(write_back, name, lambda *a, c=change: (c(*a), lose()))
        if command == "reviewed":
            given = answer(library, command)
            assert (given["written"], given["recorded"]) == (True, False)
            assert given["fields"]
            error = given["error"]
        else:
            with pytest.raises(StoreUnavailableError) as raised:
                answer(library, command)
            error = str(raised.value)
    done = "removed" if command == "retire" else "changed"
    assert f"a.md was {done}, but this is not recorded yet" in error
    assert "the service records it when it looks at the folder" in error
