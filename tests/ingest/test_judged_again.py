"""Content that is ingested again because the rules, the settings or the day have changed.

The verdict becomes that of today's rules; what people were notified of before is not said twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.seeds import a_seed
from support.stored import Library

from worker.settings.tables import DefaultCadence, ReviewSettings
from worker.store import judges
from worker.store.schema import paths

LONG = "Drink water in small sips, and call us if it lasts for more than two days. " * 20
#: A label and a date that stay, so that nothing but the body differs.
SAME = {"version": "v1", "lastReviewed": "2026-10-01"}


@pytest.fixture
def under(store_url: str) -> Iterator[Callable[..., Library]]:
    """Return a function that opens the same store under other settings."""
    opened: list[Library] = []

    def open_it(**settings: Any) -> Library:
        library = Library(store_url, **settings)
        if opened:
            library.time = opened[-1].time
            library.observed = opened[-1].observed
        opened.append(library)
        return library

    yield open_it
    for library in opened:
        library.services.close()


def row(library: Library, path: str = "a.md") -> Any:
    with library.store.read() as connection:
        return connection.execute(select(paths).where(paths.c.path == path)).one()


def unjudged(library: Library) -> set[str]:
    return set(library.services.known_files().unjudged())


def codes_of(library: Library, path: str = "a.md") -> list[str]:
    return [problem["code"] for problem in row(library, path).problems]


def test_a_verdict_names_its_judge_and_holds_for_it_alone(under):
    first = under()
    first.drop("a.md")
    first.drop("bad.md", "---\ntitle: Bad\n---\n")
    assert row(first).judged_by == row(first, "bad.md").judged_by == first.services.judge.id
    assert unjudged(first) == set()
    with first.store.read() as connection:
        assert judges.find_others(connection, "another") == [first.services.judge.parts]
    other = under(rules={"body-shrank": "warning"})
    assert unjudged(other) == {"a.md", "bad.md"}
    assert other.services.why_judged_again() == ["the severity of CS073"]
    assert {size for _, size, *_ in other.services.stamps()} == {-1}


def test_the_same_verdict_again_is_no_event(under):
    first = under()
    texts = {"a.md": a_seed(), "bad.md": "---\ntitle: Bad\n---\n"}
    first.take_in(texts)
    before = first.kinds()
    refused_at = row(first, "bad.md").refused_at
    other = under(rules={"body-shrank": "warning"})
    other.later(days=2)
    outcomes = other.take_in(texts)
    assert {outcome.kind for outcome in outcomes} == {"unchanged"}
    assert other.kinds() == before
    assert row(other, "bad.md").refused_at == refused_at
    assert unjudged(other) == set()
    assert unjudged(first) == {"a.md", "bad.md"}


def test_a_file_that_a_rule_refused_is_taken_when_the_rule_is_a_warning(under):
    first = under()
    first.drop("a.md", body=LONG, **SAME)
    cut = a_seed(body="Drink water.", **SAME)
    assert first.drop("a.md", cut).kind == "refused"
    other = under(rules={"body-shrank": "warning"})
    assert other.drop("a.md", cut).kind == "changed"
    assert other.document("a.md")["number"] == 2
    assert row(other).state == "live"


def test_a_live_page_that_a_new_rule_refuses_keeps_its_version(under):
    first = under()
    first.drop("a.md")
    other = under(rules={"missing-owner": "error"})
    assert other.drop("a.md").kind == "refused"
    assert other.document("a.md")["number"] == 1
    assert other.document("a.md")["state"] != "retired"
    assert other.kinds()[-1] == "seed.refused"
    again = under()
    assert again.drop("a.md").kind == "unchanged"
    assert again.kinds()[-1] == "seed.fixed"


def test_an_error_that_was_not_there_before_is_reported_and_one_that_went_is_not(under):
    text = a_seed(lastReviewed="2026-11-25", reviewFrequency="sometimes")
    first = under()
    first.drop("a.md", text)
    assert codes_of(first) == ["CS036", "CS037"]
    first.on(date(2026, 11, 25))
    assert first.drop("a.md", text).kind == "unchanged"
    assert codes_of(first) == ["CS037"]
    other = under(rules={"missing-owner": "error"})
    assert other.drop("a.md", text).kind == "refused"
    assert sorted(codes_of(other)) == ["CS037", "CS041"]
    assert other.kinds() == ["seed.refused"] * 2


def test_a_date_of_tomorrow_is_judged_again_on_that_day(under):
    library = under()
    text = a_seed(lastReviewed="2026-11-25")
    assert library.drop("a.md", text).kind == "refused"
    assert row(library).judge_again_on == date(2026, 11, 25)
    assert unjudged(library) == set()
    before = library.services.fingerprint()
    library.on(date(2026, 11, 25))
    assert unjudged(library) == {"a.md"}
    assert library.services.fingerprint() != before
    assert library.drop("a.md", text).kind == "new"
    assert row(library).judge_again_on is None
    assert unjudged(library) == set()


def test_the_day_is_that_of_the_teams_zone(under):
    library = under(review=ReviewSettings(timezone="Pacific/Auckland"))
    assert library.drop("a.md", a_seed(lastReviewed="2026-11-25")).kind == "new"
    west = under(review=ReviewSettings(timezone="America/Los_Angeles"))
    assert unjudged(west) == {"a.md"}
    assert west.services.why_judged_again() == ["the time zone"]
    assert west.drop("a.md", a_seed(lastReviewed="2026-11-25")).kind == "refused"
    west.later(hours=20)
    assert unjudged(west) == {"a.md"}


def test_names_of_utc_are_one_zone(under):
    """Images name it differently, and parts that differ would leave each other's files."""
    first = under(review=ReviewSettings(timezone="UTC"))
    first.drop("a.md")
    assert unjudged(under(review=ReviewSettings(timezone="Etc/UTC"))) == set()
    assert unjudged(under(review=ReviewSettings(timezone="Europe/London"))) == {"a.md"}


def test_a_new_default_cadence_holds_for_what_is_in_the_store(under):
    text = a_seed(reviewFrequency="", lastReviewed="2026-10-01")
    first = under()
    first.drop("faq/a.md", text)
    assert first.document("faq/a.md")["due_on"] is None
    cadence = DefaultCadence(frequency="monthly", paths=("faq/*",))
    other = under(review=ReviewSettings(default_cadences=(cadence,)))
    assert other.drop("faq/a.md", text).kind == "unchanged"
    assert other.document("faq/a.md")["due_on"] == "2026-11-01"
    assert other.document("faq/a.md")["number"] == 1


def test_another_schema_file_is_another_judge(under, tmp_path: Path):
    first = under()
    text = a_seed(status="in_revision")
    assert first.drop("a.md", text).kind == "refused"
    schema = json.loads(json.dumps(dict(first.services.rules.schema)))
    schema["properties"]["status"]["enum"].append("in_revision")
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    other = under(schema_file=tmp_path / "schema.json")
    assert other.services.why_judged_again() == ["the schema"]
    assert other.drop("a.md", text).kind == "new"


# The content of the head itself, and the version before it.


def test_the_heads_own_content_is_compared_with_the_version_before_it(under):
    first = under(rules={"same-label": "off"})
    first.drop("a.md", body=LONG, **SAME)
    first.drop("a.md", body=LONG + "More.", **SAME)
    strict = under(rules={"same-label": "error"})
    text = a_seed(body=LONG + "More.", **SAME)
    assert strict.drop("a.md", text).kind == "refused"
    assert codes_of(strict) == ["CS072"]
    assert strict.document("a.md")["number"] == 2
    # It is touched, or moves: the same verdict.
    assert strict.drop("a.md", text).kind == "unchanged"
    assert strict.move("a.md", "b.md", text)[0].kind == "refused"
    assert strict.document("b.md")["number"] == 2
    loose = under(rules={"same-label": "off"})
    assert loose.drop("b.md", text).kind == "unchanged"
    assert row(loose, "b.md").state == "live"


def test_the_first_version_has_none_before_it(under):
    first = under()
    first.drop("a.md", body=LONG, **SAME)
    strict = under(rules={"same-label": "error", "earlier-review": "error"})
    assert strict.drop("a.md", body=LONG, **SAME).kind == "unchanged"


def test_nothing_is_compared_across_a_retirement(under):
    first = under()
    first.drop("a.md", body=LONG, **SAME)
    first.remove("a.md")
    first.later(days=1)
    cut = a_seed(body="Drink water.", **SAME)
    assert first.drop("a.md", cut).kind == "changed"
    strict = under(rules={"same-label": "error"})
    assert strict.drop("a.md", cut).kind == "unchanged"
    assert row(strict).state == "live"


def test_nothing_is_compared_across_a_retirement_after_which_the_clock_was_set_back(under):
    first = under()
    first.drop("a.md", body=LONG, **SAME)
    first.remove("a.md")
    first.later(days=-2)
    cut = a_seed(body="Drink water.", **SAME)
    assert first.drop("a.md", cut).kind == "changed"
    assert first.drop("a.md", cut).kind == "unchanged"


def test_a_retirement_before_both_versions_does_not_matter(under):
    first = under(rules={"same-label": "off"})
    first.drop("a.md", body=LONG, **SAME)
    first.remove("a.md")
    for number in range(2):
        first.later(days=1)
        first.drop("a.md", body=LONG + "More." * (number + 1), **SAME)
    strict = under(rules={"same-label": "error"})
    text = a_seed(body=LONG + "More." * 2, **SAME)
    assert strict.drop("a.md", text).kind == "refused"


# A mass of new refusals.


def test_a_mass_of_new_refusals_is_held_and_ends_when_the_rules_are_right_again(under):
    texts = {f"{number}.md": a_seed(title=f"Page {number}") for number in range(40)}
    first = under()
    first.take_in(texts)
    first.services.deliver()
    first.later(days=2)
    strict = under(rules={"missing-owner": "error"})
    strict.take_in(texts)
    strict.services.deliver()
    assert len(strict.services.held()["refusals"]) == 40
    refused = [one for one in strict.services.notices(None) if one["kind"] == "refused"]
    assert {one["state"] for one in refused} == {"pending"}
    strict.later(hours=1)
    right = under()
    right.take_in(texts)
    right.services.deliver()
    assert right.services.held()["refusals"] == []
    assert right.services.list_refusals() == []


def test_old_refusals_that_are_judged_again_are_not_new(under):
    bad = {f"{number}.md": "---\ntitle: Bad\n---\n" for number in range(40)}
    first = under(rules={"body-shrank": "off"})
    first.take_in({path: a_seed(title=path) for path in bad})
    for path, text in bad.items():
        first.later(days=2)
        first.drop(path, text)
    first.later(days=2)
    other = under()
    other.take_in(bad)
    other.services.deliver()
    assert other.services.held()["refusals"] == []
    assert row(other, "0.md").refused_at < other.time - timedelta(days=60)


def test_old_refusals_in_a_folder_that_is_renamed_are_not_new(under):
    library = under()
    bad = {f"{number}.md": f"---\ntitle: Bad {number}\n---\n" for number in range(40)}
    library.take_in({f"old/{path}": a_seed(title=path) for path in bad})
    for path, text in bad.items():
        library.drop(f"old/{path}", text)
        library.later(days=2)
    for path, text in bad.items():
        assert library.move(f"old/{path}", f"new/{path}", text)[0].kind == "refused"
    library.services.deliver()
    assert library.services.held()["refusals"] == []
    assert row(library, "new/0.md").refused_at < library.time - timedelta(days=60)


def test_a_message_of_the_next_day_does_not_call_its_date_the_future(under):
    def refusals(library: Library) -> list[str]:
        return [n["state"] for n in library.services.notices(None) if n["kind"] == "refused"]

    library = under()
    text = a_seed(lastReviewed="2026-11-25")
    library.drop("a.md", text)
    library.on(date(2026, 11, 25))
    library.services.deliver()
    assert refusals(library) == ["pending"]
    library.drop("a.md", text)
    library.services.deliver()
    assert refusals(library) == ["cancelled"]
