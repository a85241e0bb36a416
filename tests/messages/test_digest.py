"""How a digest reads: its subject, its text, and what documents may not do to them."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.digests import HELD, refused, review, write_all

from worker.errors import ConfigurationError
from worker.messages.digest import Cleared, counted, open_templates
from worker.messages.digest_sections import STAGES, Changes, DigestLine
from worker.settings.model import Settings, load_settings


@pytest.fixture(scope="module")
def templates():
    return open_templates(Settings())


def write(templates, *lines, **fields):
    subject, text, _html = write_all(templates, *lines, **fields)
    return subject, text


def test_the_subject_summarizes_what_waits(templates):
    lines = [review(f"nci/{n:04}.md", days=239) for n in range(20)]
    subject, _ = write(templates, *lines, refused(), totals={"overdue": 1349, "refused": 7})
    assert subject == "Content Sync: 1,349 reviews overdue, 7 files refused"


def test_a_count_of_one_is_written_in_the_singular(templates):
    lines = [replace(refused(), path=f"{stage}.md", stage=stage) for stage in STAGES]
    subject, text = write(templates, *lines)
    assert subject == (
        "Content Sync: 1 hold waits for a person, 1 channel failing, 1 part silent, 1 folder unseen, "
        "1 page retracted, 1 review escalated, 1 review overdue, 1 file refused, 1 review due today, "
        "1 review requested, 1 review upcoming, all is well"
    )
    assert "ESCALATED: 1 review\n" in text


def test_each_sentence_of_a_digest_fits_76_columns(templates):
    lines = [replace(refused(), path=f"{stage}.md", stage=stage, hint="") for stage in STAGES]
    totals = dict.fromkeys(STAGES, 1349)
    _, text = write(templates, *lines, replace(lines[0], unanswered=True), totals=totals)
    sentences = [
        line for line in text.split("\n") if line and line[0] not in "- " and not line[:3].isupper()
    ]
    assert "stays published. Fix the file and save it: it is checked again at once." in sentences
    assert [line for line in sentences if len(line) > 76] == []


def test_urgent_facts_come_first(templates):
    lines = [replace(refused(), path=f"{stage}.md", stage=stage) for stage in reversed(STAGES)]
    _, text = write(templates, *lines)
    headings = [
        "HELD: ", "FAILING: ", "SILENT: ", "UNSEEN: ", "RETRACTED: ", "REFUSED: ",
        "ESCALATED: ", "OVERDUE: ", "DUE TODAY: ", "UPCOMING: ", "REQUESTED: ", "ALL IS WELL",
    ]  # fmt: skip
    places = [text.index(f"\n\n{heading}") for heading in headings]
    assert places == sorted(places)


def test_overdue_reviews_come_oldest_first_up_to_the_limit(templates):
    lines = [review(f"{days}.md", days=days) for days in (3, 200, 40, 1)]
    _, text = write(templates, *lines, totals={"overdue": 1349}, digest_lines=2)

    assert "OVERDUE: 1,349 reviews, oldest first (2 of 1,349 shown)\n" in text
    assert text.index("200.md") < text.index("40.md")
    assert "3.md" not in text
    assert "- 200.md: A title\n  was due on 2026-05-08, 200 days ago\n" in text
    assert "`content-sync due`" in text


def test_of_reviews_due_on_one_day_the_riskiest_comes_first(templates):
    lines = [
        review("a.md", days=3),
        review("b.md", days=3, changes=Changes(versions=1, risk="low")),
        review("c.md", days=3, changes=Changes(versions=1, risk="high")),
        review("d.md", days=3, risk_category="C"),
        review("e.md", days=3, risk_category="A"),
        review("f.md", days=4),
    ]
    _, text = write(templates, *lines)
    places = [text.index(f"- {name}.md") for name in "fedcba"]
    assert places == sorted(places)


def test_days_are_written_in_words(templates):
    _, text = write(
        templates, review("a.md", days=1), review("b.md", days=0), review("c.md", days=-1)
    )
    assert "was due on 2026-11-23, 1 day ago" in text
    assert "is due on 2026-11-24\n" in text
    assert "is due on 2026-11-25, in 1 day\n" in text


def test_a_review_is_listed_with_its_owner_its_plan_and_what_changed(templates):
    line = review(
        "a.md",
        days=-3,
        owner="Asha",
        risk_category="A",
        planned_on=date(2026, 11, 25),
        changes=Changes(versions=2, risk="high", words=("4.8 months → 4.9 months", "1 link")),
    )
    _, text = write(templates, line)
    assert (
        "- a.md: A title\n"
        "  is due on 2026-11-27, in 3 days; Asha answers for it; planned for 2026-11-25; category A\n"
        "  changed twice since its last review, high risk: 4.8 months → 4.9 months; 1 link\n"
    ) in text


@pytest.mark.parametrize(
    ("versions", "words"), [(1, "changed once since"), (5, "changed 5 times since")]
)
def test_the_number_of_changes_is_written_in_words(templates, versions, words):
    line = review("a.md", days=1, changes=Changes(versions=versions, risk="low"))
    assert f"  {words} its last review, low risk\n" in write(templates, line)[1]


def test_the_owner_of_a_page_is_not_named_in_their_own_digest(templates):
    line = review("a.md", days=1, owner="Asha")
    assert "Asha" not in write(templates, line, personal=True)[1]
    escalated = replace(line, stage="escalated")
    assert "Asha answers for it" in write(templates, escalated, personal=True)[1]


def test_a_page_that_nobody_answers_for_is_marked(templates):
    named = review("a.md", days=1, owner="Asha")
    nobody = review("b.md", days=1, unanswered=True)
    stranger = review("c.md", days=1, owner="Rao", unanswered=True)
    _, text = write(templates, named, nobody, stranger)
    assert "1 day ago; Asha answers for it\n" in text
    assert "1 day ago; nobody answers for it\n" in text
    assert "1 day ago; nobody answers for it (it names Rao)\n" in text


def test_a_library_that_nobody_answers_for_is_marked_once(templates):
    lines = [review(f"{n}.md", days=1, unanswered=True) for n in range(3)]
    _, text = write(templates, *lines)
    assert text.count("obody answers for") == 1
    assert "Nobody answers for any of these pages: name an owner in `owner`" in text


def test_a_refused_file_is_listed_with_place_reason_and_remedy(templates):
    _, text = write(templates, refused())
    assert (
        "- nci/facebook.md: Facebook\n"
        "  line 7: the status 'activ' is none of active, inactive, deprecated\n"
        "  did you mean active?\n"
    ) in text
    assert "last good version" in text
    assert "lastReviewed" not in text


def test_a_refusal_without_title_line_or_hint_leaves_no_gap(templates):
    _, text = write(templates, refused(title="", line=None, hint="", detail="it is not UTF-8"))
    assert "- nci/facebook.md\n  it is not UTF-8\n\n" in text


def test_a_held_disappearance_shows_how_to_answer(templates):
    subject, text = write(templates, HELD)
    assert subject == "Content Sync: 1 hold waits for a person"
    assert "HELD: 1 hold waits for a person\n\n- 612 of 1,432 documents are gone\n" in text
    assert "content-sync approve" in text


def test_the_first_load_is_summarized_in_one_sentence(templates):
    news = {"stored": 1425, "changed": 3, "refused": 7}
    _, text = write(templates, refused(), news=news)
    assert "Since the last message: 1,425 stored, 3 changed, 7 refused.\n" in text
    assert "Cleared" not in text


def test_cleared_reviews_are_counted_and_the_first_are_named(templates):
    cleared = Cleared(reviews=tuple(f"{n}.md" for n in range(12)), refusals=("bad.md",))
    _, text = write(templates, refused(), cleared=cleared)
    assert (
        "Cleared since the last message: "
        "12 reviews (0.md, 1.md, 2.md, 3.md, 4.md, …), 1 refusal (bad.md).\n"
    ) in text


def test_the_answer_names_the_field_as_the_library_does():
    environment = open_templates(load_settings(fields={"last_reviewed": "last_reviewed_on"}))
    _, text = write(environment, review("a.md", days=3))
    assert "sets `last_reviewed_on` in its" in " ".join(text.split())


def test_the_answer_is_shown_with_the_first_path(templates):
    _, text = write(templates, refused(), review("b c.md", days=1), review("a.md", days=0))
    assert "\n  content-sync reviewed 'b c.md'\n" in text
    assert "\n  content-sync ack 'b c.md' " in text
    assert "\n  content-sync snooze 'b c.md' --until 2026-12-01 --reason" in text


def test_a_path_is_an_example_only_if_a_shell_needs_no_quotes(templates):
    lines = [
        review("--yes.md", days=4),
        review("a\u202eb.md", days=3),
        review("x" * 600 + ".md", days=2),
        review("$(reboot);`id` 'a'.md", days=1),
    ]
    _, text = write(templates, *lines)
    assert "content-sync reviewed '$(reboot);`id` '\"'\"'a'\"'\"'.md'\n" in text
    assert "content-sync reviewed" in text
    assert "content-sync ack" not in write(templates, *lines[:3])[1]


@pytest.mark.parametrize(
    "title",
    [
        "{{ 7 * 7 }}",
        "{% for x in ().__class__.__mro__ %}x{% endfor %}",
        "{0.__class__}",
        "%(x)s %s",
        "${x} $(reboot) `id`",
        "<b>&amp;</b> {# gone #}",
    ],
)
def test_a_title_is_never_a_template(templates, title):
    _, text = write(
        templates,
        review("a.md", days=3, title=title),
        refused(title=title, detail=title, hint=title),
    )
    assert f"- a.md: {title}\n" in text
    assert f"  line 7: {title}\n  {title}\n" in text


@given(hostile=st.text(min_size=1))
def test_no_document_adds_a_line_to_the_digest(templates, hostile):
    hostile = f"x{hostile}\r\n\u2028\x85HELD: y\x1b[2J"
    _, text = write(
        templates,
        refused(path=hostile, title=hostile, detail=hostile, hint=hostile),
        review(hostile, days=1, title=hostile, owner=hostile),
        cleared=Cleared(reviews=(hostile,)),
        digest_lines=1,
    )
    assert not [line for line in text.splitlines() if line.startswith("HELD")]
    assert len(text.splitlines()) == text.count("\n")
    assert "\x1b" not in text


def test_long_texts_are_truncated(templates):
    lines = refused(title="t" * 60_000, detail="d" * 60_000, hint="h" * 60_000, path="p" * 60_000)
    _, text, html = write_all(templates, lines)
    assert len(text) < 2_500
    assert len(html) < 8_000


def test_an_unknown_stage_is_an_error_of_the_caller(templates):
    with pytest.raises(ValueError, match="not a stage"):
        write(templates, DigestLine(path="a.md", stage="current"))


def test_a_team_may_replace_one_template_and_keep_the_others(tmp_path):
    (tmp_path / "digest_subject.txt.j2").write_text("{{ total.overdue }} to read,\n  please")
    environment = open_templates(load_settings(templates=tmp_path))
    subject, text, html = write_all(environment, review("a.md", days=3))
    assert subject == "1 to read, please"
    assert "OVERDUE: 1 review" in text
    assert "<title>1 to read, please</title>" in html


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% if %}", "line 1"),
        ("{{ nosuch }}", "nosuch"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ route.__class__.__mro__ }}", "unsafe"),
        ("{{ words.amount.__globals__ }}", "unsafe"),
        ("{{ lines.x.y }}", "lines"),
        ("{% include 'nosuch.j2' %}", "nosuch.j2"),
    ],
)
def test_a_failing_template_is_reported_in_one_line(tmp_path, template, reason):
    (tmp_path / "digest.txt.j2").write_text(template)
    environment = open_templates(load_settings(templates=tmp_path))
    with pytest.raises(ConfigurationError, match=r"template digest\.txt\.j2") as caught:
        write(environment, review("a.md", days=3))
    assert reason in str(caught.value)


def test_numbers_are_written_for_people():
    assert counted(1, "file") == "1 file"
    assert counted(1349, "file") == "1,349 files"
    assert counted(2, "entry", "entries") == "2 entries"
