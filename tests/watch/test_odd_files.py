"""Files at the limits of a file system are taken in, or named and left out; neighbours are stored."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress

import pytest
from support.programs import run, started
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.domain.seeds.names import MOST_PATH_BYTES
from worker.settings.model import WatchSettings
from worker.watch.ignore import seed_names
from worker.watch.read import make_stamp, stamp_of
from worker.watch.scan import walk

YEAR_2300_NS = 10_413_792_000 * 10**9
LARGEST = 2**63 - 1


def paths_in(store_url, cwd):
    answer = run("list", "--json", cwd=cwd, env={"CONTENT_SYNC_STORE_URL": store_url})
    assert answer.returncode == 0, answer.stderr
    return {row["path"]: row["number"] for row in json.loads(answer.stdout)}


def a_far_page(seeds, name):
    page = write(seeds / name, a_seed(title=f"Page {name}"))
    os.utime(page, ns=(YEAR_2300_NS, YEAR_2300_NS))
    if page.stat().st_mtime_ns <= LARGEST:
        pytest.skip("this file system keeps no time beyond 2262")
    return page


def a_deep_path(size, *, name="page.md"):
    """Return a path of `size` bytes in incompressible folders of 200 letters."""
    folders = ""
    while (rest := size - len(folders) - len(name)) > 203:
        folders += os.urandom(100).hex() + "/"
    return folders + os.urandom(101).hex()[: rest - 1] + "/" + name


def write_deep(seeds, path, text):
    """Write a file whose path may be longer than the system allows in one call."""
    *folders, name = path.split("/")
    current = os.open(seeds, os.O_RDONLY)
    for folder in folders:
        with suppress(FileExistsError):
            os.mkdir(folder, dir_fd=current)
        inner = os.open(folder, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = inner
    with os.fdopen(
        os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=current), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    os.close(current)


@pytest.mark.parametrize("mtime_ns", [YEAR_2300_NS, -YEAR_2300_NS, 2**63, -(2**63)])
def test_a_stamp_holds_no_time_that_a_store_cannot(tmp_path, mtime_ns):
    class Found:
        st_size, st_ino, st_mtime_ns, st_ctime_ns = 5, 7, mtime_ns, mtime_ns

    bounded = LARGEST if mtime_ns > 0 else -LARGEST
    assert make_stamp(Found())[1:] == (bounded, 7, bounded)


def test_a_stamp_of_a_file_never_has_the_ctime_of_an_unknown_one(tmp_path):
    class Found:
        st_size, st_ino, st_mtime_ns, st_ctime_ns = 5, 7, 0, 0

    assert make_stamp(Found()) == (5, 0, 7, 1)


def test_a_walk_and_a_look_give_a_file_of_the_year_2300_the_same_stamp(seeds):
    a_far_page(seeds, "far.md")
    (seen,) = [seen for page in walk(seed_names(seeds, WatchSettings())).pages for seen in page]
    assert seen[1:] == stamp_of(str(seeds), "far.md")


def test_sync_takes_in_a_file_of_the_year_2300_and_its_neighbours(tmp_path, seeds, store_url):
    page = a_far_page(seeds, "far.md")
    write(seeds / "near.md", a_seed(title="Near"))
    env = {"CONTENT_SYNC_STORE_URL": store_url}
    assert run("migrate", cwd=tmp_path, env=env).returncode == 0
    first = run("sync", cwd=tmp_path, env=env)
    assert (first.returncode, first.stderr) == (0, "")
    assert paths_in(store_url, tmp_path) == {"far.md": 1, "near.md": 1}

    page.write_text(a_seed(title="Edited"))
    os.utime(page, ns=(YEAR_2300_NS, YEAR_2300_NS))
    assert run("sync", cwd=tmp_path, env=env).returncode == 0
    assert paths_in(store_url, tmp_path) == {"far.md": 2, "near.md": 1}
    again = run("sync", "--json", cwd=tmp_path, env=env)
    assert json.loads(again.stdout)["unchanged"] == 2


def test_a_running_service_takes_in_files_of_the_year_2300(tmp_path, seeds):
    for number in range(10):
        a_far_page(seeds, f"far-{number}.md")
        write(seeds / f"near-{number}.md", a_seed(title=f"Near {number}"))
    with started("up", cwd=tmp_path) as up:
        up.wait_for("Ctrl-C stops")
        a_far_page(seeds, "late.md")
        up.wait_for("late.md")
        for number in range(10):
            up.wait_for(f"far-{number}.md")
        assert "Traceback" not in up.output
    pages = paths_in("sqlite:///var/content-sync.db", tmp_path)
    assert len(pages) == 21
    assert set(pages.values()) == {1}


def test_a_path_at_the_limit_is_stored_and_a_longer_one_is_named_and_left_out(
    tmp_path, seeds, store_url
):
    env = {"CONTENT_SYNC_STORE_URL": store_url}
    assert run("migrate", cwd=tmp_path, env=env).returncode == 0
    longest = a_deep_path(MOST_PATH_BYTES)
    assert len(longest.encode()) == MOST_PATH_BYTES
    too_long = [longest.removesuffix("page.md") + "page2.md", a_deep_path(3421)]
    for number, path in enumerate([longest, *too_long, "near.md"]):
        write_deep(seeds, path, a_seed(title=f"Page {number}"))

    done = run("sync", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert paths_in(store_url, tmp_path) == {longest: 1, "near.md": 1}
    assert done.stderr.replace("\n", "").count("its path has more than 1,024 bytes") == 2


def test_a_running_service_names_a_path_that_is_too_long_once(watch, page, caplog):
    caplog.set_level(logging.INFO)
    watching = watch(scan_seconds=0.2)
    path = a_deep_path(MOST_PATH_BYTES + 1)
    write_deep(watching.seeds, path, page)
    write(watching.seeds / "near.md", page)
    watching.sees("near.md", page)
    wait_until(lambda: "its path has more than 1,024 bytes" in caplog.text)
    watching.scans_again()
    assert caplog.text.count("its path has more than 1,024 bytes") == 1
    assert {taken.path for taken in watching.library.taken} == {"near.md"}


def test_letters_of_several_bytes_count_as_bytes(seeds):
    names = seed_names(seeds, WatchSettings())
    folder = "\N{DEVANAGARI LETTER KA}" * 80
    within = f"{folder}/" * 4 + "a" * (MOST_PATH_BYTES - 4 * 241 - 3) + ".md"
    assert len(within.encode()) == MOST_PATH_BYTES
    assert names.is_seed(within)
    assert not names.is_seed("a" + within)
