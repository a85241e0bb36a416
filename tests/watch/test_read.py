from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest
from support.seeds import write
from support.waiting import wait_until

from worker.domain.seeds import codes
from worker.watch import read
from worker.watch.read import Absent, Busy, Content, NotAFile, Unread, read_file, stamp_of

LIMIT = 1000


def reading(seeds, path="a.md", **options):
    return read_file(str(seeds), path, max_bytes=LIMIT, **options)


def test_a_file_is_read_whole_with_its_stamp(seeds):
    path = write(seeds / "part/a.md", "text\n")
    found = reading(seeds, "part/a.md")
    assert isinstance(found, Content)
    assert found.data == b"text\n"
    assert found.stamp == stamp_of(str(seeds), "part/a.md")
    assert found.stamp.mtime_ns == path.stat().st_mtime_ns
    assert len(found.sha256) == 64


def test_an_empty_file_is_content(seeds):
    write(seeds / "a.md", "")
    assert isinstance(reading(seeds), Content)


def test_a_missing_file_is_absent(seeds):
    write(seeds / "file.md", "text\n")
    for path in ("a.md", "part/a.md", "file.md/a.md", "a" * 300 + ".md"):
        assert reading(seeds, path) == Absent()
        assert stamp_of(str(seeds), path) is None


def test_a_file_over_the_limit_is_refused_unread(seeds):
    write(seeds / "a.md", "x" * (LIMIT + 1))
    found = reading(seeds)
    assert isinstance(found, Unread)
    assert found.code == codes.TOO_LARGE
    assert found.detail == "1,001 bytes; the limit is 1,000"
    write(seeds / "a.md", "x" * LIMIT)
    assert isinstance(reading(seeds), Content)


def test_no_link_leads_out_of_the_folder(seeds, tmp_path):
    write(tmp_path / "outside/a.md", "secret\n")
    (seeds / "a.md").symlink_to(tmp_path / "outside/a.md")
    (seeds / "part").symlink_to(tmp_path / "outside")
    assert reading(seeds) == NotAFile(reason="it is a symbolic link")
    assert reading(seeds, "part/a.md") == Absent()
    assert stamp_of(str(seeds), "part/a.md") is None


def test_only_regular_files_are_opened(seeds):
    os.mkfifo(seeds / "a.md")
    assert reading(seeds) == NotAFile(reason="it is not a regular file")
    (seeds / "b.md").mkdir()
    assert reading(seeds, "b.md") == NotAFile(reason="it is a folder")


def test_a_file_open_for_writing_is_busy(seeds):
    path = write(seeds / "a.md", "half\n")
    with path.open("a"):
        assert reading(seeds) == Busy()
        assert reading(seeds, closed=True) == Busy()
        assert isinstance(reading(seeds, forced=True), Content)
    assert isinstance(reading(seeds), Content)


def test_a_reader_of_the_file_does_not_make_it_busy(seeds):
    path = write(seeds / "a.md", "text\n")
    with path.open():
        assert isinstance(reading(seeds), Content)


def test_a_file_that_grows_while_it_is_read_is_busy(seeds, monkeypatch):
    """Where no lease keeps the writer out."""
    path = write(seeds / "a.md", "text\n")
    read_all = read._read_all

    def and_grow(opened, size):
        data = read_all(opened, size)
        with path.open("a") as file:
            file.write("more\n")
        return data

    monkeypatch.setattr(read, "take_lease", lambda _opened: None)
    monkeypatch.setattr(read, "_read_all", and_grow)
    assert reading(seeds) == Busy()
    assert reading(seeds, forced=True) == Busy()


def test_a_recently_modified_file_is_busy_without_a_lease_unless_it_was_closed(seeds, monkeypatch):
    write(seeds / "a.md", "text\n")
    monkeypatch.setattr(read, "take_lease", lambda _opened: None)
    at = (seeds / "a.md").stat().st_mtime
    assert reading(seeds, now_seconds=at + 0.9) == Busy()
    assert isinstance(reading(seeds, now_seconds=at + 0.9, closed=True), Content)
    assert isinstance(reading(seeds, now_seconds=at + 1.1), Content)
    assert isinstance(reading(seeds, now_seconds=at - 100), Content)


def test_a_writer_during_the_lease_does_not_end_the_process(seeds):
    """The default signal of a broken lease, SIGIO, would: a whole process tries it."""
    path = write(seeds / "a.md", "text\n")
    script = f"""
import fcntl, os, signal, threading
opened = os.open({str(path)!r}, os.O_RDONLY)
fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)
fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
writer = threading.Thread(target=lambda: open({str(path)!r}, "a").close())
writer.start()
while fcntl.fcntl(opened, fcntl.F_GETLEASE) == fcntl.F_RDLCK:
    pass
fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
writer.join()
print("alive")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout == "alive\n", done


def test_reading_beside_a_constant_writer_never_gives_half_a_file(seeds):
    path = write(seeds / "a.md", "0" * 500)
    done = threading.Event()
    versions = [str(number) * 500 for number in range(10)]

    def keep_writing():
        number = 0
        while not done.is_set():
            number += 1
            with path.open("w") as file:
                file.write(versions[number % 10])

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        contents = 0
        while contents < 100:
            found = reading(seeds)
            if isinstance(found, Content):
                contents += 1
                assert found.data.decode() in versions
    finally:
        done.set()
        writer.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_file_without_read_permission_is_refused(seeds):
    seeds.chmod(0o755)
    path = write(seeds / "a.md", "text\n")
    path.chmod(0o600)
    shut = seeds / "shut"
    write(shut / "b.md", "text\n")
    shut.chmod(0o700)
    opened = os.open(seeds, os.O_RDONLY)  # the folders above belong to root alone
    script = f"""
from worker.watch.read import read_file, stamp_of
import os
os.setgid(65534), os.setuid(65534)
root = "/proc/self/fd/{opened}"
print(read_file(root, "a.md", max_bytes=9))
print(read_file(root, "shut/b.md", max_bytes=9))
try:
    stamp_of(root, "shut/b.md")
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        pass_fds=[opened],
        capture_output=True,
        text=True,
    )
    os.close(opened)
    lines = done.stdout.splitlines()
    assert f"code='{codes.NO_PERMISSION}'" in lines[0], done.stderr
    assert "Permission denied" in lines[0]
    assert lines[1:] == ["Busy()", "Permission denied"]


def test_a_writer_waits_for_the_read_and_then_continues(seeds, monkeypatch):
    path = write(seeds / "a.md", "text\n")
    writers = []
    read_all = read._read_all

    def slowly(opened, size):
        assert fcntl.fcntl(opened, fcntl.F_GETLEASE) == fcntl.F_RDLCK
        writers.append(threading.Thread(target=path.write_text, args=("new text\n",)))
        writers[-1].start()
        wait_until(
            lambda: fcntl.fcntl(opened, fcntl.F_GETLEASE) == fcntl.F_UNLCK
        )  # asked to let go
        return read_all(opened, size)

    monkeypatch.setattr(read, "_read_all", slowly)
    found = reading(seeds)
    assert isinstance(found, Content)
    assert found.data == b"text\n"
    writers[0].join()
    assert path.read_text() == "new text\n"
    assert signal.getsignal(signal.SIGURG) == signal.SIG_DFL
