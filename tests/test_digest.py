from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.digest import Digest, DigestLine, compose, counted, open_templates
from worker.errors import ConfigurationError
from worker.settings import Settings

TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def templates():
    return open_templates(Settings())


def review(path, *, days, title="A title"):
    stage = "overdue" if days > 0 else "due" if days == 0 else "upcoming"
    return DigestLine(
        path=path, title=title, stage=stage, due_on=TODAY - timedelta(days=days), days=days
    )


def refused(path="nci/facebook.md", **fields):
    given = {
        "path": path,
        "title": "Facebook",
        "stage": "refused",
        "line": 7,
        "detail": "the status 'activ' is none of active, inactive, deprecated",
        "hint": "did you mean active?",
    }
    return DigestLine(**(given | fields))


def write(templates, *lines, digest_lines=20, **fields):
    return compose(
        Digest(route="clinicians", lines=lines, **fields),
        today=TODAY,
        templates=templates,
        digest_lines=digest_lines,
    )


def test_the_subject_says_what_waits(templates):
    lines = [review(f"nci/{n:04}.md", days=239) for n in range(20)]
    subject, _ = write(
        templates, *lines, refused(), totals={"overdue": 1349, "refused": 7}, digest_lines=20
    )
    assert subject == "Content Sync: 1,349 reviews overdue, 7 files refused"


def test_one_of_each_is_written_in_the_singular(templates):
    lines = [review("a.md", days=1), review("b.md", days=0), review("c.md", days=-1)]
    held = DigestLine(path="", stage="held", detail="612 of 1,432 documents are gone")
    subject, _ = write(templates, *lines, refused(), held)
    assert subject == (
        "Content Sync: 1 removal held, 1 review overdue, 1 file refused, "
        "1 review due today, 1 review upcoming"
    )


def test_what_cannot_wait_comes_first(templates):
    _, text = write(
        templates,
        review("c.md", days=-7),
        review("b.md", days=0),
        review("a.md", days=3),
        refused(),
        DigestLine(path="", stage="held", detail="612 of 1,432 documents are gone"),
    )
    headings = ["HELD", "REFUSED", "OVERDUE", "DUE TODAY", "UPCOMING"]
    places = [text.index(f"\n{heading}: ") for heading in headings]
    assert places == sorted(places)


def test_overdue_reviews_come_oldest_first_and_no_more_than_asked_for(templates):
    lines = [review(f"{days}.md", days=days) for days in (3, 200, 40, 1)]
    _, text = write(templates, *lines, totals={"overdue": 1349}, digest_lines=2)

    assert "OVERDUE: 1,349 reviews, oldest first (2 of 1,349 shown)" in text
    assert text.index("200.md") < text.index("40.md")
    assert "3.md" not in text
    assert "- 200.md: A title\n  was due on 2026-05-08, 200 days ago\n" in text
    assert "`content-sync due`" in text


def test_days_are_told_as_people_say_them(templates):
    _, text = write(
        templates, review("a.md", days=1), review("b.md", days=0), review("c.md", days=-1)
    )
    assert "was due on 2026-11-23, 1 day ago" in text
    assert "is due on 2026-11-24\n" in text
    assert "is due on 2026-11-25, in 1 day\n" in text


def test_a_refused_file_is_told_with_place_reason_and_remedy(templates):
    _, text = write(templates, refused())
    assert (
        "- nci/facebook.md: Facebook\n"
        "  line 7: the status 'activ' is none of active, inactive, deprecated\n"
        "  did you mean active?\n"
    ) in text
    assert "last good version" in text
    assert "lastReviewed" not in text


def test_a_refusal_without_title_line_or_hint_has_no_empty_place(templates):
    _, text = write(templates, refused(title="", line=None, hint="", detail="it is not UTF-8"))
    assert "- nci/facebook.md\n  it is not UTF-8\n\n" in text


def test_a_held_disappearance_says_how_to_answer(templates):
    held = DigestLine(path="", stage="held", detail="612 of 1,432 documents are gone")
    subject, text = write(templates, held)
    assert subject == "Content Sync: 1 removal held"
    assert "- 612 of 1,432 documents are gone\n" in text
    assert "content-sync approve" in text


def test_the_first_load_is_told_in_one_sentence(templates):
    news = {"stored": 1425, "changed": 3, "retired": 0, "refused": 7}
    _, text = write(templates, refused(), news=news)
    assert "Since the last message: 1,425 stored, 3 changed, 7 refused.\n" in text


def test_news_alone_are_no_message(templates):
    assert write(templates, news={"stored": 1425}) is None


def test_the_answer_names_the_field_as_the_library_does():
    environment = open_templates(Settings(fields={"last_reviewed": "last_reviewed_on"}))
    _, text = write(environment, review("a.md", days=3))
    assert "set `last_reviewed_on` in its file" in text


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
def test_no_document_writes_a_line_of_its_own(templates, hostile):
    hostile = f"x{hostile}\r\n\u2028\x85HELD: y\x1b[2J"
    _, text = write(
        templates,
        refused(path=hostile, title=hostile, detail=hostile, hint=hostile),
        digest_lines=1,
    )
    assert not [line for line in text.splitlines() if line.startswith("HELD")]
    assert len(text.splitlines()) == text.count("\n")
    assert "\x1b" not in text


def test_long_texts_are_cut(templates):
    _, text = write(templates, refused(title="t" * 60_000, detail="d" * 60_000, hint="h" * 60_000))
    assert len(text) < 2_000


def test_a_stage_that_is_none_is_a_mistake_of_the_caller(templates):
    with pytest.raises(ValueError, match="no stage"):
        write(templates, DigestLine(path="a.md", stage="current"))


def test_a_team_may_bring_one_template_and_keep_the_other(tmp_path):
    (tmp_path / "digest_subject.txt.j2").write_text("{{ total.overdue }} to read,\n  please")
    environment = open_templates(Settings(templates=tmp_path))
    subject, text = write(environment, review("a.md", days=3))
    assert subject == "1 to read, please"
    assert "OVERDUE: 1 review" in text


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% if %}", "line 1"),
        ("{{ nosuch }}", "nosuch"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ route.__class__.__mro__ }}", "unsafe"),
        ("{{ lines.x.y }}", "lines"),
        ("{% include 'nosuch.j2' %}", "nosuch.j2"),
    ],
)
def test_a_template_that_fails_is_told_in_one_line(tmp_path, template, reason):
    (tmp_path / "digest.txt.j2").write_text(template)
    environment = open_templates(Settings(templates=tmp_path))
    with pytest.raises(ConfigurationError, match=r"template digest\.txt\.j2") as caught:
        write(environment, review("a.md", days=3))
    assert reason in str(caught.value)


def test_numbers_are_written_for_people():
    assert counted(1, "file") == "1 file"
    assert counted(1349, "file") == "1,349 files"
    assert counted(2, "entry", "entries") == "2 entries"
