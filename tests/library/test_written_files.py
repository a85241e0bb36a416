"""A replaced file stays whose it was, and as closed as it was; what killed processes left is swept."""

import os
import signal
import stat
import struct
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.seeds import a_seed, write
from support.stored import a_library

from worker import atomic_write
from worker.atomic_write import replace_whole
from worker.domain.seeds.names import is_temporary

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
ALICE, BOB, TEAM, OTHER_TEAM, GUEST = 54321, 54322, 54400, 54401, 54500
ACCESS_LIST, INHERITED_LIST = "system.posix_acl_access", "system.posix_acl_default"


def access_list(*, guest=6, group=6, mask=6, other=0):
    """Return an access list in which one more person, a guest, has rights."""
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, guest, GUEST), (4, group, nobody), (16, mask, nobody)]
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry) for entry in [*entries, (32, other, nobody)]
    )


def give(path, name, value):
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"this file system has no {name}: {error}")


def attributes(path):
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@contextmanager
def opened(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def replace(path, **options):
    with opened(path.parent) as folder:
        replace_whole(folder, path.name, b"new\n", **options)


def as_user(script, *, folder, user, groups):
    """Run Python as another user in a folder that is open already; those above it belong to root."""
    begin = f"import os\nfolder = {folder}\n" + script.replace(
        "BECOME", f"os.setgroups({groups[1:]}), os.setgid({groups[0]}), os.setuid({user})"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin],
        check=False,
        pass_fds=[folder],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


REPLACE = """
from worker.atomic_write import replace_whole
BECOME
try:
    replace_whole(folder, "a.md", b"new")
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture
def page(tmp_path):
    """Return a page of Alice's in a folder of her team."""
    page = write(tmp_path / "seeds" / "a.md", "old\n")
    os.chown(page, ALICE, TEAM)
    page.chmod(0o660)
    os.chown(page.parent, ALICE, TEAM)
    page.parent.chmod(0o770)
    return page


def replaced_by_bob(page, groups):
    with opened(page.parent) as folder:
        said = as_user(REPLACE, folder=folder, user=BOB, groups=groups)
    return said.strip(), page.stat()


@ROOT
def test_root_keeps_the_owner_the_group_and_the_mode(page):
    replace(page)
    found = page.stat()
    assert (found.st_uid, found.st_gid) == (ALICE, TEAM)
    assert stat.S_IMODE(found.st_mode) == 0o660


@ROOT
def test_a_member_of_the_group_does_not_take_the_file_away_from_it(page):
    said, found = replaced_by_bob(page, [OTHER_TEAM, TEAM])
    assert said == ""
    assert page.read_text() == "new"
    assert (found.st_uid, found.st_gid) == (BOB, TEAM)
    assert stat.S_IMODE(found.st_mode) == 0o660


@ROOT
def test_a_group_that_cannot_be_kept_opens_the_file_to_no_other(page):
    page.parent.chmod(0o777)
    page.chmod(0o664)
    _, found = replaced_by_bob(page, [OTHER_TEAM])
    assert (found.st_uid, found.st_gid) == (BOB, OTHER_TEAM)
    assert stat.S_IMODE(found.st_mode) == 0o644


@ROOT
def test_a_group_in_an_access_list_is_kept_or_the_file_stays(page):
    page.parent.chmod(0o777)
    give(page, ACCESS_LIST, access_list(other=6))
    said, found = replaced_by_bob(page, [OTHER_TEAM])
    assert said == "its group and its access list cannot be kept"
    assert (found.st_uid, found.st_gid, page.read_text()) == (ALICE, TEAM, "old\n")
    assert [path.name for path in page.parent.iterdir()] == ["a.md"]


@pytest.fixture
def reachable():
    """Return a folder that every user can reach, as nobody can reach root's temporary folders."""
    with tempfile.TemporaryDirectory(prefix="content-sync-test-") as folder:
        os.chown(folder, ALICE, TEAM)
        Path(folder).chmod(0o2775)
        yield Path(folder)


@ROOT
def test_a_review_by_a_member_of_the_group_keeps_the_group(reachable):
    store, seeds = f"sqlite:///{reachable}/store.db", reachable / "seeds"
    pages = [write(seeds / name, a_seed(title=name)) for name in ("warm.md", "a.md")]
    with a_library(store, seeds=seeds) as library:
        library.take_in({page.name: page.read_text() for page in pages})
    for path in reachable.rglob("*"):
        os.chown(path, ALICE, TEAM)
        path.chmod(0o2770 if path.is_dir() else 0o660)
    script = f"""
from datetime import date
from worker.library.opened import utc_now
from worker.library.services import Services
from worker.library.write_back import Review, record_reviews
from worker.settings.model import load_settings
def review(path):
    services = Services(load_settings(store_url="{store}", seeds="{seeds}"), now=utc_now)
    given = Review(on=date(2026, 11, 24), by="bob", named=False)
    print(record_reviews(services, {{path: None}}, given)[0]["error"])
    services.close()
review("warm.md")  # it imports everything, which root alone may read
BECOME
review("a.md")
"""
    with opened(seeds) as folder:
        said = as_user(script, folder=folder, user=BOB, groups=[OTHER_TEAM, TEAM])
    assert said.split() == ["None", "None"], said
    assert (pages[1].stat().st_uid, pages[1].stat().st_gid) == (BOB, TEAM)
    assert stat.S_IMODE(pages[1].stat().st_mode) == 0o660


def test_access_list_and_attributes_are_kept(tmp_path):
    page = write(tmp_path / "a.md", "old\n")
    give(page, "user.origin", b"the ward's drive")
    give(page, ACCESS_LIST, access_list())
    before, mode = attributes(page), page.stat().st_mode
    replace(page)
    assert (attributes(page), page.stat().st_mode) == (before, mode)
    assert page.read_text() == "new\n"


def test_the_access_list_of_the_folder_opens_no_file_that_has_none(tmp_path):
    page = write(tmp_path / "a.md", "old\n")
    page.chmod(0o640)
    give(tmp_path, INHERITED_LIST, access_list())
    replace(page)
    assert attributes(page) == {}
    assert stat.S_IMODE(page.stat().st_mode) == 0o640


def test_the_new_file_is_at_no_moment_more_open_than_the_old_one(tmp_path, monkeypatch):
    page = write(tmp_path / "a.md", "old\n")
    page.chmod(0o600)
    give(page, ACCESS_LIST, access_list(group=0, guest=4, mask=4))
    give(tmp_path, INHERITED_LIST, access_list(other=6))
    seen = []

    def note():
        for hidden in tmp_path.glob(".content-sync-*"):
            modes = stat.S_IMODE(hidden.stat().st_mode)
            seen.append((modes, attributes(hidden).get(ACCESS_LIST)))

    def noting(name):
        call = getattr(os, name)

        def noted(*arguments, **options):
            note()
            result = call(*arguments, **options)
            note()
            return result

        monkeypatch.setattr(atomic_write.os, name, noted)

    for name in ("open", "fdopen", "fchown", "setxattr", "fchmod", "fsync"):
        noting(name)
    monkeypatch.setattr(os, "umask", lambda _: None)
    before = os.getxattr(page, ACCESS_LIST)
    replace(page, last_look=note)
    assert len(seen) >= 10
    for mode, listed in seen:
        assert mode & ~0o640 == 0
        assert listed == before or mode & 0o077 == 0  # the mask takes away what the folder gives


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        replace(tmp_path / "a.md")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.md").stat().st_mode) == 0o640


def hidden_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.fixture
def killed(tmp_path):
    """Return the name of the hidden file that a process left that was killed while it wrote."""
    with opened(tmp_path) as folder:
        script = f"""
import os, signal
from worker.atomic_write import replace_whole
replace_whole({folder}, "a.md", b"half", last_look=lambda: os.kill(os.getpid(), signal.SIGKILL))
"""
        done = subprocess.run([sys.executable, "-c", script], check=False, pass_fds=[folder])
    assert done.returncode == -signal.SIGKILL
    [name] = hidden_in(tmp_path)
    return name


def test_the_next_write_sweeps_what_a_killed_process_left(tmp_path, killed):
    assert is_temporary(killed)  # watchers ignore it
    replace(tmp_path / "b.md")
    assert [path.name for path in tmp_path.iterdir()] == ["b.md"]


def test_the_file_of_a_process_that_still_writes_is_not_swept(tmp_path, killed):
    names = []
    replace(
        tmp_path / "b.md",
        last_look=lambda: (names.extend(hidden_in(tmp_path)), replace(tmp_path / "c.md")),
    )
    assert len(names) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.md", "c.md"]


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, swept = atomic_write.fcntl.flock, []

    def late(file, how):
        if not swept:
            [hidden] = tmp_path.glob(".content-sync-*")
            hidden.unlink()
            swept.append(hidden)
        return lock(file, how)

    monkeypatch.setattr(atomic_write.fcntl, "flock", late)
    replace(tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == "new\n"


@pytest.mark.parametrize(
    "name", [".content-sync-notes.tmp", ".content-sync-0.tmp", "a.tmp", ".x.removed"]
)
def test_no_file_of_others_is_swept(tmp_path, name):
    theirs = write(tmp_path / name, "theirs")
    replace(tmp_path / "a.md")
    assert theirs.read_text() == "theirs"


def test_a_symbolic_link_is_replaced_and_nothing_behind_it_changes(tmp_path):
    behind = write(tmp_path / "behind", "old\n")
    behind.chmod(0o600)
    link = tmp_path / "a.ics"
    link.symlink_to(behind)
    replace(link)
    assert not link.is_symlink()
    assert behind.read_text() == "old\n"
