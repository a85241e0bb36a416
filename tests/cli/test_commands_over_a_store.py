"""The commands as real processes over a folder and a SQLite store: JSON, texts, exit codes."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from support.programs import on_a_terminal, run
from support.seeds import a_seed, write

from worker.cli.library import LIST_STATES
from worker.domain.reviews.review import ReviewState

TODAY = datetime.now(UTC).date()
LONG_AGO = "2025-01-10"
REFUSED = "sub/refused.md"


@pytest.fixture
def library(tmp_path, seeds):
    """Return a function that runs a command; the folder has three good documents and a bad one."""
    write(seeds / "current.md", a_seed(title="Current", lastReviewed=str(TODAY)))
    write(seeds / "overdue.md", a_seed(title="Overdue", lastReviewed=LONG_AGO, owner="Asha"))
    write(seeds / "sub" / "asked.md", a_seed(title="Asked", reviewFrequency="as_needed"))
    write(seeds / REFUSED, a_seed(title="Refused", status="actve"))

    def command(*arguments, code=0):
        result = run(*arguments, cwd=tmp_path)
        assert code in {None, result.returncode}, (
            f"{result.returncode}\n{result.stdout}\n{result.stderr}"
        )
        return result

    return command


@pytest.fixture
def synced(library):
    library("sync", code=1)  # one file is refused

    def answer(*arguments, code=0):
        return json.loads(library(*arguments, "--json", code=code).stdout)

    return answer


def test_a_sync_counts_and_lists_refused_files(library):
    result = library("sync", "--json", code=1)
    counts = json.loads(result.stdout)
    assert counts.pop("seconds") > 0
    assert counts == {
        "scanned": 4, "new": 3, "changed": 0, "unchanged": 0, "moved": 0, "retired": 0,
        "refused": 1, "judged_again": 0,
    }  # fmt: skip
    assert f"refused {REFUSED}:4: " in result.stderr


def test_a_refused_edit_is_reported_once_and_the_last_version_stays(library, synced, seeds):
    write(seeds / "current.md", a_seed(title="Current", status="actve"))
    result = library("sync", code=1)
    assert result.stderr.count("current.md") == 1
    assert synced("show", "current.md")["number"] == 1
    assert [one["path"] for one in synced("list", "--state", "refused")] == ["current.md"]


def test_a_second_sync_finds_nothing_to_do(library, seeds):
    (seeds / REFUSED).unlink()
    library("sync")
    counts = json.loads(library("sync", "--json").stdout)
    assert (counts["new"], counts["changed"], counts["unchanged"]) == (0, 0, 3)


def test_a_dry_run_stores_nothing(library, synced, seeds):
    write(seeds / "later.md", a_seed(title="Later"))
    result = library("sync", "--dry-run", "--json", code=None)
    assert json.loads(result.stdout)["scanned"] == 5
    assert synced("status")["versions"] == 3


def test_the_status_has_the_shape_of_the_contract(synced):
    status = synced("status")
    assert status["documents"] == {"live": 3, "retired": 0}
    assert status["versions"] == 3
    assert status["refused"] == 1
    assert {"current", "upcoming", "due", "overdue", "exempt", "unknown"} <= set(status["review"])
    assert (status["review"]["overdue"], status["review"]["exempt"]) == (1, 1)
    assert {"pending", "sent", "failed"} <= set(status["notices"])
    assert {"state", "last_scan"} <= set(status["watcher"])


def test_the_list_can_be_narrowed(synced):
    everything = synced("list")
    assert [one["path"] for one in everything] == ["current.md", "overdue.md", "sub/asked.md"]
    assert {
        "path", "title", "state", "status", "version", "number", "sha256", "last_reviewed",
        "review_frequency", "due_on", "review_state", "owner", "updated_at",
    } <= set(everything[0])  # fmt: skip
    assert [one["path"] for one in synced("list", "--state", "overdue")] == ["overdue.md"]
    assert set(ReviewState) < set(LIST_STATES), "each state that `status` counts can be listed"


def test_the_calendar_counts_days(synced):
    [overdue] = synced("due", "--within", "0")
    assert overdue["path"] == "overdue.md"
    assert overdue["due_on"] == "2025-04-10"
    assert overdue["days"] == (datetime(2025, 4, 10, tzinfo=UTC).date() - TODAY).days
    [as_of] = [one for one in synced("due", "--on", "2025-04-10") if one["path"] == "overdue.md"]
    assert (as_of["days"], as_of["state"]) == (0, "due")


def test_history_show_and_diff_follow_an_edit(library, synced, seeds):
    edited = a_seed(title="Overdue", status="deprecated", lastReviewed=LONG_AGO, body="New.\n")
    write(seeds / "overdue.md", edited)
    library("sync", code=None)
    history = synced("history", "overdue.md")
    assert [version["number"] for version in history["versions"]] == [1, 2]
    assert {"field": "status", "old": "active", "new": "deprecated"} in history["versions"][1][
        "fields"
    ]
    assert synced("show", "overdue.md")["body"] == "New.\n"
    assert synced("show", "overdue.md", "--version", "1")["metadata"]["status"] == "active"
    diff = synced("diff", "overdue.md")
    assert (diff["from"], diff["to"], diff["change"]) == (1, 2, "content")
    assert {"fields", "hunks", "path"} <= set(diff)
    assert {"old", "new", "risk", "sections", "figures", "links", "lines_added"} <= set(diff)
    assert library("diff", "overdue.md").stdout.startswith("overdue.md, version 1 → 2 (content, ")
    assert "deprecated" in library("history", "overdue.md").stdout


def test_a_document_is_shown_as_it_was_at_a_time(library, synced):
    assert synced("show", "current.md", "--at", str(TODAY + timedelta(days=1)))["number"] == 1
    library("show", "current.md", "--at", "2020-01-01", code=1)
    piped = library("show", "current.md").stdout
    assert piped.startswith("---\ntitle: Current\n")


@pytest.mark.parametrize("command", ["history", "show", "diff", "why"])
def test_an_unknown_document_is_one_line_with_the_nearest_path(library, synced, command):
    result = library(command, "curent.md", "--json", code=1)
    assert result.stdout == ""
    assert result.stderr == ("content-sync: no document at curent.md; did you mean current.md?\n")
    assert "did you mean sub/asked.md?" in library(command, "asked.md", code=1).stderr
    assert "did you mean overdue.md?" in library(command, "erdue", code=1).stderr
    assert library(command, "zzzzzz", code=1).stderr == "content-sync: no document at zzzzzz\n"


def test_a_path_completed_by_the_shell_is_accepted(synced, seeds):
    assert synced("history", "seeds/sub/asked.md")["path"] == "sub/asked.md"
    assert synced("history", str(seeds / "sub" / "asked.md"))["path"] == "sub/asked.md"


def test_an_unknown_version_and_an_unknown_document_are_different_errors(library, synced):
    said = library("show", "current.md", "--version", "7", code=1).stderr
    assert said == "content-sync: current.md has no such version (only 1 exists)\n"


def test_notices_are_owed_once(library, synced):
    [current] = synced("list", "--state", "current")
    on_its_day = ("remind", "--on", current["due_on"])
    first = synced(*on_its_day, "--dry-run")["notices"]
    assert {
        "path": "current.md", "stage": "due", "rung": "due",
        "due_on": current["due_on"], "route": "everyone",
    } in first  # fmt: skip
    assert [one["rung"][:8] for one in first if one["path"] != "current.md"] == ["overdue+"]
    assert synced(*on_its_day)["notices"] == first
    assert synced(*on_its_day)["notices"] == []
    assert library(*on_its_day).stdout == "No new notices.\n"


def test_notices_are_listed_by_state(library, synced):
    [notice] = [one for one in synced("notices", "--state", "pending") if one["kind"] == "review"]
    assert {
        "id", "kind", "stage", "path", "due_on", "route", "channel", "state", "attempts",
        "sent_at", "error",
    } <= set(notice)  # fmt: skip
    assert synced("notices", "--state", "failed") == []
    assert "No notices." in library("notices", "--state", "failed").stdout


def test_notices_are_listed_in_parts_the_newest_first(library, synced):
    every = [one["id"] for one in synced("notices")]
    assert len(every) >= 2
    assert every == sorted(every, reverse=True)
    newest, older = every[0], every[1:]
    assert [one["id"] for one in synced("notices", "--limit", "1")] == [newest]
    assert [one["id"] for one in synced("notices", "--before", str(newest))] == older
    part = library("notices", "--limit", "1").stdout
    assert f"the newest 1 notice; older ones: --before {newest}, all: --limit 0" in part
    assert f"{len(every)} notices" in library("notices", "--limit", "0").stdout.splitlines()[-1]


def test_a_test_message_leaves_json_alone_on_standard_output(library, synced):
    result = library("notify-test", "--json")
    [answer] = json.loads(result.stdout)
    assert (answer["route"], answer["channel"], answer["ok"]) == ("everyone", "console", True)
    assert "✓" in library("notify-test", "everyone").stdout


def test_approve_does_nothing_without_a_hold(library, synced):
    assert synced("approve") == {"removals": 0, "refusals": 0}
    assert "nothing is held" in library("approve").stderr
    assert synced("approve", "--show") == {
        "since": None,
        "live": 0,
        "ids": {"removals": None, "refusals": None},
        "removals": [],
        "refusals": [],
    }


@pytest.fixture
def emptied(library, seeds):
    """Store 20 pages more, delete them, and return their files."""
    paths = [
        write(seeds / f"{number:02}.md", a_seed(title=f"Page {number}")) for number in range(20)
    ]
    library("sync", code=1)
    for path in paths:
        path.unlink()
    result = library("sync", code=1)
    assert (
        "removals held: if the files are meant to be gone, run content-sync approve"
        in result.stderr
    )
    return paths


def test_a_mass_disappearance_is_held_until_a_person_approves_it(library, emptied):
    status = json.loads(library("status", "--json").stdout)
    assert status["documents"]["live"] == 23
    assert status["held"] == {"removals": 20, "refusals": 0}
    assert "content-sync approve" in library("status").stdout
    plan = json.loads(library("approve", "--show", "--json").stdout)
    assert len(plan["removals"]) == 20
    assert plan["removals"][0]["title"]
    shown = library("approve", "--show").stdout
    assert plan["removals"][0]["path"] in shown
    assert f"run content-sync approve {plan['ids']['removals']}" in shown
    agreed = library("approve", plan["ids"]["removals"], "--json", "--by", "Asha Rao")
    assert json.loads(agreed.stdout) == {"removals": 20, "refusals": 0}
    assert "Nothing is held." in library("approve", "--show").stdout
    assert "by Asha Rao" in library("why", "00.md").stdout
    library("sync")
    assert json.loads(library("status", "--json").stdout)["documents"] == {"live": 3, "retired": 20}
    library("sync")


def test_an_approval_is_refused_when_the_list_has_changed_since_it_was_shown(
    library, emptied, seeds
):
    shown = json.loads(library("approve", "--show", "--json").stdout)["ids"]["removals"]
    (seeds / "overdue.md").unlink()
    library("sync", code=1)
    result = library("approve", shown, code=1)
    assert "has changed since it was shown: it has 21 removals now" in result.stderr
    again = json.loads(library("approve", "--show", "--json").stdout)["ids"]["removals"]
    assert "Approved 21 removals" in library("approve", again).stdout
    result = library("approve", again, code=1)
    assert "it was approved, or its files are back" in result.stderr
    assert "no list 7-none waits" in library("approve", "7-none", code=1).stderr


def test_an_approval_without_an_id_asks_on_a_terminal_and_is_an_error_elsewhere(
    library, emptied, tmp_path
):
    for arguments in (("approve",), ("approve", "--json")):
        result = library(*arguments, code=2)
        assert "removals are held: look at `content-sync approve --show`" in result.stderr
    for typed, code in (("n\n", 1), ("\x04", 1), ("y\n", 0)):
        assert json.loads(library("status", "--json").stdout)["held"]["removals"] == 20
        shown, ended = on_a_terminal("approve", cwd=tmp_path, rows=200, typed=typed)
        assert ended == code
        assert "19.md" in shown
        assert "Approve 20 removals?" in shown
    assert "Approved 20 removals" in shown
    assert json.loads(library("status", "--json").stdout)["held"]["removals"] == 0


def test_a_missing_store_is_reported_in_one_line(library):
    result = library("status", code=2)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "content-sync sync" in result.stderr


def test_migrating_twice_does_no_harm(library):
    first = json.loads(library("migrate", "--json").stdout)
    assert first["before"] is None
    assert json.loads(library("migrate", "--json").stdout) == {
        "before": first["now"],
        "now": first["now"],
    }
    assert "up to date" in library("migrate").stdout
    assert json.loads(library("list", "--json").stdout) == []
    assert library("list").stdout == "No documents.\n"


def test_validate_shows_which_version_stays(library, seeds):
    page = write(seeds / "page.md", a_seed(title="A page"))
    library("sync", code=1)
    page.write_text(page.read_text().replace("status: active", "status: activ"))
    new = write(seeds / "new.md", a_seed(title="Another", status="activ"))
    shown = library("validate", str(page), str(new), code=1).stdout
    assert re.findall("effect: (.*)", shown) == [
        f"not published; version 1 of {datetime.now(UTC).date()} stays",
        "not published",
    ]


def test_doctor_fails_when_many_pages_are_refused(library, seeds):
    paths = [write(seeds / f"{number}.md", a_seed(title=f"Page {number}")) for number in range(12)]
    library("sync", code=1)
    checks = json.loads(library("doctor", "--json", code=None).stdout)["checks"]
    assert [check["ok"] for check in checks if check["name"] == "refusals"] == [True]
    for path in paths:
        path.write_text(path.read_text().replace("license: public_domain", "license: whatever"))
    library("sync", code=1)
    checks = json.loads(library("doctor", "--json", code=None).stdout)["checks"]
    [refusals] = [check for check in checks if check["name"] == "refusals"]
    assert not refusals["ok"]
    assert refusals["detail"].startswith("12 of 15 live documents")


def test_doctor_lists_each_check(library, synced):
    answer = json.loads(library("doctor", "--json", code=None).stdout)
    assert set(answer) == {"ok", "checks"}
    assert all(set(check) == {"name", "ok", "detail"} for check in answer["checks"])
    assert {"settings", "store", "broker", "seeds"} <= {check["name"] for check in answer["checks"]}
    assert library("doctor", code=None).returncode == (0 if answer["ok"] else 1)


def test_flags_before_the_command_override_the_environment(library, tmp_path, seeds):
    (seeds / REFUSED).unlink()
    here = f"sqlite:///{tmp_path / 'here.db'}"
    result = run(
        "--store-url", here, "--seeds", "seeds/sub", "sync", "--json",
        cwd=tmp_path,
        env={"CONTENT_SYNC_STORE_URL": "sqlite:///there.db", "CONTENT_SYNC_SEEDS": "nowhere"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["new"] == 1
    assert (tmp_path / "here.db").exists()


def test_a_terminal_gets_colours_a_bar_and_indented_json(library, tmp_path):
    shown, code = on_a_terminal("sync", cwd=tmp_path)
    assert code == 1
    assert "Reading the folder" in shown
    assert "\x1b[31mrefused" in shown
    shown, code = on_a_terminal("status", "--json", cwd=tmp_path)
    assert code == 0
    assert shown.startswith('{\n  "documents": {\n')
    shown, _ = on_a_terminal("show", "current.md", cwd=tmp_path)
    assert "current.md, version 1" in shown
    assert "\x1b[" in shown
    assert "---\ntitle" not in shown


def test_no_color_is_respected(library, tmp_path, monkeypatch):
    library("sync", code=1)
    monkeypatch.setenv("NO_COLOR", "1")
    for arguments in (("status",), ("--help",)):
        shown, _ = on_a_terminal(*arguments, cwd=tmp_path)
        assert "\x1b[3" not in shown
