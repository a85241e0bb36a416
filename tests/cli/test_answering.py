"""reviewed, snooze, ack, assign and retire, as real processes over a folder and a store."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.programs import on_a_terminal, run
from support.seeds import a_seed, write

from worker.cli import run_command

TODAY = datetime.now(UTC).date()
WHO = {"LOGNAME": "asha"}
OLD = a_seed(title="A page")


@pytest.fixture
def library(tmp_path, seeds):
    """Return a function that runs a command; `a.md` and `sub/nausea.md` are stored."""

    def command(*arguments, code=0):
        result = run(*arguments, cwd=tmp_path, env=WHO)
        assert result.returncode == code, f"{result.stdout}\n{result.stderr}"
        if code:
            assert all(line.startswith("content-sync: ") for line in result.stderr.splitlines())
        return result

    write(seeds / "a.md", OLD)
    write(seeds / "sub" / "nausea.md", a_seed(title="Nausea"))
    command("sync")
    return command


@pytest.fixture
def answer(library):
    return lambda *arguments: json.loads(library(*arguments, "--json").stdout)


def test_a_review_takes_a_path_with_or_without_the_folder(library, answer, seeds):
    said = library("reviewed", "seeds/a.md", "--by", "Asha Rao").stdout
    assert said.startswith("seeds/a.md: reviewed by Asha Rao, who saw version 1; due again on ")
    assert f"(lastReviewed 2025-12-30 → {TODAY}, reviewerName nothing → Asha Rao)" in said
    assert f"lastReviewed: '{TODAY}'\n" in (seeds / "a.md").read_text()
    assert answer("sync")["changed"] == 1
    assert answer("history", "a.md")["versions"][1]["change"] == "review"

    [again, other] = answer(
        *("reviewed", "a.md", "sub/nausea.md", "a.md", "--by", "asha"),
        *("--evidence", "https://x.org/1"),
    )
    assert (again["by"], again["written"], again["fields"][0]["new"]) == ("asha", True, "asha")
    assert (other["path"], other["evidence"]) == ("sub/nausea.md", "https://x.org/1")


@pytest.mark.parametrize("format_", [(), ("--json",)])
def test_the_login_name_never_replaces_another_reviewer(library, seeds, format_):
    theirs = write(seeds / "a.md", a_seed(title="A page", reviewerName="Dr. Rao")).read_text()
    mine = (seeds / "sub" / "nausea.md").read_text()
    result = library("reviewed", "sub/nausea.md", "a.md", *format_, code=2)
    assert result.stdout == ""
    assert result.stderr == (
        "content-sync: Invalid value for --by: seeds/a.md names Dr. Rao as its reviewer: add --by with "
        "the name to write (see content-sync reviewed --help)\n"
    )
    assert (seeds / "a.md").read_text() == theirs
    assert (seeds / "sub" / "nausea.md").read_text() == mine
    library("reviewed", "a.md", "--by", "Asha Rao")
    assert "reviewerName: Asha Rao\n" in (seeds / "a.md").read_text()


def test_a_logged_in_reviewer_needs_no_name(library, seeds):
    write(seeds / "a.md", a_seed(title="A page", reviewerName="Asha"))
    assert "reviewed by asha" in library("reviewed", "a.md").stdout
    assert "reviewerName: Asha\n" in (seeds / "a.md").read_text()


def test_one_missing_path_is_reported_and_nothing_is_written(library, answer, seeds):
    result = library("reviewed", "a.md", "nausea.md", code=1)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "content-sync: no document at nausea.md; did you mean sub/nausea.md?",
        "content-sync: nothing was written",
    ]
    assert (seeds / "a.md").read_text() == OLD
    listed = json.loads(library("reviewed", "a.md", "nausea.md", "--json", code=1).stdout)
    assert [(one["path"], one["recorded"]) for one in listed] == [
        ("a.md", False),
        ("nausea.md", False),
    ]
    assert set(listed[0]) == set(listed[1])


@pytest.mark.parametrize(
    "arguments",
    [
        ("reviewed", "a.md", "--on", "yesterday"),
        ("reviewed", "a.md", "--evidence", "ftp://example.org"),
        ("reviewed", "a.md", "--evidence", "https://me:secret@example.org"),
        ("reviewed", "a.md", "--by", " "),
        ("reviewed",),
        ("assign", "a.md", "an\x1bescape"),
        ("ack", "a.md", "--days", "31"),
        ("ack", "a.md", "--days", "0"),
        ("snooze", "a.md", "--until", "2030-01-01"),
    ],
)
def test_a_usage_error_is_one_line(seeds, capsys, arguments):
    assert run_command(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err
    assert said.out == ""


def test_a_day_in_the_future_is_refused(library):
    said = library("reviewed", "a.md", "--on", str(TODAY + timedelta(days=2)), code=1).stderr
    assert "is in the future" in said
    assert said.count("\n") == 1


def test_a_snooze_shows_what_happens_next(library, answer):
    until = str(TODAY + timedelta(days=10))
    said = library("snooze", "a.md", "--until", until, "--reason", "x").stdout
    assert said == (
        f"a.md: no reminders until {until}; it stays due on 2026-03-30 "
        "(1 more snooze of this review)\n"
    )
    snoozed = answer("snooze", "a.md", "--until", until, "--reason", "x", "--by", "Meera")
    assert (snoozed["by"], snoozed["snoozes_left"]) == ("Meera", 0)
    assert [one["path"] for one in answer("list", "--state", "snoozed")] == ["a.md"]
    assert "review.max_snoozes = 2" in library(
        "snooze", "a.md", "--until", until, "--reason", "x", code=1
    ).stderr  # fmt: skip


def test_an_acknowledgement_shows_what_happens_next(library, answer):
    until = TODAY + timedelta(days=7)
    said = library("ack", "seeds/a.md").stdout
    assert said == (
        f"a.md: acknowledged by asha, no reminders until {until}; it stays due on 2026-03-30\n"
    )
    assert answer("ack", "a.md", "--days", "3")["acknowledged_until"] == str(
        TODAY + timedelta(days=3)
    )
    assert "did you mean sub/nausea.md" in library("ack", "nausea.md", code=1).stderr


def test_an_owner_is_assigned(library, answer, seeds):
    assert library("assign", "a.md", "Meera").stdout == "seeds/a.md: Meera answers for it\n"
    assert (seeds / "a.md").read_text().count("\nowner: Meera\n---\n") == 1
    assert library("assign", "a.md", "Meera").stdout == (
        "seeds/a.md: Meera already answers for it\n"
    )
    assert "no longer Meera" in library("assign", "a.md", "Asha").stdout


def test_a_document_is_retired_and_restored(library, answer, seeds, tmp_path):
    write(seeds / "b.md", a_seed(title="It stays"))
    library("sync")
    assert "--yes" in library("retire", "a.md", code=2).stderr
    for typed in ("n\n", "\x04"):  # no, and the end of what is typed
        shown, code = on_a_terminal("retire", "a.md", cwd=tmp_path, typed=typed)
        assert "Remove seeds/a.md? [y/N]" in shown
        assert shown.endswith("content-sync: nothing was changed\n")
        assert code == 1
        assert (seeds / "a.md").exists()
    _, code = on_a_terminal("retire", "sub/nausea.md", cwd=tmp_path, typed="y\n")
    assert code == 0
    assert not (seeds / "sub" / "nausea.md").exists()

    said = library("retire", "a.md", "--yes").stdout
    assert "content-sync restore a.md 1 brings it back" in said
    assert not (seeds / "a.md").exists()
    assert answer("sync")["retired"] == 2
    assert "is retired" in library("reviewed", "a.md", code=1).stderr
    assert "is retired" in library("retire", "a.md", "--yes", code=1).stderr
    library("restore", "a.md", "1")
    assert (seeds / "a.md").read_text() == OLD
