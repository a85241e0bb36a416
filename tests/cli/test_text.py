"""Text for people: tables and colours, and no document can inject a control sequence."""

import io
import os
import pty
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from worker.cli import diffs, findings, text, views, views_reviews, views_status
from worker.domain.reviews.instants import ago
from worker.domain.seeds.problem import Problem, Severity, Span
from worker.domain.seeds.visible import visible
from worker.ingest.outcomes import SyncReport

KOLKATA = ZoneInfo("Asia/Kolkata")
HOSTILE = "[red]x[/red] :boom: \x1b[2J\x9b31m\u202e\x07\nnext"
STEERING = set("\x1b\x9b\u202e\x07")


def printed(answer, *, width=200, colour=False):
    """Return what a console of this width would show, as a terminal would get it with `colour`."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
    )
    console.print(answer)
    return file.getvalue()


def read_all(terminal: int) -> str:
    """Return what was written to a terminal that nobody writes to any more; it comes in parts."""
    read = b""
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):  # EIO is its end
        while part := file.read(65536):
            read += part
    return read.decode()


def test_a_progress_bar_starts_no_thread_so_that_a_fork_is_safe(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        threads = threading.active_count()
        with text.progress("Reading the folder") as move:
            move(1, 3)
            assert threading.active_count() == threads
            move(2, 3)  # too soon to be drawn
            move(3, 3)
    shown = read_all(ours)
    assert "1/3" in shown
    assert "2/3" not in shown
    assert "3/3" in shown


def a_document(**fields):
    return {
        "path": "a.md", "title": "Nausea", "state": "live", "status": "active", "version": "v1",
        "number": 1, "due_on": "2026-03-30", "review_state": "overdue", "owner": "Asha",
        "planned_on": None, "refused": False, **fields,
    }  # fmt: skip


def a_status(**fields):
    return {
        "documents": {"live": 1425, "retired": 3},
        "versions": 1430,
        "refused": 0,
        "review": {"current": 76, "upcoming": 0, "overdue": 1349},
        "notices": {"pending": 0, "sent": 12, "failed": 0},
        "watcher": {
            "state": "watching",
            "last_scan": "2026-03-30T00:00:00+00:00",
            "seen_at": "2026-03-30T00:00:10+00:00",
        },
        "failing": [],
        "last_sweep": "2026-03-30T00:00:01+00:00",
        "last_delivery": "2026-03-30T00:00:11+00:00",
        "held": {"removals": 0, "refusals": 0},
        "unseen": [],
        **fields,
    }


def a_version(**fields):
    return {
        "number": 2, "label": "v2", "change": "metadata", "risk": "high",
        "lines_added": 3, "lines_removed": 0, "sections": [], "figures": [], "links": [],
        "fields": [{"field": "status", "old": "active", "new": "deprecated"}],
        "stored_at": "2026-03-30T20:00:00+00:00", **fields,
    }  # fmt: skip


def a_history(*versions, before=()):
    before = [{"path": "a b.md", "at": at} for at in before]
    return {"path": "a b.md", "versions": versions or [a_version()], "before": before}


def a_notice(**fields):
    return {
        "id": 7, "kind": "review", "stage": "overdue", "rung": "overdue",
        "path": "a.md", "due_on": "2026-03-30",
        "route": "everyone", "channel": "console", "state": "failed", "attempts": 12,
        "sent_at": None, "error": "refused", **fields,
    }  # fmt: skip


def a_refusal(message="`status` is wrong"):
    return [{"line": 4, "message": message, "code": "CS032", "severity": "error"}]


def a_hunk(*lines):
    return {"old_start": 1, "old_lines": 3, "new_start": 1, "new_lines": 4, "lines": lines}


def a_side(number):
    at = f"2026-03-{number:02}T20:00:00+00:00"
    return {"number": number, "label": f"v{number}", "sha256": "0" * 64, "stored_at": at}


def a_diff(**fields):
    return {
        "path": "a.md", "title": "Nausea", "from": 1, "to": 2, "change": "content",
        "risk": "medium", "reasons": [], "sections": [], "figures": [], "links": [],
        "lines_added": 1, "lines_removed": 1, "old": a_side(1), "new": a_side(2),
        "fields": [{"field": "title", "old": None, "new": "Nausea"}],
        "hunks": [a_hunk([" ", "same"], ["-", "old"], ["+", "new"])], **fields,
    }  # fmt: skip


def a_section(heading="Doses", **fields):
    return {
        "heading": heading, "level": 2, "status": "changed", "lines_added": 3, "lines_removed": 1,
        **fields,
    }  # fmt: skip


def a_report(**fields):
    return SyncReport(**fields)


NOW = datetime(2026, 3, 30, 0, 0, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        views.document_table([a_document(path=HOSTILE, title=HOSTILE, status=HOSTILE)]),
        views.version_table(
            {
                "path": HOSTILE,
                "before": [{"path": HOSTILE, "at": "2026-03-30T00:00:00+00:00"}],
                "versions": [
                    a_version(fields=[{"field": HOSTILE, "old": HOSTILE, "new": [HOSTILE]}])
                ],
            },
            KOLKATA,
        ),
        views.document(
            {"path": HOSTILE, "number": 1, "metadata": {HOSTILE: HOSTILE}, "body": HOSTILE}
        ),
        *(
            diffs.difference(
                a_diff(
                    path=HOSTILE,
                    fields=[{"field": HOSTILE, "old": HOSTILE, "new": None}],
                    figures=[
                        {"old": HOSTILE, "new": None, "before": HOSTILE, "after": "", "line": 1}
                    ],
                    links=[{"text": HOSTILE, "old": None, "new": HOSTILE}],
                    sections=[a_section(HOSTILE)],
                    hunks=[a_hunk(["+", HOSTILE], ["-", "&#x1b;"])],
                ),
                KOLKATA,
                width=width,
            )
            for width in (0, 200)
        ),
        diffs.stat(a_diff(path=HOSTILE, sections=[a_section(HOSTILE)]), KOLKATA),
        views.steps(
            {
                "path": HOSTILE,
                "steps": [{"at": None, "step": "seen", "outcome": HOSTILE, "detail": HOSTILE}],
            },
            KOLKATA,
        ),
        views_reviews.calendar(
            [{**a_document(path=HOSTILE, title=HOSTILE, owner=HOSTILE), "days": 1, "state": "x"}]
        ),
        views.new_notices([a_notice(path=HOSTILE)], dry_run=False),
        views.notice_table([a_notice(path=HOSTILE, error=HOSTILE)], KOLKATA),
        views_status.glance(
            a_status(), [{"path": HOSTILE, "problems": a_refusal(HOSTILE)}], zone=KOLKATA, now=NOW
        ),
        text.marks([(HOSTILE, False, HOSTILE)]),
        *views.sync_findings(
            a_report(refusals=[(HOSTILE, a_refusal(HOSTILE))], busy=[(HOSTILE, HOSTILE)])
        ),
    ],
)
def test_a_hostile_document_is_shown_with_its_control_characters_escaped(answer):
    shown = printed(answer)
    assert "[red]x[/red] :boom: " in shown
    assert r"\x1b[2J\x9b31m\u202e\x07" in shown
    assert not STEERING & set(shown)


def test_markdown_on_a_terminal_passes_no_escape_sequence(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    body = f"# Head\n\n{HOSTILE}\n\n`\x1b[31m` &#27;[2J &#x9b;31m [link](https://e.org/\x1b]8)\n"
    shown = printed(
        views.document({"path": "a.md", "number": 3, "metadata": {"title": "[b]x"}, "body": body})
    )
    assert "a.md, version 3" in shown
    assert "[b]x" in shown
    assert not STEERING & set(shown)


def test_a_piped_document_is_its_body_with_front_matter():
    shown = printed(
        views.document(
            {
                "path": "a.md",
                "number": 1,
                "metadata": {
                    "title": "Nausea: what helps",
                    "tags": ["a", "b"],
                    "lastReviewed": "2026-01-15",
                },
                "body": "\n# Head\n\nText.\n",
            }
        )
    )
    assert shown == (
        "---\ntitle: 'Nausea: what helps'\ntags:\n- a\n- b\nlastReviewed: '2026-01-15'\n---\n"
        "\n# Head\n\nText.\n"
    )


def test_a_list_shows_titles_states_and_counts():
    shown = printed(
        views.document_table(
            [a_document(), a_document(path="b.md", state="retired", review_state=None, due_on=None)]
        )
    )
    first, second = shown.splitlines()[1:3]
    assert first.split() == ["a.md", "Nausea", "active", "1", "(v1)", "2026-03-30", "overdue"]
    assert second.split()[-1] == "retired"
    assert shown.endswith("2 documents\n")


def test_a_narrow_terminal_shows_the_path_on_a_separate_line():
    path = "02_nci_core/dictionaries/" + "long-name-" * 4 + ".md"
    shown = printed(views.document_table([a_document(path=path, title="Nausea " * 20)]), width=80)
    assert shown.splitlines()[2] == path
    assert "2026-03-30" in shown
    assert max(map(len, shown.splitlines())) == 80


def test_the_calendar_counts_days_and_sorts_reviews():
    documents = [
        {**a_document(path="e.md", due_on=None), "state": "unknown", "days": None},
        {**a_document(path="c.md", due_on="2026-04-01"), "state": "upcoming", "days": 2},
        {**a_document(path="b.md", due_on="2026-03-30"), "state": "due", "days": 0},
        {**a_document(path="a.md", due_on="2025-08-03"), "state": "overdue", "days": -239},
        {**a_document(path="d.md", due_on="2026-03-29"), "state": "overdue", "days": -1},
    ]
    shown = printed(views_reviews.calendar(documents))
    order = [shown.index(path) for path in ("a.md", "d.md", "b.md", "c.md", "e.md")]
    assert order == sorted(order)
    for words in ("239 days overdue", "1 day overdue", "today", "in 2 days", "unknown"):
        assert words in shown
    assert "planned" not in shown


def test_a_list_shows_the_planned_day_and_the_end_of_a_snooze():
    snoozed = {"state": "snoozed", "snoozed_until": "2026-04-09", "days": -2}
    one = {**a_document(planned_on="2026-03-17"), **snoozed}
    shown = printed(views_reviews.calendar([one]))
    assert "2026-03-30  2 days overdue, snoozed until 2026-04-09  2026-03-17  a.md" in shown
    assert "2026-03-30  2026-03-17  overdue" in printed(
        views.document_table([a_document(planned_on="2026-03-17")])
    )


def test_a_diff_is_coloured_and_begins_with_a_summary():
    figure = {"old": "4.8 months", "new": "4.9 months", "before": "of", "after": "in", "line": 7}
    diff = a_diff(figures=[figure], sections=[a_section()], reasons=["a figure"])
    shown = printed(diffs.difference(diff, KOLKATA))
    assert shown.splitlines() == [
        "a.md, version 1 → 2 (content, medium risk: a figure)",
        "2026-03-02 01:30:00 (v1) → 2026-03-03 01:30:00 (v2)",
        "title: Nausea (new)",
        "line 7: of 4.8 months → 4.9 months in",
        "changed ## Doses +3 −1",
        "@@ -1,3 +1,4 @@",
        " same",
        "-old",
        "+new",
    ]
    coloured = printed(diffs.difference(a_diff(), KOLKATA), colour=True)
    assert "\x1b[31m-\x1b[0m\x1b[31mold" in coloured
    assert "\x1b[32m+\x1b[0m\x1b[32mnew" in coloured


def test_words_that_changed_are_marked_within_their_lines():
    hunk = a_hunk(["-", "a median of 4.8 months"], ["+", "a median of 4.9 months"])
    coloured = printed(diffs.difference(a_diff(hunks=[hunk]), KOLKATA), colour=True)
    assert "\x1b[7;31m4.8\x1b[0m\x1b[31m months" in coloured
    assert "\x1b[7;32m4.9\x1b[0m\x1b[32m months" in coloured


@pytest.mark.parametrize("width", [140, 200])
def test_a_wide_terminal_shows_both_bodies_side_by_side(width):
    hunk = a_hunk([" ", "same"], ["-", "4.8 months " * 20], ["+", "4.9 months"], ["+", "more"])
    lines = printed(diffs.difference(a_diff(hunks=[hunk]), KOLKATA, width=width), width=width)
    [beside] = [line for line in lines.splitlines() if "4.9 months" in line]
    assert beside.split()[:3] == ["2", "-4.8", "months"]
    assert beside[width // 2 - 2 :].split() == ["2", "+4.9", "months"]
    assert lines.count("4.8") == 20, "a long line is folded, never cut"
    assert max(map(len, lines.splitlines())) <= width
    assert "3 +more" in lines


def test_a_narrow_terminal_shows_one_body():
    narrow = printed(diffs.difference(a_diff(), KOLKATA, width=139), width=139)
    assert narrow == printed(diffs.difference(a_diff(), KOLKATA), width=139)


def test_statistics_have_a_bar_for_each_section():
    sections = [a_section(), a_section("Rare", lines_added=0, lines_removed=400)]
    shown = printed(diffs.stat(a_diff(sections=sections), KOLKATA)).splitlines()
    assert shown[3].split() == ["##", "Doses", "4", "+−"]
    assert shown[4].split() == ["##", "Rare", "400", "−" * 40]
    assert shown[5] == "2 sections, +1 −1 lines"


def test_times_are_in_the_zone_of_the_team():
    shown = printed(views.version_table(a_history(), KOLKATA))
    assert "2026-03-31 01:30:00" in shown  # 20:00 UTC the day before
    assert "status: active → deprecated" in shown


def test_the_history_says_how_to_see_the_document_that_lived_there_before():
    assert "Before" not in printed(views.version_table(a_history(), KOLKATA))
    before = ["2026-03-30T00:00:00+00:00", "2026-03-29T00:00:00+00:00"]
    shown = printed(views.version_table(a_history(before=before), KOLKATA))
    command = "content-sync history 'a b.md' --at 2026-03-30T05:30:00+05:30 (and 1 more before)"
    assert f"Before, another document lived here: {command}" in " ".join(shown.split())


def test_status_summarizes_the_library():
    shown = printed(views_status.glance(a_status(), [], zone=KOLKATA, now=NOW))
    assert "1,425 documents, 1,430 versions; 3 retired" in shown
    assert "1,349 " + "━" * 29 in shown
    assert "12 sent" in shown
    assert "watching, scanned the whole folder 12 seconds ago (2026-03-30 05:30:00)" in shown
    assert "approve" not in shown


@pytest.mark.parametrize(
    ("what", "said"), [("removals", "meant to be gone"), ("refusals", "good versions stay")]
)
def test_a_hold_shows_what_to_do(what, said):
    status = a_status(held={"removals": 0, "refusals": 0, what: 800})
    shown = printed(views_status.glance(status, [], zone=KOLKATA, now=NOW), colour=True)
    assert f"800 {what}" in shown
    assert said in shown
    assert "content-sync approve" in shown
    assert "\x1b[1;31m" in shown


def test_status_names_up_to_three_folders_that_cannot_be_read():
    folders = [{"path": f"{n}/", "since": "2026-03-30T00:00:00+00:00"} for n in range(5)]
    status = a_status(unseen=folders)
    shown = printed(views_status.glance(status, [], zone=KOLKATA, now=NOW), colour=True)
    assert "5 folders cannot be read: 0/, 1/, 2/ and 2 more; content-sync doctor" in shown
    shown = printed(views_status.glance(a_status(unseen=folders[:1]), [], zone=KOLKATA, now=NOW))
    assert "1 folder cannot be read: 0/; content-sync doctor" in shown
    assert "Unseen" not in printed(views_status.glance(a_status(), [], zone=KOLKATA, now=NOW))


def test_held_files_are_listed_with_their_problems():
    held = {
        "since": "2026-03-30T00:00:00+00:00",
        "live": 40,
        "ids": {"removals": "7-5f3a9c1e7b20", "refusals": "8-0c1d2e3f4a5b"},
        "removals": [{"path": "gone.md", "title": "Gone"}],
        "refusals": [{"path": "bad.md", "title": "Bad", "problems": a_refusal()}],
    }
    shown = printed(views.held_table(held, KOLKATA))
    assert "gone.md  Gone" in shown
    assert "bad.md  `status` is wrong (CS032)" in shown
    assert "1 refusal, 40 documents live, held since 2026-03-30 05:30:00" in shown
    assert "content-sync approve 7-5f3a9c1e7b20" in " ".join(shown.split())
    assert "content-sync approve 8-0c1d2e3f4a5b" in " ".join(shown.split())


def test_a_watcher_that_stopped_reporting_is_not_shown_as_healthy():
    late = NOW + timedelta(hours=3)
    shown = printed(views_status.glance(a_status(), [], zone=KOLKATA, now=late))
    assert "watching, but silent since 2026-03-30 05:30:10" in shown


@pytest.mark.parametrize("part", ["seen_at", "last_sweep", "last_delivery"])
def test_a_heartbeat_in_the_future_shows_that_the_clocks_differ(part):
    def shown(ahead):
        at = (NOW + ahead).isoformat()
        watcher = a_status()["watcher"]
        status = a_status(**{part: at}, watcher=watcher | ({part: at} if part in watcher else {}))
        glance = views_status.glance(status, [], zone=KOLKATA, now=NOW)
        return printed(glance, colour=True)

    wrong = shown(timedelta(hours=3))
    assert "the last heartbeat is 3 hours in the future: the clock of a machine was set" in wrong
    assert "0 seconds ago" not in wrong
    assert ("\x1b[32mwatching" in wrong) == (part != "seen_at")
    assert "future" not in shown(timedelta(seconds=59))


def test_a_stopped_watcher_is_not_called_silent():
    watcher = a_status()["watcher"] | {"state": "stopped"}
    for later in (timedelta(seconds=1), timedelta(hours=3)):
        now = datetime.fromisoformat(watcher["seen_at"]) + later
        shown = printed(views_status.glance(a_status(watcher=watcher), [], zone=KOLKATA, now=now))
        assert "stopped since 2026-03-30 05:30:10, scanned" in shown
        assert "silent" not in shown


def test_status_lists_up_to_five_refused_files():
    refusals = [{"path": f"{n:02}.md", "problems": a_refusal()} for n in range(25)]
    shown = printed(views_status.glance(a_status(), refusals, zone=KOLKATA, now=NOW))
    assert "25 files" in shown
    assert "04.md:4: `status` is wrong (CS032)" in shown
    assert "05.md" not in shown
    assert "and 20 more; content-sync validate lists all" in shown


def test_sync_gives_a_reason_for_each_file_that_it_did_not_store():
    info = {"line": 1, "message": "odd", "code": "CS040", "severity": "info"}
    report = a_report(
        refusals=[("a.md", [info, *a_refusal()])],
        busy=[("b.md", "somebody writes to it")],
        unsure=[("d", "no permission")],
        ignored=[("c.md", "a symbolic link")],
        held=800,
    )
    assert [line.plain for line in views.sync_findings(report)] == [
        "refused a.md:4: `status` is wrong (CS032)",
        "busy b.md: somebody writes to it",
        "not read d: no permission",
        "ignored c.md: a symbolic link",
        "800 removals held: if the files are meant to be gone, run content-sync approve",
    ]


def a_problem(**span):
    return Problem(
        code="CS032",
        rule="bad-value",
        severity=Severity.ERROR,
        message="wrong",
        span=Span(**span),
    )


def shown_lines(data, problem):
    return [line.plain for line in findings.finding_lines("a.md", data, (problem,))]


def test_carets_are_below_the_place():
    problem = a_problem(line=2, column=9, end_line=2, end_column=14)
    assert shown_lines(b"---\nstatus: actve\n", problem) == [
        "a.md:2:9: error CS032 bad-value: wrong",
        "   2 | status: actve",
        "     |         ^^^^^",
        "  effect: not published",
    ]


def test_the_effect_is_shown_where_it_is_known():
    problem = a_problem(line=1, column=1, end_line=1, end_column=2)
    stays = "not published; version 3 of 2026-01-12 stays"
    lines = [line.plain for line in findings.finding_lines("a", b"x", (problem,), effect=stays)]
    assert lines[-1] == f"  effect: {stays}"
    warning = replace(problem, severity=Severity.WARNING)
    lines = [line.plain for line in findings.finding_lines("a", b"x", (warning,))]
    assert not any("effect" in line for line in lines)
    lines = [
        line.plain
        for line in findings.finding_lines("a", b"x", (warning, warning), effect="published")
    ]
    assert [line for line in lines if "effect" in line] == ["  effect: published"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_carets_count_cells_not_characters(line_end):
    line = "title: 文字 मतली\x1b bad"
    start = line.index("bad") + 1
    data = f"\ufeff---{line_end}{line}{line_end}".encode()
    problem = a_problem(line=2, column=start, end_line=2, end_column=start + 3)
    _, source, carets, _effect = shown_lines(data, problem)
    from rich.cells import cell_len

    assert source == "   2 | " + visible(line)
    assert cell_len(carets) == cell_len(source)
    assert carets.strip(" |") == "^^^"


def test_a_long_line_is_cut_round_the_place():
    line = "x" * 5_000_000 + "bad" + "y" * 100
    problem = a_problem(line=1, column=5_000_001, end_line=1, end_column=5_000_004)
    _, source, carets, _effect = shown_lines(line.encode(), problem)
    assert len(source) <= findings._WIDTH_OF_PIPES
    at = carets.index("^^^")
    assert source[at : at + 3] == "bad"
    assert source.startswith("   1 | …")
    assert source[-1] == "…" or source.endswith("y" * 20)


@pytest.mark.parametrize("line", [1, 2, 7])
def test_a_problem_without_a_place_has_no_carets(line):
    problem = a_problem(line=line, column=1, end_line=line, end_column=1)
    assert not any("^" in shown for shown in shown_lines(b"---\n\nx", problem))


def test_bytes_that_are_not_utf_8_are_shown_escaped():
    assert len(shown_lines(b"a\xffb", a_problem(line=1, column=2, end_line=1, end_column=3))) == 4


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-5), "0 seconds ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=119), "119 seconds ago"),
        (timedelta(minutes=2), "2 minutes ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_a_past_time_is_shown_as_how_long_ago(span, words):
    assert ago(span) == words


def test_letters_of_every_script_stay_as_they_are():
    assert visible("मतली తెలుగు naïve 🎗") == "मतली తెలుగు naïve 🎗"
    assert visible("a\tb\nc") == r"a\tb\nc"
    assert visible("a\tb\nc\r", lines=True) == "a\tb\nc\\r"


def test_a_piped_table_equals_the_one_that_rich_writes(capsys):
    documents = [
        a_document(
            path=f"{number}/\u4e2d{'x' * number}.md", title="Nausea\u0301 " * number, number=number
        )
        for number in range(12)
    ]
    history = {"versions": [], "path": "a.md", "before": []}
    for answer in (views.document_table(documents), views.version_table(history, KOLKATA)):
        text.show(answer)
        shown = capsys.readouterr().out

        by_rich = printed(answer, width=10_000).splitlines()
        assert shown.splitlines() == [line.rstrip() for line in by_rich]
