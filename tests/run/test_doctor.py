"""What `doctor` says of a seeds folder."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from support.stored import NOON, a_library

from worker.run import doctor as checks_of
from worker.run.doctor import doctor
from worker.store import leases
from worker.watch import file_system
from worker.watch.lead import Lead


@pytest.mark.parametrize("kind", ["cifs", "9p", "vfat", "fuse.sshfs", "vboxsf"])
def test_a_file_system_without_change_times_is_named_and_is_no_fault(
    sqlite_url, seeds, monkeypatch, kind
):
    monkeypatch.setattr(file_system, "file_system_of", lambda _root: kind)
    with a_library(sqlite_url, seeds=seeds) as library:
        (check,) = [c for c in doctor(library.services.settings, None) if c.name == "change times"]
    assert check.ok
    assert f"the folder is on {kind}" in check.detail


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "nfs4", "virtiofs", None])
def test_a_file_system_with_change_times_is_not_mentioned(sqlite_url, seeds, monkeypatch, kind):
    monkeypatch.setattr(file_system, "file_system_of", lambda _root: kind)
    with a_library(sqlite_url, seeds=seeds) as library:
        checks = doctor(library.services.settings, None)
    assert "change times" not in {check.name for check in checks}


@pytest.fixture
def at_noon(monkeypatch):
    """Give `doctor` the clock of the libraries under test."""
    monkeypatch.setattr(checks_of, "utc_now", lambda: NOON)


@pytest.mark.parametrize("part", ["watcher", "delivery", "sweep"])
@pytest.mark.parametrize(
    ("ahead", "words"), [({"hours": 3}, "3 hours"), ({"seconds": 61}, "61 seconds")]
)
def test_a_heartbeat_in_the_future_is_red_and_names_the_clocks(
    sqlite_url, seeds, at_noon, part, ahead, words
):
    check = check_of(part, sqlite_url, seeds, ahead=timedelta(**ahead))
    assert not check.ok
    assert f"last heartbeat {words} in the future" in check.detail
    assert "was set back, or the clocks of two machines differ" in check.detail


@pytest.mark.parametrize("part", ["watcher", "delivery", "sweep"])
@pytest.mark.parametrize("seconds", [-5, 0, 59, 60])
def test_clocks_may_differ_by_a_minute(sqlite_url, seeds, at_noon, part, seconds):
    check = check_of(part, sqlite_url, seeds, ahead=timedelta(seconds=seconds))
    assert check.ok, check.detail
    assert "future" not in check.detail


def test_a_standby_with_a_heartbeat_in_the_future_is_red(sqlite_url, seeds, at_noon, monkeypatch):
    monkeypatch.setattr(checks_of.socket, "gethostname", lambda: "here")
    with a_library(sqlite_url, seeds=seeds) as library:
        library.later(hours=3)
        state = {"state": leases.STANDS_BY, "host": "here", "pid": 1}
        library.services.heartbeat(f"{leases.STAND_BY}here", state)
        library.services.heartbeat("watcher", {"state": "watching", "host": "there"})
        checks = doctor(library.services.settings, "watcher")
    (check,) = [check for check in checks if check.name == "watcher"]
    assert not check.ok
    assert "3 hours in the future" in check.detail


@pytest.mark.parametrize(("judge", "ok"), [("other", False), ("ours", True)])
def test_a_standby_that_would_judge_otherwise_is_red(sqlite_url, seeds, at_noon, judge, ok):
    with a_library(sqlite_url, seeds=seeds) as library:
        services = library.services
        judges = {"ours": services.judge.id, "other": "0123"}
        services.heartbeat("watcher", {"host": "here", "judge": services.judge.id})
        Lead(library.store, now=lambda: NOON, monotonic=lambda: 0.0).look()
        second = Lead(library.store, now=lambda: NOON, monotonic=lambda: 0.0, judge=judges[judge])
        second._place = "another system"
        assert not second.look()
        check = names_of_checks(library)["judge"]
    assert check.ok == ok
    assert ("stands by with another schema" in check.detail) != ok


def check_of(part, url, seeds, *, ahead):
    """Return what `doctor` says of a part whose clock was ahead at its last heartbeat."""
    with a_library(url, seeds=seeds) as library:
        library.time = NOON + ahead
        library.services.heartbeat(part, {})
        (check,) = [c for c in doctor(library.services.settings, None) if c.name == part]
    return check


def test_delivery_reports_again_at_once_after_the_clock_was_set_back(sqlite_url, seeds, at_noon):
    with a_library(sqlite_url, seeds=seeds) as library:
        library.time = NOON + timedelta(hours=3)
        library.services.deliver()
        library.time = NOON
        library.services.deliver()
        (check,) = [c for c in doctor(library.services.settings, None) if c.name == "delivery"]
    assert check.ok, check.detail


@pytest.fixture
def shared_folder():
    """Return a folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="content-sync-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def names_of_checks(library):
    return {check.name: check for check in doctor(library.services.settings, None)}


@pytest.mark.parametrize(("mode", "fails"), [(0o644, True), (0o640, False), (0o600, False)])
def test_a_store_that_everybody_can_read_is_named(shared_folder, seeds, mode, fails):
    file = shared_folder / "store.db"
    file.touch()
    file.chmod(mode)
    with a_library(f"sqlite:///{file}", seeds=seeds) as library:
        check = names_of_checks(library).get("store file")
        assert (check is not None) == fails
        if fails:
            assert not check.ok
            assert f"run `chmod o= {file} {file}-wal {file}-shm`" in check.detail
            shared_folder.chmod(0o750)
            assert "store file" not in names_of_checks(library)
