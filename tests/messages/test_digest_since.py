"""What a digest takes from the library: changes since a review, owners, and what was cleared."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from support.seeds import BODY, a_seed
from support.steps import steps_of
from support.stored import Library, a_library

from worker.domain.reviews.route import Route
from worker.messages.digest import Composed, compose_digest, open_templates
from worker.settings.model import RouteSettings, packaged_config
from worker.store import notices as stored_notices
from worker.store.library import review_rows
from worker.store.notices import Leased
from worker.store.schema import versions
from worker.store.since import SinceReview, since_review

NEW_BODY = BODY.replace("5 days", "6 days")
NEWER_BODY = BODY.replace("5 days", "7 days")


@pytest.fixture
def library(store_url: str):
    kinds = ("review", "refused", "held", "retracted", "failing", "silent", "well")
    with a_library(store_url, routes={"team": RouteSettings(channel="console", kinds=kinds)}) as it:
        yield it


def route_of(library: Library, **fields) -> Route:
    route = next(route for route in library.services.policy.routes if route.name == "team")
    return replace(route, **fields)


def lease(library: Library) -> list[Leased]:
    now = library.time
    return library.store.transact(
        lambda connection: stored_notices.lease_digest(
            connection,
            "team",
            library.services.today(),
            now=now,
            until=now + timedelta(hours=1),
            message_id=f"m-{now}",
        )
    )[1]


def compose(library: Library, owed: list[Leased], **fields) -> Composed:
    services = library.services
    with library.store.read() as connection:
        return compose_digest(
            connection,
            route_of(library, **fields),
            owed,
            templates=open_templates(services.settings),
            settings=services.settings,
            policy=services.policy,
            today=services.today(),
            now=library.time,
        )


def send(library: Library) -> Composed:
    """Compose what is owed, and mark it as sent."""
    owed = lease(library)
    composed = compose(library, owed)
    library.store.transact(
        lambda connection: stored_notices.mark(
            connection, [n.id for n in owed], "sent", now=library.time
        )
    )
    library.later(minutes=1)
    return composed


def a_notice(**fields) -> Leased:
    given = {
        "id": 1,
        "kind": "review",
        "stage": "overdue",
        "path": "a.md",
        "document_id": None,
        "due_on": date(2026, 3, 30),
        "data": {"title": "A title", "owner": None},
        "attempts": 1,
    }
    return Leased(**(given | fields))


def a_review(library: Library, path: str = "a.md", **fields) -> Leased:
    row = next(row for row in rows(library) if row.path == path)
    return a_notice(path=path, document_id=row.document_id, due_on=row.due_on, **fields)


def rows(library: Library):
    with library.store.read() as connection:
        return list(review_rows(connection))


def documents(composed: Composed, state: str) -> list[dict]:
    return next(s["documents"] for s in composed.data["sections"] if s["state"] == state)


def test_changes_since_the_last_review_are_summarized_most_important_first(library: Library):
    library.drop("a.md", body=NEWER_BODY)
    library.drop("a.md", body=NEW_BODY, lastReviewed="2025-12-31")
    library.drop("a.md", body=BODY, lastReviewed="2025-12-31", title="Bones")
    library.drop("a.md", body=BODY, lastReviewed="2025-12-31", title="Bones", tags=["x"])

    composed = compose(library, [a_review(library)])
    words = "changed twice since its last review, high risk: 6 days → 5 days"
    assert words in composed.text
    assert "7 days" not in composed.text, "that change was reviewed"
    (document,) = documents(composed, "overdue")
    assert (document["changes"]["versions"], document["changes"]["risk"]) == (2, "high")


def test_a_document_unchanged_since_its_review_shows_no_changes(library: Library):
    library.drop("a.md")
    library.drop("a.md", lastReviewed="2025-12-31")
    composed = compose(library, [a_review(library)])
    assert "changed" not in composed.text
    assert documents(composed, "overdue")[0]["changes"] is None


def test_a_first_version_is_the_review_that_changes_count_from(library: Library):
    library.drop("a.md")
    library.drop("a.md", body=NEW_BODY)
    assert "changed once since its last review" in compose(library, [a_review(library)]).text


@pytest.mark.parametrize("name", ["last_reviewed_%", "समीक्षा", 'a"b\\c'])
def test_a_review_is_found_under_any_field_name(store_url: str, tmp_path, name: str):
    schema = json.loads((packaged_config() / "seed.schema.json").read_text())
    schema["properties"][name] = schema["properties"].pop("lastReviewed")
    schema_file = tmp_path / "schema.json"
    schema_file.write_text(json.dumps(schema))
    with a_library(store_url, schema_file=schema_file, fields={"last_reviewed": name}) as library:
        for day, body in (("30", BODY), ("31", NEW_BODY), ("31", NEWER_BODY)):
            fields = {"lastReviewed": None, name: f"2025-12-{day}"}
            library.drop("a.md", body=body, **fields)
        (row,) = rows(library)
        with library.store.read() as connection:
            since = since_review(connection, [row.document_id], date_field=name, most=3)
    (found,) = since.values()
    assert (found.versions, found.risk) == (1, "high")


def test_of_many_versions_since_a_review_only_the_newest_of_the_highest_risk_are_read(
    library: Library,
):
    kept = {"lastReviewed": "2025-12-31"}
    library.drop("unchanged.md")
    library.drop("a.md")
    library.drop("a.md", **kept)
    changes = [
        {"body": NEW_BODY},
        {"tags": ["x"]},
        {"body": BODY},
        {"body": NEWER_BODY},
        {"tags": ["y"]},
    ]
    for change in changes:
        library.drop("a.md", **kept, **change)
    ids = {row.path: row.document_id for row in rows(library)}
    with library.store.read() as connection:
        since = since_review(connection, ids.values(), date_field="lastReviewed", most=2)
        query = select(versions.c.id, versions.c.number, versions.c.risk).order_by(
            versions.c.number
        )
        stored = connection.execute(query.where(versions.c.document_id == ids["a.md"])).all()
    high = [row.id for row in stored if row.number > 2 and row.risk == "high"]
    assert len(high) > 2, stored
    found = SinceReview(versions=len(changes), risk="high", heaviest=tuple(high[-2:]))
    assert since == {ids["a.md"]: found}


def test_a_moved_document_is_shown_at_its_new_path(library: Library):
    library.drop("a.md")
    notice = a_review(library)
    library.move("a.md", "b.md", a_seed())
    assert "- b.md: " in compose(library, [notice]).text


def test_the_owner_is_the_one_that_the_file_names_today(library: Library):
    library.drop("a.md", owner="Asha")
    notice = a_review(library)
    library.drop("a.md", owner="Rao")
    composed = compose(library, [notice])
    assert "Rao answers for it" in composed.text
    assert documents(composed, "overdue")[0]["owner"] == "Rao"


def test_a_fallback_answers_for_no_page(library: Library):
    library.drop("a.md", owner="Asha")
    composed = compose(library, [a_review(library)], fallback=True)
    assert "nobody answers for it (it names Asha)" in composed.text


def test_a_page_without_an_owner_on_a_persons_route_is_answered_for(library: Library):
    library.drop("a.md")
    assert "nobody answers" in compose(library, [a_review(library)]).text
    assert "nobody answers" not in compose(library, [a_review(library)], owners=("Asha",)).text


@pytest.mark.parametrize(
    ("stage", "today", "state"),
    [
        ("ahead-30", date(2026, 3, 1), "upcoming"),
        ("ahead-7", date(2026, 3, 30), "due"),
        ("planned", date(2026, 3, 20), "upcoming"),
        ("due", date(2026, 4, 2), "overdue"),
        ("overdue+246", date(2026, 12, 1), "overdue"),
        ("backup", date(2026, 4, 10), "escalated"),
        ("lead", date(2026, 4, 30), "escalated"),
        ("asked-2", date(2026, 1, 30), "asked"),
    ],
)
def test_a_review_is_listed_under_its_current_state(library: Library, stage, today, state):
    library.drop("a.md")
    library.on(today)
    assert documents(compose(library, [a_review(library, stage=stage)]), state)


def test_several_notices_about_one_review_are_one_line_for_the_most_urgent(library: Library):
    library.drop("a.md")
    stages = ["ahead-7", "lead", "overdue+246", "asked-2"]
    composed = compose(library, [a_review(library, stage=stage) for stage in stages])
    assert [section["state"] for section in composed.data["sections"]] == ["escalated"]
    assert composed.subject == "Content Sync: 1 review escalated"

    library.on(date(2026, 3, 1))
    asked = compose(library, [a_review(library, stage=stage) for stage in ("asked-2", "ahead-30")])
    assert asked.subject == "Content Sync: 1 review requested"


def test_every_kind_of_notice_has_a_text(library: Library):
    library.drop("a.md")
    at = "2026-11-24T08:00:00+00:00"
    retracted = {"title": "Bones", "status": "deprecated", "number": 3, "by": "Asha"}
    problem = {"code": "CS001", "message": "no title", "line": 2, "hint": "give one"}
    unseen = {"part": "folder", "folder": "a/{b}", "since": at, "live": 1200}
    listed = [
        a_review(library),
        a_notice(kind="retracted", stage=None, path="r.md", data=retracted),
        a_notice(kind="refused", path="f.md", data={"problem": problem, "kept": 2, "sha256": ""}),
        a_notice(kind="held", path="", data={"removals": 612, "live": 1432}),
        a_notice(kind="failing", path="", data={"channel": "mail", "error": "554 No", "since": at}),
        a_notice(kind="silent", path="", data={"part": "watcher", "since": at}),
        a_notice(kind="silent", path="", data={"part": "sweep", "since": None}),
        a_notice(kind="silent", path="", data={"part": "delivery", "since": at}),
        a_notice(kind="silent", path="", data=unseen),
        a_notice(kind="well", path="", data={"live": 1432, "current": 1430, "next_week": 2}),
    ]
    composed = compose(library, listed)
    for words in (
        "- r.md: Bones\n  has been deprecated since version 3, by Asha\n",
        "- f.md\n  line 2: CS001 no title; version 2 stays published\n  give one\n",
        "- 612 of 1,432 documents are missing from the folder\n",
        "- the channel mail has been failing since 2026-11-24 08:00 UTC: 554 No\n",
        "- the watcher has not reported since 2026-11-24 08:00 UTC: ",
        "- the review sweep has not run yet: ",
        "- the delivery has not run since 2026-11-24 08:00 UTC: ",
        "UNSEEN: 1 folder\n\n- a/{b}/\n  cannot be read since 2026-11-24 08:00 UTC: ",
        "what is in it is unseen (1,200 live)\n",
        "ALL IS WELL\n\n- 1,432 documents live, 1,430 of them current; 2 due within a week\n",
    ):
        assert words in composed.text
    assert "3 parts of the service" in composed.html


def test_a_notice_of_an_unknown_kind_is_an_error(library: Library):
    with pytest.raises(ValueError, match="not a kind"):
        compose(library, [a_notice(kind="nosuch")])


def test_a_digest_about_one_document_has_a_thread(library: Library):
    library.drop("a.md")
    library.drop("b.md")
    one, other = a_review(library), a_review(library, "b.md")
    assert (
        compose(library, [one, replace(one, stage="lead")]).thread == f"document-{one.document_id}"
    )
    assert compose(library, [one, other]).thread is None
    assert compose(library, [one, a_notice(document_id=None)]).thread is None


def test_the_data_is_json_with_dates_as_text(library: Library):
    library.drop("a.md", owner="Asha", riskCategory="A")
    composed = compose(library, [a_review(library)])
    data = json.loads(json.dumps(composed.data))
    (section,) = data["sections"]
    assert (data["route"], data["today"], section["state"], section["total"]) == (
        "team", "2026-11-24", "overdue", 1,
    )  # fmt: skip
    (document,) = section["documents"]
    assert (
        document.items()
        >= {
            "path": "a.md",
            "title": "How bones are checked",
            "due_on": "2026-03-30",
            "days": 239,
            "owner": "Asha",
            "risk_category": "A",
        }.items()
    )
    assert data["news"] == {"stored": 1}


def test_a_recorded_review_is_cleared_once(library: Library):
    library.drop("a.md")
    library.drop("b.md")
    library.drop("never-told.md", reviewFrequency="as_needed")
    assert "Cleared" not in send(library).text

    library.drop("a.md", lastReviewed="2026-11-20")
    library.drop("never-told.md", reviewFrequency="as_needed", lastReviewed="2026-11-20")
    library.drop("b.md", body=NEW_BODY)  # an edit is not a review
    library.drop("c.md")
    composed = send(library)
    assert "Cleared since the last message: 1 review (a.md).\n" in composed.text
    assert composed.data["cleared"]["reviews"] == {"total": 1, "paths": ["a.md"]}

    library.drop("a.md", lastReviewed="2026-11-21")
    library.drop("d.md")
    assert "Cleared" not in send(library).text, "nobody got a message in this cycle"


def test_a_review_that_is_due_again_is_not_cleared(library: Library):
    library.drop("a.md")
    send(library)
    library.drop("a.md", lastReviewed="2026-01-01")
    composed = send(library)
    assert "OVERDUE" in composed.text
    assert "Cleared" not in composed.text


def test_a_fixed_or_withdrawn_refusal_is_cleared_once(library: Library):
    library.drop("fixed.md", "")
    library.drop("withdrawn.md", "")
    library.drop("still.md", "")
    send(library)

    library.drop("fixed.md", reviewFrequency="as_needed")
    library.remove("withdrawn.md")
    library.drop("still.md", "---\n---\n")
    text = send(library).text
    assert "Cleared since the last message: 2 refusals (fixed.md, withdrawn.md).\n" in text

    library.drop("fixed.md", reviewFrequency="as_needed", body=NEW_BODY)
    library.drop("still.md", "")
    assert "Cleared" not in send(library).text


def test_a_digest_of_a_whole_due_library_costs_little(library: Library):
    library.take_in({f"{n:04}.md": a_seed(title=f"Page {n}") for n in range(1349)})
    for body in (NEW_BODY, NEWER_BODY):
        library.take_in({f"{n:04}.md": a_seed(title=f"Page {n}", body=body) for n in range(400)})
    owed = lease(library)
    found = []
    steps_of(lambda: found.append(compose(library, owed)), most=2_500_000)
    (composed,) = found
    assert composed.subject == "Content Sync: 1,349 reviews overdue"
    assert "20 of 1,349 shown" in composed.text
    assert (
        composed.text.count("changed twice since its last review, high risk: 5 days → 6 days") == 20
    )
    assert len(composed.html) < 60_000
