"""Who answers for what: each owner's load, and the documents that nobody answers for."""

from datetime import date, timedelta

from support.review_rows import a_policy, a_row

from worker.domain.reviews.owners import parse_owners
from worker.domain.reviews.review import Acknowledgement
from worker.domain.reviews.route import Route
from worker.reviews.ownership import owners

TODAY = date(2026, 3, 30)
ASHA = Route(name="asha", channel="mail", owners=("Asha",), kinds=("review",))
RAVI = Route(name="ravi", channel="mail", owners=("@ravi",), kinds=("review",), paths=("/in/",))
EVERYONE = Route(name="everyone", channel="console", kinds=("review",))
POLICY = a_policy(
    routes=(EVERYONE, ASHA, RAVI), owners=parse_owners("/in/ @ravi @ASHA\n/shared/ @meera\n")
)


def answer(*rows, policy=POLICY):
    return owners(rows, policy=policy, today=TODAY)


def in_days(number, days, **given):
    return a_row(number, due_on=TODAY + timedelta(days=days), **given)


def test_an_owner_has_one_row_for_all_spellings_of_the_name():
    answered = answer(a_row(1, owner="asha"), a_row(2, owner="@Asha"), a_row(3, owner="ASHA"))
    [asha] = answered["owners"]
    assert asha == {
        "owner": "asha",
        "routes": ["asha"],
        "documents": 3,
        "overdue": 0,
        "due": 3,
        "upcoming": 0,
        "next_due_on": "2026-03-30",
        "source": "front matter",
    }
    assert answered["orphaned"] == {"documents": 0, "paths": []}


def test_the_load_is_counted_by_review_state():
    [asha] = answer(
        in_days(1, -1, owner="asha"),
        in_days(2, -60, owner="asha"),  # escalated, and so overdue
        in_days(3, 0, owner="asha"),
        in_days(4, 14, owner="asha"),
        in_days(5, 15, owner="asha"),
        a_row(6, owner="asha", due_on=None, exempt=True),
    )["owners"]
    assert (asha["documents"], asha["overdue"], asha["due"], asha["upcoming"]) == (6, 2, 1, 1)
    assert asha["next_due_on"] == "2026-03-30"


def test_a_snooze_hides_no_overdue_review():
    snoozed = Acknowledgement(snoozed_until=TODAY + timedelta(days=9), snoozes=1)
    [asha] = answer(in_days(1, -1, owner="asha", given=snoozed))["owners"]
    assert (asha["overdue"], asha["next_due_on"]) == (1, None)


def test_each_owner_in_the_reviewers_file_has_the_document():
    answered = answer(a_row(1, path="in/x.md"))
    assert [(one["owner"], one["routes"], one["source"]) for one in answered["owners"]] == [
        ("@ASHA", ["asha"], "reviewers"),
        ("@ravi", ["ravi"], "reviewers"),
    ]
    assert answered["orphaned"]["documents"] == 0


def test_a_document_without_an_owner_or_route_is_orphaned():
    answered = answer(
        a_row(1, path="z.md"),
        a_row(2, path="shared/x.md"),
        a_row(3, path="a.md", owner="Nobody Knows"),
        a_row(4, path="out/x.md", owner="ravi"),  # his route takes only other paths
        a_row(5, path="in/x.md", owner="ravi"),
    )
    assert answered["orphaned"] == {
        "documents": 4,
        "paths": ["a.md", "out/x.md", "shared/x.md", "z.md"],
    }
    assert [(one["owner"], one["routes"]) for one in answered["owners"]] == [
        ("@meera", []),
        ("Nobody Knows", []),
        ("ravi", ["ravi"]),
        (None, []),
    ]
    assert answered["owners"][-1]["source"] == "nobody"


def test_a_fallback_answers_for_nothing():
    fallback = Route(
        name="desk", channel="mail", kinds=("review",), owners=("asha",), fallback=True
    )
    answered = answer(a_row(1, owner="asha"), policy=a_policy(routes=(fallback,)))
    assert answered["owners"][0]["routes"] == []
    assert answered["orphaned"]["documents"] == 1
