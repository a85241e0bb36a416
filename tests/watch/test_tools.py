"""Editors, copies and version control, with the system calls that they really make."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import threading
import time

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until

BIG = "Drink enough.\n" * 4000


def half_files(watching, *whole: str) -> list[bytes]:
    """Return what was sent and is none of the whole contents."""
    allowed = {text.encode() for text in whole}
    return [t.data for t in watching.library.taken if t.data is not None and t.data not in allowed]


def save_as_vim_does(path, text: str) -> None:
    probe = path.parent / "4913"
    probe.touch()
    probe.unlink()
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    opened = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(opened, text.encode())
    os.fsync(opened)
    os.close(opened)
    backup.unlink()


def save_by_rename(path, text: str, temporary: str) -> None:
    write(path.parent / temporary, text)
    (path.parent / temporary).replace(path)


def test_vim_saves_a_page(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.sees("a.md", page)
    save_as_vim_does(path, page + "One more line.\n")
    watching.sees("a.md", page + "One more line.\n")
    assert half_files(watching, page, page + "One more line.\n") == []
    assert watching.library.removed == []
    assert {t.path for t in watching.library.taken} == {"a.md"}


@pytest.mark.skipif(not shutil.which("vim"), reason="there is no vim on this machine")
def test_the_real_vim_saves_a_page(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.sees("a.md", page)
    script = ["-c", "normal Goanother line", "-c", "wq"]
    subprocess.run(["vim", "-u", "NONE", "-es", *script, path], check=True)
    assert path.read_text() == page + "another line\n"
    watching.settles()
    assert watching.library.removed == []


def test_vs_code_truncates_and_writes_in_place(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.sees("a.md", page)
    with path.open("w") as file:
        file.write(page + BIG)
    watching.sees("a.md", page + BIG)
    assert half_files(watching, page, page + BIG) == []


@pytest.mark.parametrize(
    "temporary", [".a.md.aB3xYz", "a.md.tmp", ".~a.md", "a.md.crdownload", "~syncthing~a.md"]
)
def test_a_temporary_file_is_renamed_over_the_page(watching, page, temporary):
    path = write(watching.seeds / "a.md", page)
    watching.sees("a.md", page)
    save_by_rename(path, page + BIG, temporary)
    watching.sees("a.md", page + BIG)
    assert {t.path for t in watching.library.taken} == {"a.md"}
    assert watching.library.removed == []


def test_cp_copies_a_file_into_the_folder(watching, page, tmp_path):
    outside = write(tmp_path / "a.md", page + BIG)
    subprocess.run(["cp", outside, watching.seeds / "a.md"], check=True)
    subprocess.run(["cp", "-p", outside, watching.seeds / "b.md"], check=True)
    watching.settles()
    assert half_files(watching, page + BIG) == []


def test_cp_copies_a_tree_into_the_folder(watching, tmp_path):
    for number in range(300):
        write(
            tmp_path / f"tree/part-{number % 7}/deep/page-{number}.md",
            a_seed(title=f"Page {number}"),
        )
    subprocess.run(["cp", "-r", tmp_path / "tree", watching.seeds / "tree"], check=True)
    watching.settles()
    assert len(watching.library.content) == 300


def test_a_file_is_moved_into_out_of_and_within_the_folder(watching, page, tmp_path):
    write(watching.seeds / "stays.md", a_seed(title="Stays"))
    outside = write(tmp_path / "a.md", page)
    outside.rename(watching.seeds / "a.md")
    watching.sees("a.md", page)
    (watching.seeds / "sub").mkdir()
    (watching.seeds / "a.md").rename(watching.seeds / "sub/b.md")
    watching.sees("sub/b.md", page)
    watching.settles()
    assert watching.library.moved == {"sub/b.md": "a.md"}
    assert watching.library.removed == []
    (watching.seeds / "sub/b.md").rename(tmp_path / "out.md")
    watching.settles()
    assert watching.library.removed == ["sub/b.md"]


def test_a_folder_is_moved_within_the_library(watching):
    for number in range(30):
        write(watching.seeds / f"old/deep/page-{number}.md", a_seed(title=f"Page {number}"))
    watching.settles()
    (watching.seeds / "old").rename(watching.seeds / "new")
    watching.settles()
    assert watching.library.moved == {
        f"new/deep/page-{n}.md": f"old/deep/page-{n}.md" for n in range(30)
    }
    assert watching.library.removed == []
    assert watching.library.held is None


def test_a_folder_is_moved_out_and_back(watching, tmp_path):
    write(watching.seeds / "stays.md", a_seed(title="Stays"))
    for number in range(5):
        write(watching.seeds / f"part/page-{number}.md", a_seed(title=f"Page {number}"))
    watching.settles()
    (watching.seeds / "part").rename(tmp_path / "part")
    watching.settles()
    assert len(watching.library.removed) == 5
    (tmp_path / "part").rename(watching.seeds / "again")
    watching.settles()
    write(watching.seeds / "again/page-1.md", a_seed(title="Changed"))
    watching.settles()


def test_a_page_renamed_over_another_moves_there(watching, page):
    other = a_seed(title="Other")
    write(watching.seeds / "a.md", page)
    write(watching.seeds / "b.md", other)
    watching.settles()
    (watching.seeds / "a.md").replace(watching.seeds / "b.md")
    watching.settles()
    assert watching.library.content == {"b.md": page.encode()}
    assert watching.library.moved == {"b.md": "a.md"}


def test_a_copy_is_not_a_move(watching, page):
    write(watching.seeds / "a.md", page)
    watching.settles()
    shutil.copy2(watching.seeds / "a.md", watching.seeds / "b.md")
    watching.settles()
    assert watching.library.moved == {}


def test_rsync_writes_a_temporary_file_and_renames_it(watching, tmp_path):
    for number in range(20):
        write(tmp_path / f"from/page-{number}.md", a_seed(title=f"Page {number}"))
    if shutil.which("rsync"):
        subprocess.run(["rsync", "-a", f"{tmp_path}/from/", f"{watching.seeds}/"], check=True)
    else:
        for source in (tmp_path / "from").iterdir():
            temporary = watching.seeds / f".{source.name}.Xy12Zz"
            opened = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(opened, source.read_bytes())
            os.close(opened)
            times = source.stat()
            os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))
            temporary.chmod(0o644)
            temporary.rename(watching.seeds / source.name)
    watching.settles()
    assert len(watching.library.content) == 20


def test_git_checks_out_another_branch(watching, tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=watching.seeds, check=True, capture_output=True
        )

    for number in range(40):
        write(
            watching.seeds / f"part-{number % 3}/page-{number}.md", a_seed(title=f"Page {number}")
        )
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "Pages")
    git("checkout", "-q", "-b", "other")
    for number in range(20):
        write(watching.seeds / f"part-{number % 3}/page-{number}.md", a_seed(title=f"New {number}"))
    (watching.seeds / "part-0/page-39.md").unlink()
    write(watching.seeds / "fresh/page.md", a_seed(title="Fresh"))
    git("add", ".")
    git("commit", "-qm", "Changes")
    watching.settles()
    for branch in ("main", "other", "main"):
        git("checkout", "-q", branch)
        watching.settles()
    assert not any(t.path.startswith(".git") for t in watching.library.taken)


def test_the_watcher_waits_for_a_slow_writer(watching, page):
    path = watching.seeds / "a.md"
    whole = page + BIG
    with path.open("w") as file:
        for start in range(0, len(whole), 20_000):
            file.write(whole[start : start + 20_000])
            file.flush()
            threading.Event().wait(0.3)
        assert watching.library.taken == []
    watching.sees("a.md", whole)
    assert half_files(watching, whole) == []


def test_a_file_that_stays_open_is_read_in_the_end(watch, page):
    watching = watch(max_wait_seconds=1)
    with (watching.seeds / "a.md").open("w") as file:
        file.write(page)
        file.flush()
        watching.sees("a.md", page)


def test_the_last_of_ten_saves_in_a_second_wins(watching, page):
    path = watching.seeds / "a.md"
    versions = [page + f"Version {number}.\n" for number in range(10)]
    for text in versions:
        save_by_rename(path, text, ".a.md.tmp")
        time.sleep(0.1)
    watching.sees("a.md", versions[-1])
    assert half_files(watching, *versions) == []


def test_a_burst_of_saves_without_a_pause_ends_with_the_last(watching, page):
    path = watching.seeds / "a.md"
    versions = [page + f"{number:06}\n" for number in range(500)]  # all of one size
    for text in versions:
        save_by_rename(path, text, ".a.md.tmp")
    watching.sees("a.md", versions[-1])
    for text in reversed(versions):
        path.write_text(text)
    watching.sees("a.md", versions[0])


def test_a_folder_is_deleted_and_made_again(watch, page):
    watching = watch(removal_ms=3000)
    for round_ in range(5):
        shutil.rmtree(watching.seeds / "part", ignore_errors=True)
        write(watching.seeds / "part/deep/a.md", page + f"Round {round_}.\n")
    watching.sees("part/deep/a.md", page + "Round 4.\n")
    watching.settles()
    write(watching.seeds / "part/deep/b.md", page)
    watching.settles()
    assert watching.library.removed == []


def test_a_page_recreated_within_the_wait_is_not_a_removal(watch, page):
    watching = watch(removal_ms=3000)
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    path.unlink()
    write(path, page + "Again.\n")
    watching.sees("a.md", page + "Again.\n")
    write(watching.seeds / "last.md", page)
    watching.settles()
    assert watching.library.removed == []


def test_a_deleted_page_is_removed(watching, page):
    write(watching.seeds / "stays.md", a_seed(title="Stays"))
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    path.unlink()
    watching.settles()
    assert watching.library.removed == ["a.md"]
    assert watching.library.of("a.md")[-1].queue == "live"


def test_a_page_written_through_mmap_is_seen(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[-5:-1] = b"over"
        memory.flush()
    watching.settles()
    assert watching.library.content["a.md"].endswith(b"over\n")


def test_an_append_is_seen(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    with path.open("a") as file:
        file.write("One more.\n")
    watching.sees("a.md", page + "One more.\n")


def test_a_touched_page_is_sent_once_more_for_its_stamp(watching, page):
    path = write(watching.seeds / "a.md", page)
    watching.settles()
    os.utime(path, (1_700_000_000, 1_700_000_000))
    wait_until(lambda: watching.library.known["a.md"].stamp.mtime_ns == 1_700_000_000 * 10**9)
    assert watching.library.content == {"a.md": page.encode()}


def test_two_concurrent_writers_end_with_the_content_on_disk(watching, page):
    path = watching.seeds / "a.md"

    def write_often(mark):
        for number in range(100):
            save_by_rename(path, page + f"{mark} {number}\n", f".{mark}.tmp")

    writers = [threading.Thread(target=write_often, args=(mark,)) for mark in "xy"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    watching.settles()
