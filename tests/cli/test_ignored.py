"""Names that the service ignores are named, with the reason, by validate, why and doctor alike."""

from __future__ import annotations

import json
import os

import pytest
from support.programs import run
from support.seeds import a_seed, write
from support.stored import a_library

from worker.settings.model import WatchSettings
from worker.watch.ignore import seed_names
from worker.watch.ignored import look_through, why_ignored
from worker.watch.scan import walk

#: Each name of the folder below that is ignored, and a part of the reason.
REASONS = {
    "link.md": "it is a symbolic link",
    "linked/": "it is a symbolic link",
    "pipe.md": "it is not a regular file",
    "~$page.md": "it is hidden, or a temporary file of a program",
    ".hidden.md": "it is hidden, or a temporary file of a program",
    "page.md.tmp": "it is hidden, or a temporary file of a program",
    "drafts/": ".seedignore excludes it",
    "part/old.md": ".seedignore excludes it",
    "#recycle/": "a drive or a program keeps deleted files, snapshots or metadata in it",
    "Archive/": "watch.ignore_folders names it",
}
ENV = {"CONTENT_SYNC_WATCH__IGNORE_FOLDERS": '["archive"]'}


@pytest.fixture
def folder(tmp_path, seeds):
    """Write a folder with one page and something of each kind that is ignored."""
    write(seeds / "page.md", a_seed())
    (seeds / "link.md").symlink_to("page.md")
    (seeds / "linked").symlink_to(tmp_path)
    os.mkfifo(seeds / "pipe.md")
    for name in (
        *("~$page.md", ".hidden.md", "page.md.tmp", "drafts/a.md", "drafts/deep/b.md"),
        *("part/old.md", "#recycle/page.md", "Archive/c.md", ".git/x.md", "picture.png", "a.md5"),
    ):
        write(seeds / name, a_seed(title=name))
    write(seeds / ".seedignore", "drafts/\nold.md\n")
    return tmp_path


def complaints(result):
    return " ".join(result.stderr.split())


def test_looking_through_a_folder_names_what_the_walk_leaves_out(folder, seeds):
    names = seed_names(seeds, WatchSettings(ignore_folders=("archive",)))
    seen = list(look_through(names))
    assert [path for path, reason in seen if reason is None] == ["page.md"]
    assert {path: reason for path, reason in seen if reason is not None}.keys() == REASONS.keys()
    for path, reason in seen:
        if reason is not None:
            assert REASONS[path] in reason, path
            assert why_ignored(names, path.rstrip("/")) == reason
    walked = {path for page in walk(names).pages for path, *_ in page}
    assert walked == {"page.md"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("drafts/deep/b.md", "its folder drafts is ignored: .seedignore excludes it"),
        ("#recycle/page.md", "its folder #recycle is ignored: a drive or a program keeps"),
        (".git/x.md", "its folder .git is ignored: it is hidden"),
        ("linked/seeds/page.md", "its folder linked is ignored: it is a symbolic link"),
        ("picture.png", "its name does not end in .md, .markdown or .txt (watch.suffixes)"),
        ("a" * 1022 + ".md", "its path has more than 1,024 bytes"),
    ],
)
def test_the_reason_of_any_path_is_known(folder, seeds, path, reason):
    found = why_ignored(seed_names(seeds, WatchSettings()), path)
    assert found is not None
    assert reason in found


def test_validate_names_what_it_leaves_out_in_a_folder(folder):
    result = run("validate", cwd=folder, env=ENV)
    assert result.returncode == 0
    assert "1 file: 0 errors" in result.stdout
    text = complaints(result)
    for path, reason in REASONS.items():
        assert f"seeds/{path}" in text, path
        assert reason in text
    answer = json.loads(run("validate", "--json", cwd=folder, env=ENV).stdout)
    assert answer["files"] == 1
    ignored = {one["path"]: one["reason"] for one in answer["ignored"]}
    assert ignored.keys() == {f"seeds/{path}" for path in REASONS}


def test_a_folder_with_nothing_to_ignore_says_nothing(tmp_path, seeds):
    write(seeds / "page.md", a_seed())
    result = run("validate", "--json", cwd=tmp_path)
    assert result.stderr == ""
    assert "ignored" not in json.loads(result.stdout)


def test_many_ignored_names_are_counted(tmp_path, seeds):
    for number in range(20):
        write(seeds / f"draft-{number:02}.md", a_seed())
    write(seeds / ".seedignore", "draft-*\n")
    text = complaints(run("validate", cwd=tmp_path))
    assert "seeds/draft-02.md and 17 more" in text
    assert "draft-03" not in text


@pytest.mark.parametrize(
    "path", ["link.md", "~$page.md", ".hidden.md", "part/old.md", "drafts/a.md"]
)
def test_validate_of_a_path_says_that_the_service_ignores_it(folder, path):
    result = run("validate", f"seeds/{path}", cwd=folder, env=ENV)
    assert result.returncode == 0
    assert f"seeds/{path} is ignored: " in complaints(result)
    assert "1 file" in result.stdout  # it is checked all the same: a draft becomes a page


@pytest.mark.parametrize("named", ["seeds/drafts", "seeds/drafts/deep", "seeds/#recycle"])
def test_validate_of_an_ignored_folder_says_so(folder, named):
    result = run("validate", named, cwd=folder, env=ENV)
    assert "0 files" in result.stdout
    assert f"{named}/" in complaints(result)
    assert "ignored" in complaints(result)


def test_validate_of_a_file_outside_of_the_seeds_folder_ignores_nothing(tmp_path, seeds):
    write(tmp_path / "elsewhere" / ".draft.md", a_seed())
    result = run("validate", "elsewhere/.draft.md", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("link.md", "it is a symbolic link"),
        ("~$page.md", "temporary file"),
        ("drafts/a.md", "its folder drafts is ignored: .seedignore excludes it"),
        ("#recycle/page.md", "its folder #recycle is ignored"),
        ("picture.png", "its name does not end in .md"),
        ("note.txt", "it is a plain note"),
    ],
)
def test_why_says_why_a_file_is_ignored(folder, seeds, path, reason):
    write(seeds / "note.txt", "Call the printer.\n")
    assert run("sync", cwd=folder, env=ENV).returncode == 0
    for named in (path, f"seeds/{path}"):
        result = run("why", named, cwd=folder, env=ENV)
        assert result.returncode == 1
        assert f"{path} is ignored: " in complaints(result)
        assert reason in complaints(result)


def test_why_of_a_path_that_nobody_knows_stays_as_it_was(folder):
    run("sync", cwd=folder, env=ENV)
    result = run("why", "nosuch.md", cwd=folder, env=ENV)
    assert (result.returncode, "no document at nosuch.md" in result.stderr) == (1, True)


def test_why_of_a_page_that_is_ignored_now_says_both(tmp_path, seeds):
    write(seeds / "page.md", a_seed())
    write(seeds / "other.md", a_seed(title="Other"))
    run("sync", cwd=tmp_path)
    write(seeds / ".seedignore", "page.md\n")
    result = run("why", "page.md", cwd=tmp_path)
    assert result.returncode == 0
    assert "version 1" in result.stdout
    assert "page.md is ignored: .seedignore excludes it" in " ".join(result.stdout.split())
    answer = json.loads(run("why", "--json", "page.md", cwd=tmp_path).stdout)
    assert answer["ignored"] == ".seedignore excludes it"
    assert "ignored" not in json.loads(run("why", "--json", "other.md", cwd=tmp_path).stdout)


def test_doctor_counts_what_is_ignored_by_reason(folder):
    run("sync", cwd=folder, env=ENV)
    checks = json.loads(run("doctor", "--json", cwd=folder, env=ENV).stdout)["checks"]
    (check,) = [check for check in checks if check["name"] == "ignored"]
    assert check["ok"]
    for path, reason in REASONS.items():
        assert path in check["detail"]
        assert reason in check["detail"]


def test_doctor_says_that_nothing_is_ignored(tmp_path, seeds):
    write(seeds / "page.md", a_seed())
    run("sync", cwd=tmp_path)
    checks = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)["checks"]
    assert [check["detail"] for check in checks if check["name"] == "ignored"] == ["no name"]


def test_a_folder_of_links_is_named_by_every_command(tmp_path, seeds):
    """A ConfigMap: each file is a link into a hidden folder, which is a link itself."""
    write(seeds / "..2026_11_29" / "nausea.md", a_seed())
    (seeds / "..data").symlink_to("..2026_11_29")
    (seeds / "nausea.md").symlink_to("..data/nausea.md")
    run("sync", cwd=tmp_path)
    for result in (run("validate", cwd=tmp_path), run("why", "nausea.md", cwd=tmp_path)):
        assert "nausea.md" in result.stderr
        assert "it is a symbolic link" in complaints(result)
    assert "it is a symbolic link" in " ".join(run("doctor", cwd=tmp_path).stdout.split())


def test_a_text_that_is_a_live_document_is_checked_when_it_loses_its_fence(tmp_path, store_url):
    seeds = tmp_path / "seeds"
    env = {"CONTENT_SYNC_STORE_URL": store_url}
    with a_library(store_url) as library:
        library.drop("page.txt")
    write(seeds / "page.txt", "No fence any more.\n")
    write(seeds / "note.txt", "Call the printer.\n")
    result = run("validate", "--json", cwd=tmp_path, env=env)
    answer = json.loads(result.stdout)
    assert [(p["path"], p["code"]) for p in answer["problems"]] == [("seeds/page.txt", "CS010")]
    assert [one["path"] for one in answer["ignored"]] == ["seeds/note.txt"]


def test_without_a_store_a_text_without_a_fence_is_a_note(tmp_path, seeds):
    write(seeds / "page.txt", "No fence.\n")
    away = {"CONTENT_SYNC_STORE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    result = run("validate", cwd=tmp_path, env=away)
    assert result.returncode == 0
    assert "page.txt is ignored: it has no front matter, so it is a plain note" in result.stderr
