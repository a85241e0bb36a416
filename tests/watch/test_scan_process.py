"""A walk in a separate process sees what a walk in this one sees, and falls back to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support.programs import clean_environment
from support.seeds import a_seed, write

from worker.settings.model import WatchSettings
from worker.watch.ignore import seed_names
from worker.watch.scan import walk

#: In a process of its own: that of the tests has threads, and is never forked.
WALK = """
import json, os, sys
from worker.settings.model import load_settings
from worker.watch import scan_process
forks, fork = [], os.fork
def counted():
    forks.append(1)
    return fork()
os.fork = counted
os.sched_getaffinity = lambda _: {0, 1}
exec(sys.argv[2])
begun = scan_process.walk_ahead(load_settings(seeds=sys.argv[1]))
pages = [seen for page in begun.pages for seen in page]
print(json.dumps([len(forks), sorted(pages), begun.unsure, begun.ignored]))
"""


@pytest.fixture
def seeds(seeds, tmp_path):
    for number in range(30):
        write(seeds / f"{number % 3}/{number % 5}/page-{number}.md", a_seed(title=f"{number}"))
    write(seeds / "ü/é.md", a_seed())
    write(seeds / "drafts/a.md", a_seed())
    write(seeds / ".seedignore", "drafts/\n")
    (seeds / "link.md").symlink_to(tmp_path / "nowhere")
    return seeds


def write_more_than_a_pipe_holds(seeds) -> None:
    """Write so many files that what a walk tells of them takes more than a megabyte."""
    deep = seeds.joinpath(*(letter * 250 for letter in "abcd"))
    deep.mkdir(parents=True)
    for number in range(1200):
        (deep / f"page-{number}.md").touch()


def walked_ahead(seeds, before: str = "") -> list:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WALK, str(seeds), before],
        capture_output=True,
        env=clean_environment(),
        check=True,
    )
    assert done.stderr == b""
    return json.loads(done.stdout)


def walked_here(seeds, forks: int) -> list:
    begun = walk(seed_names(seeds, WatchSettings()))
    pages = sorted(list(seen) for page in begun.pages for seen in page)
    return [forks, pages, begun.unsure, begun.ignored]


def test_the_scan_process_sees_what_a_walk_in_this_process_sees(seeds):
    found = walked_ahead(seeds)
    assert found == walked_here(seeds, forks=1)
    assert len(found[1]) == 31
    assert found[3] == {"link.md": "it is a symbolic link"}


def test_the_scan_process_works_where_children_are_reaped_automatically(seeds):
    forget = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    assert walked_ahead(seeds, forget) == walked_here(seeds, forks=1)


def test_a_partial_result_from_the_pipe_is_not_used(seeds):
    half = "dumps = scan_process.marshal.dumps; scan_process.marshal.dumps = lambda seen: dumps(seen)[:-1]"
    assert walked_ahead(seeds, half) == walked_here(seeds, forks=1)


def test_a_killed_scan_process_still_gives_each_file_once(seeds):
    kill = """
dumps, sent = scan_process.marshal.dumps, []
def kill(page):
    sent.append(page)
    return dumps(page) if len(sent) < 5 else os.kill(os.getpid(), 9)
scan_process.marshal.dumps = kill
"""
    assert walked_ahead(seeds, kill) == walked_here(seeds, forks=1)


def test_the_scan_process_walks_to_the_end_before_anyone_reads(seeds, tmp_path):
    """Who reads has to load its parts first."""
    write_more_than_a_pipe_holds(seeds)
    os.mkfifo(tmp_path / "ended")  # who opens it waits for the other side
    wait = f"""
walk, begin, ended = scan_process.walk, scan_process.walk_ahead, {str(tmp_path / "ended")!r}
def announced_at_its_end(names):
    begun = walk(names)
    pages = begun.pages
    def all_of_them():
        yield from pages
        open(ended, "w").close()
    begun.pages = all_of_them()
    return begun
def awaited(settings):
    begun = begin(settings)
    open(ended).close()
    return begun
scan_process.walk, scan_process.walk_ahead = announced_at_its_end, awaited
"""
    assert walked_ahead(seeds, wait) == walked_here(seeds, forks=1)


def test_the_scan_process_reports_a_missing_folder(tmp_path):
    assert walked_ahead(tmp_path / "nowhere") == [1, [], [], {}]


def test_the_scan_process_reports_folders_that_cannot_be_listed(seeds):
    refuse = """
opened = os.open
def refuse(path, *rest, **options):
    if path == "1":
        raise PermissionError(13, "Permission denied")
    return opened(path, *rest, **options)
os.open = refuse
"""
    _, pages, unsure, *_ = walked_ahead(seeds, refuse)
    assert (len(pages), unsure) == (21, ["1"])


def test_the_scan_process_ends_without_a_reader(seeds):
    """As when the store cannot be opened: nothing of `sync` may stay behind."""
    write_more_than_a_pipe_holds(seeds)
    forget = (
        "walk_ahead = scan_process.walk_ahead;"
        "scan_process.walk_ahead = lambda s: sys.exit(bool(walk_ahead(s)))"
    )
    with pytest.raises(subprocess.CalledProcessError):  # it holds our pipe until it has ended
        walked_ahead(seeds, forget)


@pytest.mark.parametrize(
    ("broken", "forks"),
    [
        ("scan_process.marshal.dumps = None", 1),
        (
            (
                "dumps = scan_process.marshal.dumps;"
                "scan_process.marshal.dumps = lambda _: os.kill(os.getpid(), 9)"
            ),
            1,
        ),
        ("def fork(): raise BlockingIOError(11, 'no more processes')", 1),
        (
            "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
            0,
        ),
        ("os.sched_getaffinity = lambda _: {0}", 0),
        ("sys.platform = 'darwin'", 0),
    ],
    ids=["fails", "is-killed", "cannot-be-made", "threads", "one-processor", "another-system"],
)
def test_the_walk_runs_in_this_process_if_a_fork_fails_or_gains_nothing(seeds, broken, forks):
    assert walked_ahead(seeds, broken) == walked_here(seeds, forks)
