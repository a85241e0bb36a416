"""Full disks, vanished mounts and used-up watches: the embedded service in a namespace of its own."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import contextmanager

import pytest
from faults.deployment import Library, quick_settings, without_patience
from faults.hands import Hands
from faults.installation import IMPATIENT
from faults.namespace import inside, require_namespaces, run_in, seen_by
from support.peers import mail_server
from support.programs import Process, run
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.errors import StoreUnavailableError
from worker.store.engine import Store

PAGES = 40
#: No scan but the first and those that a doubt asks for, so that noticing is tested.
NO_SCANS = {"CONTENT_SYNC_WATCH__SCAN_SECONDS": "3600"}
#: More than `doctor` wants to see free, so that it is green before and after.
DISK_MEBIBYTES = 130


@pytest.fixture(autouse=True)
def _namespaces():
    require_namespaces()


@pytest.fixture
def post():
    with mail_server() as running:
        yield running


@contextmanager
def up(folder, env, script):
    process = Process(
        "up", cwd=folder, env=env, program=("-P", str(IMPATIENT)), inside=inside(script)
    )
    try:
        process.wait_for("Ctrl-C stops")
        yield process
        assert process.stop() == 0
    except BaseException as error:
        error.add_note(process.output)
        raise
    finally:
        process.kill()


def settles(differences):
    """Wait until folder and store are equal and every notice was sent."""
    wait_until(
        lambda: not (left := differences()) or Different(left),
        what="folder and store to be equal",
    )


class Different(list):
    """What differs: no success, and worth showing."""

    def __bool__(self):
        return False


def is_well(env, cwd):
    checks = json.loads(run("doctor", "--json", cwd=cwd, env=without_patience(env)).stdout)
    return checks["ok"] or Different(c for c in checks["checks"] if not c["ok"])


class CopiedLibrary:
    """A library whose store is on a disk that only a namespace sees: each question reads a copy.

    SQLite resolves links by itself, so that it cannot open the file through `/proc`.
    """

    def __init__(self, seeds, post, disk, folder):
        self.seeds, self.post, self.disk = seeds, post, disk
        self.copy = folder / "copy"
        self.copy.mkdir()

    def differences(self):
        for name in ("content-sync.db", "content-sync.db-wal"):
            shutil.copyfile(self.disk / name, self.copy / name)
        store = Store(f"sqlite:///{self.copy}/content-sync.db")
        try:
            with store.read() as connection:
                intact = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
            left = Library(seeds=self.seeds, store=store, post=self.post).differences()
        except StoreUnavailableError as error:  # copied while it was written
            return [str(error)]
        finally:
            store.close()
        return left if intact == "ok" else [intact, *left]


def test_a_full_disk_only_delays_pages(tmp_path, seeds, post):
    """The disk of the store is full while people write; then there is room again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    env = {
        **quick_settings(post.port),
        "CONTENT_SYNC_STORE_URL": f"sqlite:///{disk}/content-sync.db",
    }
    hands = Hands(seeds, 9)
    script = f"mount -t tmpfs -o size={DISK_MEBIBYTES}m tmpfs '{disk}'"
    with up(tmp_path, env, script) as process:
        library = CopiedLibrary(seeds, post, seen_by(process.pid, disk), tmp_path)
        hands.work(1)
        settles(library.differences)

        run_in(process.pid, f"dd if=/dev/zero of='{disk}/ballast' bs=64k 2>/dev/null || true")
        for number in range(PAGES):
            write(seeds / f"late/{number}.md", a_seed(title=f"Late {number}"))
        process.wait_for("database or disk is full")
        hands.work(1)
        assert library.differences()
        assert process.exit_code is None

        run_in(process.pid, f"rm '{disk}/ballast'")
        settles(library.differences)
        asked = (
            f"cd '{tmp_path}' && CONTENT_SYNC_STORE_URL=sqlite:///{disk}/content-sync.db"
            f" '{sys.executable}' -m worker doctor --json || true"
        )
        wait_until(lambda: json.loads(run_in(process.pid, asked))["ok"], what="doctor to be green")


def test_an_unmounted_folder_is_held_reported_and_watched_again(tmp_path, seeds, post):
    keep = tmp_path / "keep"
    keep.mkdir()
    env = {
        **quick_settings(post.port),
        **NO_SCANS,
        "CONTENT_SYNC_SEEDS": str(seeds),
        "CONTENT_SYNC_BRAKE__SHARE": "0.2",
        "CONTENT_SYNC_BRAKE__COUNT": "10",
    }
    mounted = f"mount -t tmpfs tmpfs '{keep}'; mount --bind '{keep}' '{seeds}'"
    with up(tmp_path, env, mounted) as process:
        there = seen_by(process.pid, seeds)
        store = Store(f"sqlite:///{tmp_path}/var/content-sync.db")
        library = Library(seeds=there, store=store, post=post)
        for number in range(PAGES):
            write(there / f"part-{number % 4}/{number}.md", a_seed(title=f"Page {number}"))
        settles(library.differences)

        run_in(process.pid, f"umount '{seeds}'")
        wait_until(lambda: subjects(post, "waits for a person"), what="the alarm")
        assert states(store) == {"live": PAGES}

        run_in(process.pid, f"mount -t tmpfs tmpfs '{seeds}'")  # an empty one in its place
        write(there / "part-0/0.md", a_seed(title="All that is left"))
        settles(lambda: missing(store, "All that is left"))
        assert states(store) == {"live": PAGES}
        run_in(process.pid, f"umount '{seeds}'")

        write(seen_by(process.pid, keep) / "part-0/0.md", a_seed(title="Edited meanwhile"))
        run_in(process.pid, f"mount --bind '{keep}' '{seeds}'")
        settles(library.differences)
        write(there / "new/after.md", a_seed(title="After"))
        settles(library.differences)
        assert states(store) == {"live": PAGES + 1}
        # The folder as `doctor` sees it from outside is the empty one below the mount.
        wait_until(lambda: is_well(env, tmp_path), what="doctor")
        store.close()


def test_exhausted_watches_lead_to_polling_and_no_file_is_missed(tmp_path, seeds, post):
    env = {**quick_settings(post.port), **NO_SCANS, "CONTENT_SYNC_SEEDS": str(seeds)}
    with up(tmp_path, env, "echo 5 > /proc/sys/user/max_inotify_watches") as process:
        store = Store(f"sqlite:///{tmp_path}/var/content-sync.db")
        library = Library(seeds=seeds, store=store, post=post)
        for number in range(PAGES):
            write(seeds / f"part-{number}/a.md", a_seed(title=f"Page {number}"))
        settles(library.differences)
        for number in range(0, PAGES, 5):
            write(seeds / f"part-{number}/a.md", a_seed(title=f"Page {number}, edited"))
        settles(library.differences)
        assert "raise fs.inotify.max_user_watches" in process.output
        assert is_well(env, tmp_path)
        store.close()


def test_a_failing_watch_leads_to_polling(tmp_path, seeds, post):
    env = {**quick_settings(post.port), **NO_SCANS, "CONTENT_SYNC_SEEDS": str(seeds)}
    with up(tmp_path, env, "echo 0 > /proc/sys/user/max_inotify_instances") as process:
        store = Store(f"sqlite:///{tmp_path}/var/content-sync.db")
        library = Library(seeds=seeds, store=store, post=post)
        write(seeds / "a.md", a_seed())
        settles(library.differences)
        write(seeds / "a.md", a_seed(title="Edited"))
        settles(library.differences)
        assert "the system gives no file events" in process.output
        store.close()


def subjects(post, word):
    envelopes = [e.content.decode(errors="replace") for e in list(post.envelopes)]
    return [text for text in envelopes if word in text]


def missing(store, title):
    with store.read() as connection:
        titles = connection.exec_driver_sql("SELECT title FROM documents").scalars().all()
    return [] if title in titles else [title]


def states(store):
    with store.read() as connection:
        found = connection.exec_driver_sql("SELECT state, count(*) FROM documents GROUP BY state")
        return dict(map(tuple, found))
