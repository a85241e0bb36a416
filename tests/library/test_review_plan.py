"""The forecast of a stored library, a proposal to spread it, and plans that are stored or refused."""

from datetime import date, timedelta

import pytest
from support.seeds import a_seed
from support.stored import a_library

from worker.library.review_plan import apply_plan, forecast_load, propose_plan
from worker.reviews.plan_csv import Plan, PlanLine, read_plan, write_plan
from worker.store.library import events_after, review_rows

MONDAY = date(2026, 1, 12)
REVIEWED = "2025-12-30"  # quarterly, so due on Monday 2026-03-30
DUE = date(2026, 3, 30)
EARLY = date(2026, 2, 3)


@pytest.fixture
def library(store_url):
    with a_library(store_url) as library:
        library.on(MONDAY)
        yield library


@pytest.fixture
def services(library):
    return library.services


def fill(library, number, **fields):
    library.take_in(
        {f"{n:03}.md": a_seed(title=f"Page {n}", lastReviewed=REVIEWED, **fields)
         for n in range(number)}
    )  # fmt: skip


def planned(library):
    with library.store.read() as connection:
        return {row.path: row.given.planned_on for row in review_rows(connection)}


def plan_events(library):
    with library.store.read() as connection:
        rows = events_after(connection, 0, 1000)
    return [row for row in rows if row.kind == "review.planned"]


def a_plan(*lines, problems=()):
    return Plan(
        lines=tuple(
            PlanLine(line=number, path=path, due_on=due_on, planned_on=planned_on)
            for number, (path, due_on, planned_on) in enumerate(lines, start=2)
        ),
        problems=problems,
    )


def apply(services, *lines, by="Asha", **rest):
    return apply_plan(services, a_plan(*lines, **rest), by=by)


def test_a_forecast_names_iso_weeks_across_the_year(library, services):
    library.on(date(2025, 12, 31))
    fill(library, 2, riskCategory="A")
    library.drop("late.md", lastReviewed="2025-01-10")
    library.drop("asked.md", reviewFrequency="as_needed")
    answer = forecast_load(services, on=None, weeks=14)
    assert [(week["week"], week["from"]) for week in answer["weeks"][:2]] == [
        ("2026-W01", "2025-12-29"),
        ("2026-W02", "2026-01-05"),
    ]
    assert answer["weeks"][13] == {
        "week": "2026-W14", "from": "2026-03-30", "due": 2, "planned": 0, "load": 2,
        "risks": {"A": 2},
    }  # fmt: skip
    assert (answer["overdue"], answer["later"]) == (1, 0)
    assert forecast_load(services, on=None, weeks=13)["later"] == 2


def test_a_proposal_is_stored_from_its_file(library, services, tmp_path):
    fill(library, 30)
    library.drop("late.md", lastReviewed="2025-01-10", title="=1+1")
    answer = propose_plan(services, on=None, per_week=3, weeks=12)
    assert (answer["first"], answer["moved"], answer["stays"], answer["unfit"]) == (1, 27, 3, 0)
    assert all(week["load"] <= 3 for week in answer["load"]["weeks"])
    assert answer["plan"][0]["place"] == "first"
    assert answer["plan"][0]["planned_on"] is None
    assert planned(library) == dict.fromkeys(planned(library)), "a proposal stores nothing"

    file = tmp_path / "plan.csv"
    write_plan(file, answer["plan"], replace=False)
    assert apply_plan(services, read_plan(file), by="Asha") == {
        "planned": 27, "taken_back": 0, "unchanged": 4, "skipped": [], "errors": [],
    }  # fmt: skip
    stored = {one["path"]: one["planned_on"] for one in answer["plan"]}
    assert {p: d.isoformat() if d else None for p, d in planned(library).items()} == stored
    load = forecast_load(services, on=None, weeks=12)["weeks"]
    assert load == answer["load"]["weeks"]
    assert load[-1]["due"] == 30


def test_a_plan_keeps_the_due_date_and_records_who_planned(library, services):
    fill(library, 1)
    apply(services, ("000.md", DUE, EARLY))
    assert library.document("000.md")["due_on"] == DUE.isoformat()
    [event] = plan_events(library)
    assert (event.path, event.number) == ("000.md", 1)
    assert event.data == {"by": "Asha", "planned_on": EARLY.isoformat()}


def test_applying_a_plan_is_idempotent_even_after_its_day(library, services):
    fill(library, 2)
    lines = [("000.md", DUE, EARLY), ("001.md", DUE, None)]
    assert apply(services, *lines)["planned"] == 1
    library.on(EARLY + timedelta(days=1))
    again = apply(services, *lines)
    assert (again["planned"], again["unchanged"], again["errors"]) == (0, 2, [])
    assert len(plan_events(library)) == 1


def test_an_empty_day_cancels_a_plan(library, services):
    fill(library, 1)
    apply(services, ("000.md", DUE, EARLY))
    assert apply(services, ("000.md", DUE, None))["taken_back"] == 1
    assert planned(library) == {"000.md": None}
    assert plan_events(library)[-1].data["planned_on"] is None


def test_one_wrong_line_stops_the_whole_plan(library, services):
    fill(library, 4)
    answer = apply(
        services,
        ("000.md", DUE, EARLY),
        ("001.md", DUE, DUE + timedelta(days=1)),
        ("002.md", DUE, MONDAY - timedelta(days=1)),
        ("nowhere.md", DUE, EARLY),
        ("003.md", None, EARLY),
        problems=((9, "the path is missing"),),
    )
    assert answer["planned"] == 0
    assert [(error["line"], error["message"].split()[0]) for error in answer["errors"]] == [
        (3, "planned"), (4, "planned"), (5, "there"), (6, "the"), (9, "the"),
    ]  # fmt: skip
    assert "later than it is due" in answer["errors"][0]["message"]
    assert "is in the past" in answer["errors"][1]["message"]
    assert set(planned(library).values()) == {None}
    assert plan_events(library) == []


def test_a_plan_for_today_or_the_due_date_is_valid(library, services):
    fill(library, 2)
    assert apply(services, ("000.md", DUE, MONDAY), ("001.md", DUE, DUE))["planned"] == 2


def test_documents_reviewed_retired_or_exempted_since_are_skipped_and_reported(library, services):
    fill(library, 4)
    library.drop("000.md", lastReviewed="2026-01-12")
    library.remove("001.md")
    library.drop("002.md", status="deprecated")
    answer = apply(services, *((f"{n:03}.md", DUE, EARLY) for n in range(4)))
    assert (answer["planned"], answer["errors"]) == (1, [])
    assert [(one["line"], one["message"]) for one in answer["skipped"]] == [
        (2, "000.md was reviewed since: it is due on 2026-04-12 now"),
        (3, "001.md was retired since"),
        (4, "002.md no longer has a due date"),
    ]


def test_a_review_ends_its_plan_and_the_next_cycle_can_be_planned(library, services):
    fill(library, 1)
    apply(services, ("000.md", DUE, EARLY))
    library.on(EARLY)
    library.drop("000.md", title="Page 0", lastReviewed=EARLY.isoformat())
    assert planned(library) == {"000.md": None}
    due_on = date(2026, 5, 3)
    assert apply(services, ("000.md", due_on, None))["unchanged"] == 1
    assert apply(services, ("000.md", due_on, date(2026, 4, 1)))["planned"] == 1
    assert planned(library) == {"000.md": date(2026, 4, 1)}
