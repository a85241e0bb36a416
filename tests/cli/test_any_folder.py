"""Commands work from any folder of a project, and show the absolute path of what is missing."""

import json

import pytest
from support.programs import run
from support.seeds import a_seed, write


@pytest.fixture
def project(tmp_path):
    """Return a project with three stored documents, and folders to call commands from."""
    write(tmp_path / "config" / "content-sync.toml", "")
    (tmp_path / "docs").mkdir()
    for path in ("a.md", "sub/a.md", "sub/nausea.md"):
        write(
            tmp_path / "seeds" / path, a_seed(title=f"The page {path}", body=f"\nOf {path}.\n" * 20)
        )
    result = run("sync", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "path", "document"),
    [
        (".", "a.md", "a.md"),
        (".", "seeds/a.md", "a.md"),
        (".", "./seeds/sub/../a.md", "a.md"),
        ("docs", "a.md", "a.md"),
        ("docs", "seeds/a.md", "a.md"),
        ("docs", "../seeds/sub/nausea.md", "sub/nausea.md"),
        ("docs", "{project}/seeds/sub/a.md", "sub/a.md"),
        ("seeds", "a.md", "a.md"),
        ("seeds", "seeds/a.md", "a.md"),
        ("seeds", "sub/nausea.md", "sub/nausea.md"),
        ("seeds/sub", "nausea.md", "sub/nausea.md"),
        ("seeds/sub", "a.md", "sub/a.md"),
        ("seeds/sub", "../a.md", "a.md"),
        ("seeds/sub", "sub/a.md", "sub/a.md"),
    ],
)
def test_a_document_is_found_by_its_path(project, folder, path, document):
    result = run("history", path.format(project=project), "--json", cwd=project / folder)
    assert json.loads(result.stdout)["path"] == document, result.stderr


def test_no_subfolder_gets_its_own_library(project):
    for folder in ("docs", "seeds", "seeds/sub"):
        unchanged = json.loads(run("sync", "--json", cwd=project / folder).stdout)
        assert (unchanged["new"], unchanged["unchanged"]) == (0, 3)
    assert sorted(path.name for path in project.iterdir() if path.name != "var") == [
        *("config", "docs", "seeds")
    ]
    assert list(project.rglob("*.db")) == [project / "var" / "content-sync.db"]


def test_commands_that_change_a_file_change_the_right_one(project):
    result = run("assign", "a.md", "Meera", cwd=project / "seeds" / "sub")
    assert result.stdout == f"{project}/seeds/sub/a.md: Meera answers for it\n"
    assert "owner: Meera\n" in (project / "seeds" / "sub" / "a.md").read_text()
    assert "owner" not in (project / "seeds" / "a.md").read_text()


@pytest.mark.parametrize(
    ("folder", "shown"),
    [(".", "seeds/sub/a.md"), ("seeds", "sub/a.md"), ("seeds/sub", "../sub/a.md"), ("docs", None)],
)
def test_validate_shows_paths_relative_to_the_working_directory(project, folder, shown):
    write(project / "seeds" / "sub" / "a.md", a_seed(status="actve"))
    result = run("validate", "--json", cwd=project / folder)
    [wrong] = json.loads(result.stdout)["problems"]
    expected = shown or f"{project}/seeds/sub/a.md"
    assert (project / folder / wrong["path"]).resolve() == project / "seeds" / "sub" / "a.md"
    assert wrong["path"] == expected


@pytest.mark.parametrize("folder", [".", "docs", "seeds", "seeds/sub"])
def test_validate_accepts_the_path_that_messages_show(project, folder):
    write(project / "seeds" / "sub" / "nausea.md", a_seed(status="actve"))
    result = run("validate", "sub/nausea.md", "--json", cwd=project / folder)
    [wrong] = json.loads(result.stdout)["problems"]
    assert (project / folder / wrong["path"]).resolve() == project / "seeds" / "sub" / "nausea.md"


def test_validate_prefers_a_file_in_the_working_directory(project):
    write(project / "docs" / "a.md", a_seed(status="actve"))
    result = run("validate", "a.md", "--json", cwd=project / "docs")
    [wrong] = json.loads(result.stdout)["problems"]
    assert wrong["path"] == "a.md"
    assert "here.md does not exist" in run("validate", "here.md", cwd=project).stderr


def test_reviewed_names_a_missing_seeds_folder(project):
    (project / "seeds").rename(project / "elsewhere")
    result = run("reviewed", "a.md", cwd=project)
    assert result.returncode == 2
    assert f" {project}/seeds does not exist" in result.stderr


@pytest.mark.parametrize("command", ["sync", "watch", "up", "validate"])
def test_a_missing_seeds_folder_is_shown_by_its_absolute_path(tmp_path, command):
    write(tmp_path / "config" / "content-sync.toml", 'broker_url = "redis://localhost:1"\n')
    (tmp_path / "docs").mkdir()
    env = {"CONTENT_SYNC_BROKER_URL": "memory://"} if command != "watch" else {}
    result = run(command, cwd=tmp_path / "docs", env=env)
    assert result.returncode == 2
    assert f" {tmp_path}/seeds does not exist: make it, run `content-sync init`" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "var").exists()


def test_a_missing_store_is_shown_by_its_absolute_path(tmp_path):
    result = run("list", cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"there is no store at {tmp_path}/var/content-sync.db yet" in result.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('schema_file = "no.json"', "the schema {root}/no.json cannot be read"),
        ('[review]\nreviewers_file = "no"', "the reviewers file {root}/no does not exist"),
    ],
)
def test_a_missing_settings_file_is_shown_by_its_absolute_path(tmp_path, settings, said):
    write(tmp_path / "config" / "content-sync.toml", settings)
    write(tmp_path / "seeds" / "a.md", a_seed())
    result = run("sync", cwd=tmp_path)
    assert result.returncode == 2
    assert said.format(root=tmp_path) in result.stderr
