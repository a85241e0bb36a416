"""A file that is replaced by one of the same size, mtime and inode is taken in: its ctime differs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.folder.snapshot import SHARED_FORMAT
from worker.watch import file_system, read
from worker.watch.read import stamp_of

THEN = (1_700_000_000, 1_700_000_000)
EIGHT, FOUR = (a_seed(body=f"Take {number} mg, three times a day.\n") for number in (8, 4))


def in_place(path, text):
    with path.open("r+") as file:
        file.write(text)
    os.utime(path, THEN)


def by_tar(path, text):
    source = write(path.parent.with_name("source") / path.name, text)
    archive = path.parent.with_name("pages.tar")
    subprocess.run(
        ["tar", f"--mtime=@{THEN[0]}", "-cf", archive, "-C", source.parent, source.name], check=True
    )
    subprocess.run(["tar", "-xf", archive, "-C", path.parent], check=True)


def by_unzip(path, text):
    """Unpack as Info-ZIP does, which writes into a file that is there, and sets its time."""
    archive = path.parent.with_name("pages.zip")
    entry = zipfile.ZipInfo(path.name, date_time=time.gmtime(THEN[0])[:6])
    with zipfile.ZipFile(archive, "w") as pages:
        pages.writestr(entry, text)
    if shutil.which("unzip"):
        command = ["unzip", "-qo", archive, "-d", path.parent]
        subprocess.run(command, check=True, env={"TZ": "UTC", "PATH": os.environ["PATH"]})
    else:
        in_place(path, zipfile.ZipFile(archive).read(path.name).decode())


def by_rsync(path, text):
    if not shutil.which("rsync"):
        pytest.skip("there is no rsync")
    source = write(path.parent.with_name("source") / path.name, text)
    os.utime(source, THEN)
    subprocess.run(["rsync", "-tI", "--inplace", source, path], check=True)


WAYS = pytest.mark.parametrize("replace", [in_place, by_tar, by_unzip, by_rsync])


@pytest.fixture
def path(seeds):
    path = write(seeds / "a.md", EIGHT)
    os.utime(path, THEN)
    return path


@WAYS
def test_a_sync_takes_in_a_file_of_the_same_size_and_time(sync, path, library, replace):
    sync(hours_later=1)
    before = path.stat()
    replace(path, FOUR)
    after = path.stat()
    assert (after.st_size, after.st_mtime) == (before.st_size, before.st_mtime)
    found = sync(hours_later=2)
    assert (found.changed, library.content["a.md"].decode()) == (1, FOUR)


@WAYS
def test_a_watcher_takes_in_a_file_of_the_same_size_and_time(watch, path, replace):
    watching = watch()
    watching.sees("a.md", EIGHT)
    replace(path, FOUR)
    watching.sees("a.md", FOUR)
    replace(path, EIGHT)
    watching.sees("a.md", EIGHT)


def test_an_event_is_followed_where_an_equal_stamp_is_no_proof(watch, path, monkeypatch):
    monkeypatch.setattr(file_system, "file_system_of", lambda _root: "vfat")
    monkeypatch.setattr(read, "known_ctime", lambda _ctime_ns: 1)
    watching = watch()
    watching.sees("a.md", EIGHT)
    in_place(path, FOUR)
    watching.sees("a.md", FOUR)


def test_a_scan_takes_in_a_file_of_the_same_size_and_time(watch, path):
    watching = watch(polling=True, polling_seconds=0.2)
    watching.sees("a.md", EIGHT)
    in_place(path, FOUR)
    watching.sees("a.md", FOUR)


def test_a_changed_mode_is_recorded_once_and_then_nothing_is_read(sync, path, library):
    sync(hours_later=1)
    path.chmod(0o600)
    for hours, sent in ((2, 1), (3, 0)):
        library.taken.clear()
        found = sync(hours_later=hours)
        assert (found.scanned, len(library.taken), library.removed) == (1, sent, [])
    assert library.known["a.md"].stamp == stamp_of(str(path.parent), "a.md")


def test_a_file_that_was_racy_is_hashed_again_once(sync, path, library):
    """A sync right after the change cannot prove it; the next one does, for all that follow."""
    sync()
    known = library.known["a.md"]
    for hours, sent in ((0, 0), (1, 1), (2, 0)):
        library.taken.clear()
        sync(hours_later=hours)
        assert len(library.taken) == sent
    assert library.known["a.md"].observed > known.observed
    assert library.known["a.md"]._replace(observed=0) == known._replace(observed=0)


def test_a_refused_file_that_is_proven_equal_continues_no_missing_page(sync, path, seeds, library):
    write(seeds / "other.md", FOUR.replace("4 mg", "6 mg"))  # an emptied library would ask
    sync()
    write(seeds / "refused.md", FOUR)
    sync()
    library.known["refused.md"] = library.known["refused.md"]._replace(live=False)
    path.unlink()
    assert sync(hours_later=1).removed == ["a.md"]
    (last,) = [s for batch in library.batches for s in batch.snapshots if s.path == "refused.md"][
        1:
    ]
    assert (last.moved_from, last.candidates) == (None, ())


def of_an_earlier_version(known):
    return known._replace(stamp=known.stamp._replace(ctime_ns=0))


def test_a_file_without_a_ctime_is_hashed_once(sync, path, library):
    sync(hours_later=1)
    wanted = library.known["a.md"]
    library.known["a.md"] = of_an_earlier_version(wanted)
    found = sync(hours_later=2, dry_run=True)
    assert (found.changed, found.unchanged) == (0, 1)
    for hours, sent in ((2, 1), (3, 0)):
        library.taken.clear()
        sync(hours_later=hours)
        assert len(library.taken) == sent
    assert library.known["a.md"].stamp == wanted.stamp


def test_many_files_without_a_ctime_do_not_keep_edits_waiting(watch, sync, seeds, library):
    for number in range(200):
        path = write(seeds / f"page-{number}.md", a_seed(title=f"Page {number}"))
        os.utime(path, THEN)  # a file that is still warm would settle first
    sync(hours_later=1)
    for path, known in library.known.items():
        library.known[path] = of_an_earlier_version(known)
    library.taken.clear()
    watch()
    wait_until(lambda: len(library.taken) == 200, what="each file to be read")
    assert {taken.queue for taken in library.taken} == {"bulk"}
    assert all(known.stamp.ctime_ns for known in library.known.values())


def test_a_ctime_is_not_asked_for_while_a_worker_cannot_read_it(watch, sync, path, library):
    sync(hours_later=1)
    library.known["a.md"] = of_an_earlier_version(library.known["a.md"])
    library.taken.clear()
    library.reads_format = SHARED_FORMAT
    watching = watch(polling=True, polling_seconds=0.1)
    watching.scans_again()
    assert library.taken == []
    write(path.parent / "b.md", FOUR)
    watching.sees("b.md", FOUR)
    assert library.batches[-1].snapshots[-1].stamp.ctime_ns == 0
    library.reads_format = 3
    wait_until(lambda: library.known["a.md"].stamp.ctime_ns, what="the ctime of the old row")


def test_a_file_system_without_change_times_is_named(watch, monkeypatch, caplog, seeds):
    monkeypatch.setattr(file_system, "file_system_of", lambda _root: "cifs")
    watch()
    assert "the folder is on cifs, which may not say when a file changed" in caplog.text
    assert "`content-sync sync --full`" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names its file systems")
def test_the_file_system_of_the_tests_says_when_files_change(seeds):
    assert file_system.file_system_of(str(seeds))
    assert file_system.without_change_times(str(seeds)) is None
