"""The load of reviews, plans to spread it, and notices to send again, as people use them."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from support.programs import on_a_terminal, run
from support.seeds import a_seed
from support.stored import a_library

from worker.cli import run_command
from worker.store.notices import FAILED, PENDING, mark

MONDAY = "2026-01-12"
REVIEWED = "2025-12-30"  # quarterly, so due on Monday 2026-03-30


@pytest.fixture
def library(sqlite_url, monkeypatch):
    """A library of 30 pages that fall due on one day, and one that is overdue since April 2025."""
    monkeypatch.setenv("CONTENT_SYNC_STORE_URL", sqlite_url)
    with a_library(sqlite_url) as library:
        library.on(date(2026, 1, 12))
        library.take_in(
            {
                f"{number:02}.md": a_seed(
                    title=f"Page {number}", lastReviewed=REVIEWED, riskCategory="ABC"[number % 3]
                )
                for number in range(30)
            }
        )
        library.drop("late.md", lastReviewed="2025-01-10", title="=1+1")
        yield library


@pytest.fixture
def answer(library, capsys):
    def answer(*arguments, code=0):
        assert run_command([*arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return answer


@pytest.fixture
def said(library, capsys):
    def said(*arguments, code=0):
        assert run_command(list(arguments)) == code
        return capsys.readouterr()

    return said


def test_the_forecast_shows_the_busiest_week(answer, said):
    load = answer("due", "--forecast", "--on", MONDAY)
    assert len(load["weeks"]) == 26
    assert {"week", "from", "due", "planned"} <= set(load["weeks"][0])
    assert [week["week"] for week in load["weeks"] if week["due"]] == ["2026-W14"]
    assert (load["overdue"], load["later"]) == (1, 0)
    assert answer("due", "--forecast", "--weeks", "2", "--on", MONDAY)["later"] == 30
    text = said("due", "--forecast", "--on", MONDAY).out
    assert "2026-W14  2026-03-30       30  ━" in text
    assert text.splitlines()[1].startswith("overdue")
    assert "risk A" in text
    assert "weeks without a review" in text
    assert text.count("-W") == 2, "the week with work, and the one that the average names"
    assert "On average 1.2 a week until 2026-W28" in text
    assert "you need 2.4 a week" in text


def test_a_plan_is_proposed_edited_and_applied(answer, said, tmp_path):
    text = said("due", "--spread", "--per-week", "3", "--on", MONDAY).out
    assert "27 reviews earlier than due, 3 in the week of the due date: at most 3 a week." in text
    assert "1 overdue: review these first;" in text
    assert "content-sync due --apply review-plan.csv" in text
    lines = (tmp_path / "review-plan.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "path,title,owner,risk,last_reviewed,due_on,planned_on"
    assert lines[1] == "late.md,'=1+1,,,2025-01-10,2025-04-10,"
    assert "already exists" in said("due", "--spread", code=2).err


def test_a_plan_with_too_few_places_shows_the_number_that_is_enough(answer, said):
    text = said("due", "--spread", "--per-week", "2", "--on", MONDAY).out
    assert "7 do not fit: 3 a week would be enough." in text
    proposal = answer("due", "--spread", "--yes", "--on", MONDAY)
    assert (proposal["per_week"], proposal["unfit"], proposal["file"]) == (3, 0, "review-plan.csv")
    assert {"path", "due_on", "planned_on"} <= set(proposal["plan"][0])


def test_a_planned_day_is_shown_beside_the_due_date(library, answer, said, tmp_path):
    # The commands run by the clock of this machine.
    today = datetime.now(UTC).date()
    due_on, planned_on = today + timedelta(days=60), today + timedelta(days=30)
    library.on(today)
    library.drop("new.md", lastReviewed=str(today), reviewFrequency="60 days", title="New")
    assert "planned" not in said("list").out
    plan = tmp_path / "plan.csv"
    plan.write_text(f"path,due_on,planned_on\nnew.md,{due_on},{planned_on}\n")
    assert answer("due", "--apply", "plan.csv", "--by", "Asha")["planned"] == 1
    for listing in (("due",), ("list",)):
        [one] = [one for one in answer(*listing) if one["path"] == "new.md"]
        assert (one["due_on"], one["planned_on"]) == (str(due_on), str(planned_on))
        assert str(planned_on) in said(*listing).out
    assert answer("due", "--forecast")["weeks"][0]["load"] == 0
    assert sum(week["planned"] for week in answer("due", "--forecast")["weeks"]) == 1
    assert "1 unchanged" in said("due", "--apply", "plan.csv").out


def test_errors_in_a_plan_are_reported_by_line_and_nothing_is_planned(answer, said, tmp_path):
    plan = tmp_path / "plan.csv"
    plan.write_text(
        "path,due_on,planned_on\n"
        "00.md,2026-03-30,2026-03-31\n"
        "nowhere.md,2026-03-30,2026-03-02\n"
        "02.md,30.3.2026,2026-03-02\n"
        "03.md,2026-03-01,2026-02-01\n"
    )
    printed = said("due", "--apply", "plan.csv", code=1)
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "content-sync: plan.csv:2: planned for 2026-03-31, later than it is due (2026-03-30)",
        "content-sync: plan.csv:3: there is no document at nowhere.md",
        "content-sync: plan.csv:4: due_on '30.3.2026' is not a date; write it as YYYY-MM-DD",
        "content-sync: plan.csv:5: skipped: 03.md was reviewed since: it is due on 2026-03-30 now",
        "content-sync: no plan was stored: plan.csv has 3 errors",
    ]
    assert [error["line"] for error in answer("due", "--apply", "plan.csv", code=1)["errors"]] == [
        2, 3, 4,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--forecast", "--spread"), "--forecast and --spread exclude each other"),
        (("--apply", "x.csv", "--on", MONDAY), "--on works only without --apply"),
        (("--per-week", "3"), "--per-week works only with --spread"),
        (("--weeks", "3"), "--weeks works only with --forecast"),
        (("--spread", "--per-week", "0"), "0 is not in the range x>=1"),
        (("--apply", "nowhere.csv"), "cannot read nowhere.csv"),
    ],
)
def test_meaningless_options_are_a_usage_error(said, arguments, reason):
    printed = said("due", *arguments, code=2)
    assert printed.out == ""
    assert reason in printed.err
    assert printed.err.count("\n") == 1


def test_bars_have_the_colours_of_risk_on_a_terminal(library, sqlite_url, tmp_path):
    there = ("--store-url", sqlite_url)
    shown, code = on_a_terminal(*there, "due", "--forecast", "--on", MONDAY, cwd=tmp_path)
    assert code == 0
    assert "\x1b[31m━" in shown
    assert "\x1b[33m━" in shown


def test_all_or_some_failed_notices_are_sent_again(library, answer, said):
    ids = [one["id"] for one in answer("notices")]
    assert ids
    with library.store.write() as connection:
        mark(connection, ids, FAILED, now=library.time, error="refused")
    assert [one["id"] for one in answer("notices", "--state", "failed")] == ids
    assert answer("notices", "retry", str(ids[0])) == {"retried": 1}
    assert [one["id"] for one in answer("notices", "--state", "pending")] == ids[:1]
    printed = said("notices", "retry", str(ids[0]), "999", code=1)
    assert printed.err == "content-sync: 2 of these have not failed\n"
    assert f"{len(ids) - 1} notice" in said("notices", "retry").out
    assert {one["state"] for one in answer("notices")} == {PENDING}
    assert answer("notices", "retry") == {"retried": 0}


def test_an_option_between_notices_and_retry_is_an_error_that_shows_its_place(said):
    printed = said("notices", "--state", "failed", "retry", code=2)
    assert "notices retry" in printed.err
    assert "nonsense" in said("notices", "nonsense", code=2).err


def test_a_shell_completes_the_subcommands_of_notices(tmp_path):
    asked = {
        "_CONTENT_SYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": "content-sync notices re",
        "COMP_CWORD": "2",
    }
    assert run(cwd=tmp_path, env=asked).stdout == "plain,retry\n"
