"""The command `owners` as a real process: its JSON, its table, and what is orphaned."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.programs import on_a_terminal, run
from support.seeds import a_seed, write

TODAY = datetime.now(UTC).date()
LONG_AGO = "2025-01-10"
SETTINGS = """\
[channels.console]
kind = "console"

[routes.asha]
channel = "console"
owners = ["Asha", "asha@example.org"]

[routes.desk]
channel = "console"
fallback = true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a library of four documents, for tests that only ask."""
    folder = tmp_path_factory.mktemp("library")
    seeds = folder / "seeds"
    write(folder / "config" / "content-sync.toml", SETTINGS)
    write(folder / "config" / "reviewers", "/in/ asha@example.org @meera\n")
    write(seeds / "asha.md", a_seed(title="Asha's", lastReviewed=LONG_AGO, owner="@ASHA"))
    write(seeds / "in" / "a.md", a_seed(title="In", lastReviewed=str(TODAY)))
    write(seeds / "meera.md", a_seed(title="Meera's", lastReviewed=str(TODAY), owner="Meera"))
    write(seeds / "nobody.md", a_seed(title="Nobody's", lastReviewed=str(TODAY)))

    assert run("sync", cwd=folder).returncode == 0
    return folder


def asked(folder, *arguments):
    result = run("owners", *arguments, cwd=folder)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


def test_the_json_lists_every_owner_and_the_orphaned_documents(folder):
    answer = json.loads(asked(folder, "--json"))
    assert [(one["owner"], one["source"], one["routes"]) for one in answer["owners"]] == [
        ("@ASHA", "front matter", ["asha"]),
        ("asha@example.org", "reviewers", ["asha"]),
        ("Meera", "front matter", []),
        ("@meera", "reviewers", []),
        (None, "nobody", []),
    ]
    asha = answer["owners"][0]
    assert (asha["documents"], asha["overdue"], asha["due"], asha["upcoming"]) == (1, 1, 0, 0)
    assert asha["next_due_on"] is None
    assert answer["owners"][1]["next_due_on"] > str(TODAY + timedelta(days=80))
    assert answer["orphaned"] == {"documents": 2, "paths": ["meera.md", "nobody.md"]}


def test_orphaned_documents_can_be_listed_alone(folder):
    answer = json.loads(asked(folder, "--orphaned", "--json"))
    assert [one["owner"] for one in answer["owners"]] == ["Meera", "@meera", None]
    assert answer["orphaned"]["paths"] == ["meera.md", "nobody.md"]
    lines = asked(folder, "--orphaned").splitlines()
    assert lines == ["Orphaned: 2 documents", "  meera.md", "  nobody.md"]


def test_the_table_marks_owners_without_a_route(folder):
    shown = asked(folder)
    head, asha, *_ = shown.splitlines()
    assert head.split() == [
        *("owner", "routes", "documents", "overdue", "due", "upcoming"),
        *("next", "due", "named", "in"),
    ]
    assert asha.split() == ["@ASHA", "asha", "1", "1", "0", "0", "front", "matter"]
    assert "nobody" in shown
    assert "no route" in shown
    colours, code = on_a_terminal("owners", cwd=folder)
    assert code == 0
    assert "\x1b[" in colours


def test_an_empty_library_has_no_owners_and_no_orphaned_documents(tmp_path, seeds):
    assert seeds.exists()
    run("migrate", cwd=tmp_path)
    result = run("owners", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "Somebody answers for every document.\n")
    answer = json.loads(run("owners", "--json", cwd=tmp_path).stdout)
    assert answer == {"owners": [], "orphaned": {"documents": 0, "paths": []}}


@pytest.fixture
def wrong_reviewers(tmp_path, seeds):
    """Return a folder with one document stored, and a reviewers file that became wrong after that."""
    write(seeds / "a.md", a_seed())
    assert run("sync", cwd=tmp_path).returncode == 0
    write(tmp_path / "config" / "content-sync.toml", SETTINGS)
    write(tmp_path / "config" / "reviewers", "# who\n* asha\n")
    return tmp_path


@pytest.mark.parametrize("command", ["owners", "status", "due", "remind", "sync"])
def test_a_wrong_reviewers_file_ends_the_command_and_shows_the_line(wrong_reviewers, command):
    result = run(command, cwd=wrong_reviewers)
    assert result.returncode == 2
    assert "config/reviewers, line 2: 'asha' is not an owner; write @name" in result.stderr


@pytest.mark.parametrize(
    "command", [("history", "a.md"), ("show", "a.md"), ("export",), ("events",)], ids=" ".join
)
def test_commands_that_need_no_owner_work_with_a_wrong_reviewers_file(wrong_reviewers, command):
    result = run(*command, cwd=wrong_reviewers)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout
