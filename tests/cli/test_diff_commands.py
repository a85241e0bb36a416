"""diff, why, restore and the library as of a day, as real processes over a folder and a store."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from support.programs import on_a_terminal, run
from support.seeds import BODY, a_seed, write

IN_TWO_DAYS = str(datetime.now(UTC).date() + timedelta(days=2))
FIRST = a_seed()
SECOND = a_seed(status="inactive", body=BODY.replace("5 days", "7 days"))


@pytest.fixture
def library(tmp_path, seeds):
    """Return a function that runs a command; `a.md` has two versions."""

    def command(*arguments, code=0):
        result = run(*arguments, cwd=tmp_path)
        assert result.returncode == code, f"{result.stdout}\n{result.stderr}"
        return result

    for text in (FIRST, SECOND):
        write(seeds / "a.md", text)
        command("sync")
    return command


@pytest.fixture
def answer(library):
    return lambda *arguments: json.loads(library(*arguments, "--json").stdout)


def test_a_diff_shows_the_figures_the_sections_and_the_risk(library, answer):
    diff = answer("diff", "a.md")
    assert (diff["risk"], diff["from"], diff["to"]) == ("high", 1, 2)
    assert [(f["old"], f["new"]) for f in diff["figures"]] == [("5 days", "7 days")]
    assert [section["heading"] for section in diff["sections"]] == ["Afterwards"]
    assert diff["old"]["number"] == 1
    shown = library("diff", "a.md").stdout
    assert "5 days → 7 days" in shown
    assert "status: active → inactive" in shown
    assert "+You can go home at once." in shown
    assert "## Afterwards" in library("diff", "a.md", "--stat").stdout
    assert "@@" not in library("diff", "a.md", "--stat").stdout


def test_the_history_summarizes_each_change(library, answer):
    assert [version["risk"] for version in answer("history", "a.md")["versions"]] == ["low", "high"]
    last = library("history", "a.md").stdout.splitlines()[-1]
    assert "high" in last
    assert "5 days → 7 days; status: active → inactive" in last


def test_a_diff_with_the_file_on_disk(library, answer, seeds):
    write(seeds / "a.md", SECOND.replace("7 days", "8 days"))
    diff = answer("diff", "a.md", "--file")
    assert (diff["from"], diff["to"], diff["new"]["stored_at"]) == (2, "file", None)
    assert [(f["old"], f["new"]) for f in diff["figures"]] == [("7 days", "8 days")]
    assert answer("diff", "a.md", "1", "--file")["figures"][0]["old"] == "5 days"

    write(seeds / "a.md", "---\ntitle: [\n---\nx\n")
    said = library("diff", "a.md", "--file", code=1).stderr
    assert said.startswith("content-sync: seeds/a.md:")
    assert said.count("\n") == 1
    (seeds / "a.md").unlink()
    said = library("diff", "a.md", "--file", code=1).stderr
    assert said == f"content-sync: {seeds}/a.md cannot be compared: it does not exist\n"
    library("diff", "a.md", "1", "2", "--file", code=2)


def test_diff_writes_an_html_page_and_nothing_else(library, tmp_path):
    result = library("diff", "a.md", "--html", "change.html")
    assert result.stdout == ""
    page = (tmp_path / "change.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "high risk" in page
    said = library("diff", "a.md", "--html", "nowhere/change.html", code=2).stderr
    assert said.startswith(f"content-sync: cannot write {tmp_path}/nowhere/change.html: ")
    assert said.count("\n") == 1


def test_a_wide_terminal_shows_both_bodies_side_by_side(library, tmp_path):
    shown, code = on_a_terminal("diff", "a.md", cwd=tmp_path, columns=180)
    assert code == 0
    [beside] = [line for line in shown.splitlines() if "5" in line and "7" in line and
                "You can go home" in line]  # fmt: skip
    assert beside.count("You can go home") == 2
    assert "\x1b[7;31m5" in beside
    assert "\x1b[7;32m7" in beside


def test_trace_lists_the_steps_of_a_file(library, answer, seeds):
    write(seeds / "a.md", a_seed(reviewFrequency="quaterly"))
    library("sync", code=1)
    story = answer("why", "a.md")
    assert set(story) == {"path", "steps"}
    assert all(set(step) == {"at", "step", "outcome", "detail"} for step in story["steps"])
    steps = [(step["step"], step["outcome"]) for step in story["steps"]]
    without_seen = [one for one in steps if one[0] not in {"seen", "to be sent"}]
    assert without_seen == [
        ("validated", "ok"), ("stored", "version 1"), ("validated", "ok"), ("stored", "version 2"),
        ("validated", "refused"), ("served", "inactive"),
    ]  # fmt: skip
    shown = library("why", "seeds/a.md").stdout
    assert "did you mean" in shown
    assert " ^^^^^^^^\n" in shown, "the place is marked"
    assert re.search(r"effect: not published; version 2 of \d{4}-\d\d-\d\d stays\n", shown)


def test_a_restored_version_is_stored_as_a_new_one(library, answer, seeds):
    said = library("restore", "a.md", "1").stdout
    assert said == (
        "seeds/a.md is version 1 again (byte for byte); the service stores it as a new version\n"
    )
    assert (seeds / "a.md").read_text() == FIRST
    assert answer("sync")["changed"] == 1
    assert [version["number"] for version in answer("history", "a.md")["versions"]] == [1, 2, 3]
    assert answer("restore", "a.md", "3")["written"] is False


def test_unstored_edits_are_overwritten_only_with_force(library, seeds):
    write(seeds / "a.md", "mine\n")
    said = library("restore", "a.md", "1", code=1).stderr
    assert said.startswith("content-sync: seeds/a.md has content that is not stored")
    assert said.count("\n") == 1
    assert (seeds / "a.md").read_text() == "mine\n"
    library("restore", "a.md", "1", "--yes")
    assert (seeds / "a.md").read_text() == FIRST
    assert "has no such version (1–2 exist)" in library("restore", "a.md", "9", code=1).stderr


def test_the_library_is_listed_as_of_a_day(library, answer, seeds):
    assert answer("list", "--at", "2020-01-01") == []
    assert library("list", "--at", "2020-01-01").stdout == "No documents.\n"
    write(seeds / "b.md", a_seed(title="It stays"))
    library("sync")
    now = datetime.now(UTC).isoformat()
    (seeds / "a.md").unlink()
    library("sync")
    then = answer("list", "--at", now)[0]
    assert (then["path"], then["state"], then["number"]) == ("a.md", "live", 2)
    assert then["status"] == "inactive"
    retired = answer("list", "--at", IN_TWO_DAYS)[0]
    assert (retired["path"], retired["state"]) == ("a.md", "retired")
    assert set(then) == set(answer("list")[0])
