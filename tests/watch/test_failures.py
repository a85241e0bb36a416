"""What fails with one path, whatever it is, ends neither a scan nor the watcher, and is named."""

from __future__ import annotations

import threading

import pytest
from support.programs import run
from support.seeds import a_seed, write
from support.stored import NOON, a_library
from support.waiting import wait_until

from worker.run import doctor as checks_of
from worker.run.doctor import doctor
from worker.watch import feed, ignore, intake
from worker.watch.failures import UnsentError


class UnforeseenError(LookupError):
    pass


def fails(monkeypatch, where, name, odd, *, at=lambda *arguments: arguments[-1]):
    """Let a function of the watcher fail for the paths of which `odd` is true; return a way back."""
    function = getattr(where, name)
    broken = threading.Event()
    broken.set()

    def failing(*arguments, **options):
        if broken.is_set() and odd(at(*arguments)):
            raise UnforeseenError("nobody thought of that")
        return function(*arguments, **options)

    monkeypatch.setattr(where, name, failing)
    return broken.clear


PLACES = {
    "reading": (feed, "read_file", lambda path: "odd" in path, lambda _root, path: path),
    "parsing": (feed, "looks_retracted", lambda data: b"Odd" in data, lambda data, _fields: data),
    "looking": (intake, "stamp_of", lambda path: "odd" in path, lambda _root, path: path),
}


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param]


def failed(watching):
    watching.beat()
    return watching.library.beats[-1]["failed"]


def test_a_path_that_fails_is_named_and_its_neighbours_are_taken_in(
    watching, page, place, monkeypatch, caplog
):
    repair = fails(monkeypatch, *place[:3], at=place[3])
    write(watching.seeds / "odd.md", a_seed(title="Odd"))
    for number in range(3):
        write(watching.seeds / f"{number}.md", page + f"{number}\n")
    wait_until(lambda: len(watching.library.content) == 3, what="the neighbours")
    wait_until(lambda: failed(watching)["number"] == 1, what="a named path")
    assert failed(watching)["first"] == {"odd.md": "UnforeseenError: nobody thought of that"}
    assert caplog.text.count("reading odd.md failed") == 1
    assert "Traceback" in caplog.text

    write(watching.seeds / "later.md", page + "later\n")
    watching.sees("later.md", page + "later\n")
    repair()
    write(watching.seeds / "odd.md", a_seed(title="Odd"))
    watching.settles()
    wait_until(lambda: failed(watching)["number"] == 0, what="no named path")


def test_a_scan_goes_on_after_a_path_that_fails(watch, seeds, library, page, place, monkeypatch):
    fails(monkeypatch, *place[:3], at=place[3])
    write(seeds / "sub/odd.md", a_seed(title="Odd"))
    for number in range(200):
        write(seeds / f"sub/{number}.md", page + f"{number}\n")
    watching = watch(polling=True, polling_seconds=0.2)
    wait_until(lambda: len(library.content) == 200, what="the neighbours")
    watching.scans_again()
    assert watching.is_alive
    assert library.removed == []


def test_a_path_that_fails_and_is_deleted_is_named_no_more(watch, seeds, place, monkeypatch):
    fails(monkeypatch, *place[:3], at=place[3])
    watching = watch(polling=True, polling_seconds=0.2)
    odd = write(seeds / "odd.md", a_seed(title="Odd"))
    if (
        place is not PLACES["looking"]
    ):  # a scan need not look at a file once more before it reads it
        wait_until(lambda: failed(watching)["number"] == 1, what="a named path")
    odd.unlink()
    wait_until(lambda: failed(watching)["number"] == 0, what="no named path")


def test_a_name_that_fails_ends_no_walk_and_retires_nothing(
    watch, seeds, library, page, monkeypatch
):
    watching = watch(polling=True, polling_seconds=0.2)
    for name in ("a.md", "odd page.md"):
        write(seeds / name, page + name)
    watching.settles()
    fails(monkeypatch, ignore.SeedNames, "is_candidate", lambda name: "odd" in name)
    write(seeds / "b.md", page + "b")
    watching.sees("b.md", page + "b")
    watching.scans_again()
    assert watching.is_alive
    assert library.removed == []


def test_an_error_while_sending_is_no_fault_of_a_path(watching, page, monkeypatch):
    ended = []
    monkeypatch.setattr(threading, "excepthook", lambda error: ended.append(error.exc_type))

    def publish(_batch, _queue):
        raise UnforeseenError("a broker that nobody thought of")

    watching.watcher._publish = publish
    write(watching.seeds / "a.md", page)
    wait_until(lambda: not watching.is_alive, what="the end of the watcher")
    assert ended == [UnsentError]


def test_doctor_names_what_failed(store_url, seeds, monkeypatch):
    monkeypatch.setattr(checks_of, "utc_now", lambda: NOON)
    with a_library(store_url, seeds=seeds) as library:
        settings = library.services.settings

        def check(failed):
            library.services.heartbeat("watcher", {"state": "watching", "failed": failed})
            return [c for c in doctor(settings, None) if c.name == "failed"]

        assert check({"number": 0, "first": {}}) == []
        [named] = check({"number": 7, "first": {"odd.md": "LookupError: nobody thought"}})
        assert not named.ok
        assert "7 files could not be read: odd.md: LookupError: nobody thought" in named.detail


def test_the_doctor_of_a_healthy_folder_says_nothing_of_it(tmp_path, seeds):
    write(seeds / "a.md", a_seed())
    assert run("sync", cwd=tmp_path).returncode == 0
    assert "could not be read" not in run("doctor", cwd=tmp_path).stdout
