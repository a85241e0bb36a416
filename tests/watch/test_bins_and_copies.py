"""A NAS's bins hold no pages, and copies that programs make are refused, through the whole service."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.programs import clean_environment, run, started
from support.seeds import a_seed, write
from support.stored import a_library

from worker.errors import ConfigurationError
from worker.settings.model import ConsoleChannel, RouteSettings, WatchSettings, load_settings
from worker.watch.ignore import seed_names
from worker.watch.scan import walk

QUICK = {"CONTENT_SYNC_WATCH__REMOVAL_MS": "200"}
CONFLICT = "nausea.sync-conflict-20261129-101500-ABCDEFG.md"
BINS = ("#recycle", "@Recycle", "$RECYCLE.BIN", ".Trash-1000", "lost+found", "__macosx", "@eaDir")


def states(folder, env=None):
    answer = run("list", "--json", cwd=folder, env=env)
    assert answer.returncode == 0, answer.stderr
    return {row["path"]: row["state"] for row in json.loads(answer.stdout)}


@pytest.mark.parametrize("bin_", BINS)
def test_the_walk_and_the_name_leave_out_what_is_in_a_bin(seeds, bin_):
    write(seeds / "a.md", a_seed())
    write(seeds / bin_ / "deep" / "b.md", a_seed())
    write(seeds / "part" / bin_ / "c.md", a_seed())
    names = seed_names(seeds, WatchSettings())
    assert [path for page in walk(names).pages for path, *_ in page] == ["a.md"]
    assert not names.is_seed(f"{bin_}/deep/b.md")
    assert not names.is_seed(f"part/{bin_}/c.md")


def test_a_page_that_a_network_drive_moves_into_its_bin_is_retired(tmp_path, seeds):
    for name in ("nausea.md", "fever.md"):
        write(seeds / name, a_seed(title=name))
    with started("up", cwd=tmp_path, env=QUICK) as up:
        up.wait_for("new       nausea.md")
        up.wait_for("new       fever.md")
        (seeds / "#recycle").mkdir()
        (seeds / "nausea.md").rename(seeds / "#recycle" / "nausea.md")
        up.wait_for("retired   nausea.md")
        assert "moved" not in up.output
    assert states(tmp_path) == {"nausea.md": "retired", "fever.md": "live"}


def test_a_setting_adds_folders_without_pages(tmp_path, seeds):
    write(seeds / "a.md", a_seed())
    write(seeds / "Old Pages" / "b.md", a_seed(title="Old"))
    write(seeds / "part" / "old pages" / "c.md", a_seed(title="Older"))
    env = {"CONTENT_SYNC_WATCH__IGNORE_FOLDERS": '["old pages"]'}
    assert run("sync", cwd=tmp_path, env=env).returncode == 0
    assert states(tmp_path) == {"a.md": "live"}
    checked = run("validate", "--json", cwd=tmp_path, env=env)
    assert json.loads(checked.stdout)["files"] == 1
    assert (
        json.loads(run("verify", "--json", cwd=tmp_path, env=env).stdout)["checked"]["files"] == 1
    )


@pytest.mark.parametrize("folder", ["", "a/b", "/old"])
def test_a_folder_to_ignore_is_one_name(folder):
    with pytest.raises(ConfigurationError, match=r"ignore_folders: .* is not the name of a folder"):
        load_settings(watch={"ignore_folders": (folder,)})


def test_a_watched_folder_of_the_setting_has_no_pages(watch, page):
    watching = watch(ignore_folders=("archive",), scan_seconds=0.2)
    write(watching.seeds / "Archive" / "a.md", page)
    write(watching.seeds / "b.md", page)
    watching.sees("b.md", page)
    watching.scans_again()
    assert {taken.path for taken in watching.library.taken} == {"b.md"}


def test_a_conflict_copy_is_refused_and_every_command_agrees(tmp_path, seeds):
    write(seeds / "nausea.md", a_seed(body="# Nausea\n\nTake 8 mg of the tablet.\n"))
    with started("up", cwd=tmp_path, env=QUICK) as up:
        up.wait_for("new       nausea.md")
        write(seeds / CONFLICT, a_seed(body="# Nausea\n\nTake 80 mg of the tablet.\n"))
        up.wait_for(f"refused   {CONFLICT}")
    assert states(tmp_path) == {"nausea.md": "live"}

    checked = run("validate", "--json", cwd=tmp_path)
    assert checked.returncode == 1
    (problem,) = [p for p in json.loads(checked.stdout)["problems"] if p["severity"] == "error"]
    assert (problem["path"], problem["code"]) == (f"seeds/{CONFLICT}", "CS083")
    assert "two people saved the page at once" in problem["message"]
    assert "compare it with nausea.md" in problem["hint"]

    why = run("why", CONFLICT, cwd=tmp_path).stdout
    assert "CS083" in why
    assert "two people saved the page at once" in " ".join(why.split())


def test_a_copy_without_front_matter_is_called_a_copy_too(tmp_path, seeds):
    write(seeds / "nausea.md", a_seed())
    write(seeds / "nausea - Copy.md", "no fence\n")
    checked = run("validate", "--json", cwd=tmp_path)
    codes = {problem["code"] for problem in json.loads(checked.stdout)["problems"]}
    assert {"CS083", "CS010"} <= codes


def test_standard_input_is_judged_by_its_name(tmp_path, seeds):
    assert (
        json.loads(_validate_input(tmp_path, "--stdin-path", "seeds/nausea (1).md").stdout)[
            "problems"
        ][0]["code"]
        == "CS083"
    )
    assert _validate_input(tmp_path).returncode == 0


def _validate_input(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "worker", "validate", "--json", "-", *arguments],
        cwd=folder,
        env=clean_environment(),
        input=a_seed(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_folders_above_a_library_are_not_judged(tmp_path):
    folder = tmp_path / "library - Copy"
    write(folder / "seeds" / "nausea.md", a_seed())
    assert run("validate", cwd=folder).returncode == 0
    assert run("validate", str(folder / "seeds" / "nausea.md"), cwd=tmp_path).returncode == 0


def test_whoever_answers_for_a_page_gets_the_notice_of_its_copy(tmp_path, store_url):
    reviewers = write(tmp_path / "reviewers", "* @team\n/nausea.md @asha\n")
    routes = {
        name: RouteSettings(channel="console", owners=(name,), kinds=("refused",))
        for name in ("asha", "team", "ravi")
    }
    with a_library(
        store_url,
        channels={"console": ConsoleChannel()},
        routes=routes,
        review={"reviewers_file": str(reviewers)},
    ) as library:
        library.drop("nausea.md")
        assert library.drop(CONFLICT).kind == "refused"
        assert library.drop("nausea (1).md", owner="ravi").kind == "refused"
        told = {(row["path"], row["route"]) for row in library.services.notices(None)}
        assert told == {(CONFLICT, "asha"), ("nausea (1).md", "ravi")}
        assert [row["path"] for row in library.services.list_documents(None)] == ["nausea.md"]


def test_a_team_with_such_names_makes_it_a_warning_or_turns_it_off(store_url):
    with a_library(store_url, rules={"conflict-copy": "warning"}) as library:
        outcome = library.drop("guide (1).md")
        assert outcome.kind == "new"
        assert "CS083" in {problem.code for problem in outcome.problems}
    with a_library(store_url, rules={"CS083": "off"}) as library:
        assert library.drop("guide (2).md").problems == ()


def test_a_copy_that_gets_a_name_of_its_own_becomes_a_page(tmp_path, seeds):
    write(seeds / "nausea (1).md", a_seed())
    with started("up", cwd=tmp_path, env=QUICK) as up:
        up.wait_for("refused   nausea (1).md")
        (seeds / "nausea (1).md").rename(seeds / "vomiting.md")
        up.wait_for("new       vomiting.md")
    assert states(tmp_path) == {"vomiting.md": "live"}
