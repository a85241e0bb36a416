"""Which notices are owed for one fact: one for each route that takes it, each with its own key."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from worker.domain.reviews.notice import (
    HELD,
    KINDS,
    REFUSED,
    REVIEW,
    ROUTINE_KINDS,
    URGENT_KINDS,
    Cycle,
    asking_notices,
    failing_notices,
    hold_notices,
    refusal_notices,
    retraction_notices,
    review_notices,
    silent_notices,
    well_notices,
)
from worker.domain.reviews.review import Acknowledgement, Clock, Ladder
from worker.domain.reviews.route import Route, Subject, routes_for

DUE = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LADDER = Ladder(lead_days=(14,), repeat_days=7, backup_days=7, lead_escalation_days=21)
SUBJECT = Subject(path="care/nausea.md", owners=("Asha",))
ALL = Route(name="team", channel="mail", kinds=(REVIEW, REFUSED, HELD))
CARE = Route(name="care", channel="chat", paths=("care/",), kinds=(REVIEW, REFUSED))
OTHERS = Route(name="others", channel="chat", owners=("Ravi",), kinds=(REVIEW, REFUSED))


def of_a_review(days_left=0, *, due=DUE, exempt=False, document_id=7, routes=(ALL,)):
    return list(
        review_notices(
            SUBJECT,
            document_id=document_id,
            clock=Clock(due_on=due, exempt=exempt),
            title="Nausea",
            today=DUE - timedelta(days=days_left),
            ladder=LADDER,
            routes=routes,
        )
    )


def of_a_refusal(*, observed=11, routes=(ALL,)):
    return list(
        refusal_notices(
            SUBJECT,
            document_id=7,
            sha256="s1",
            observed=observed,
            problem={"code": "CS032"},
            kept=3,
            routes=routes,
        )
    )


def keys(notices):
    return [notice.key for notice in notices]


def test_a_notice_of_a_due_review_says_what_it_is_about():
    [notice] = of_a_review()
    assert notice.key == "review:7:2026-11-24:due:team"
    assert (notice.kind, notice.stage, notice.due_on) == ("review", "due", DUE)
    assert (notice.path, notice.document_id) == ("care/nausea.md", 7)
    assert (notice.route, notice.channel) == ("team", "mail")
    assert notice.data == {"title": "Nausea", "owner": "Asha"}


@pytest.mark.parametrize(
    ("days_left", "stage"),
    [(15, None), (14, "ahead-14"), (1, "ahead-14"), (0, "due"), (-1, "overdue"), (-90, "overdue")],
)
def test_a_review_owes_notices_in_its_stages_and_none_while_it_is_current(days_left, stage):
    assert [notice.stage for notice in of_a_review(days_left)] == ([stage] if stage else [])


def test_a_document_that_never_falls_due_owes_nothing():
    assert of_a_review(-90, exempt=True) == []
    assert of_a_review(due=None) == []


def test_a_stage_is_owed_once_a_cycle_to_each_route():
    assert keys(of_a_review(-1)) == keys(of_a_review(-2))
    found = [
        *of_a_review(routes=(ALL, CARE)),
        *of_a_review(-1),
        *of_a_review(due=DUE + timedelta(days=1)),
        *of_a_review(document_id=8),
    ]
    assert len(set(keys(found))) == len(found) == 5


@pytest.mark.parametrize("owed", [of_a_review, of_a_refusal])
def test_only_routes_that_take_a_fact_get_a_notice(owed):
    assert [(n.route, n.channel) for n in owed(routes=(OTHERS, CARE, ALL))] == [
        ("care", "chat"),
        ("team", "mail"),
    ]
    assert owed(routes=()) == []


def test_a_refusal_names_the_problem_and_the_version_that_stays():
    [notice] = of_a_refusal()
    assert notice.key == "refused:care/nausea.md:11:team"
    assert (notice.kind, notice.stage, notice.due_on) == ("refused", None, None)
    assert (notice.path, notice.document_id) == ("care/nausea.md", 7)
    assert notice.data == {"sha256": "s1", "problem": {"code": "CS032"}, "kept": 3}


def test_each_observation_of_a_refused_file_is_owed_to_each_route():
    found = [*of_a_refusal(routes=(ALL, CARE)), *of_a_refusal(observed=12)]
    assert len(set(keys(found))) == 3


def test_a_hold_is_owed_to_every_route_that_takes_holds():
    [notice] = hold_notices(4, "removals", 300, live=1000, routes=(CARE, ALL))
    assert notice.key == "held:4:team"
    assert (notice.kind, notice.stage, notice.due_on) == ("held", None, None)
    assert (notice.path, notice.document_id) == ("", None)
    assert (notice.route, notice.channel) == ("team", "mail")
    assert notice.data == {"removals": 300, "live": 1000}


def test_a_backup_gets_the_notice_through_the_route_that_names_them():
    asha = Route(
        name="asha", channel="mail", kinds=KINDS, owners=("asha",), backup="ravi", lead="gone"
    )
    ravi = Route(name="ravi", channel="chat", kinds=KINDS, owners=("Ravi",))
    found = of_a_review(-21, routes=(asha, ravi))
    assert [(n.route, n.channel, n.stage) for n in found] == [
        ("asha", "mail", "overdue"),
        ("ravi", "chat", "backup"),
    ]


def test_earlier_events_of_the_cycle_count():
    def found(**happened):
        return [
            notice.stage
            for notice in review_notices(
                SUBJECT,
                document_id=7,
                clock=Clock(due_on=DUE, exempt=False),
                title="Nausea",
                today=DUE + timedelta(days=6),
                ladder=LADDER,
                routes=(ALL,),
                cycle=Cycle(**happened),
            )
        ]

    assert found() == ["overdue"]
    assert found(notified_on={"team": DUE + timedelta(days=1)}) == []
    assert found(notified_on={"team": DUE - timedelta(days=1)}) == ["overdue+6"]
    assert found(given=Acknowledgement(snoozed_until=date.max)) == []


def test_a_fallback_gets_notices_that_nobody_else_answers_for():
    asha = Route(name="asha", channel="mail", kinds=KINDS, owners=("@Asha ",))
    other = Route(name="other", channel="mail", kinds=KINDS, fallback=True)
    assert routes_for(REVIEW, SUBJECT, (asha, other, ALL)) == [asha, ALL]
    assert routes_for(REVIEW, Subject(path="a.md", owners=("Ravi",)), (asha, other)) == [other]
    assert routes_for(REVIEW, Subject(path="a.md"), (asha, other, ALL)) == [other, ALL]


def test_an_edit_requests_a_review_once_a_version():
    def asked(number):
        return list(
            asking_notices(
                SUBJECT, document_id=7, due_on=DUE, number=number, title="Nausea", routes=(ALL,)
            )
        )

    assert keys(asked(2)) == ["review:7:2026-11-24:asked-2:team"]
    assert keys(asked(2)) != keys(asked(3))


def test_a_retraction_names_the_version_that_was_served():
    [notice] = retraction_notices(
        SUBJECT,
        document_id=7,
        number=3,
        title="Nausea",
        status="deprecated",
        observed=11,
        routes=(Route(name="team", channel="mail", kinds=KINDS), OTHERS),
    )
    assert notice.key == "retracted:7:11:team"
    assert (notice.kind, notice.path, notice.document_id) == ("retracted", "care/nausea.md", 7)
    assert notice.data == {"title": "Nausea", "status": "deprecated", "number": 3}


def test_a_failing_channel_is_reported_over_the_others():
    mail = Route(name="mail", channel="mail", kinds=KINDS)
    chat = Route(name="chat", channel="chat", kinds=KINDS)
    [notice] = failing_notices("mail", since=NOON, error="451", routes=(mail, chat))
    assert notice.key == "failing:mail:2026-11-24T12:00:00+00:00:chat"
    assert notice.data == {"channel": "mail", "since": NOON.isoformat(), "error": "451"}


def test_silence_is_reported_once_a_day_and_good_health_once_a_month():
    everyone = (Route(name="team", channel="mail", kinds=KINDS), ALL)
    [silent] = silent_notices("sweep", since=None, today=DUE, routes=everyone)
    assert (silent.key, silent.data) == (
        "silent:sweep:2026-11-24:team", {"part": "sweep", "since": None},
    )  # fmt: skip
    [well] = well_notices(DUE, live=3, current=2, next_week=1, routes=everyone)
    assert (well.key, well.data) == (
        "well:2026-11:team", {"live": 3, "current": 2, "next_week": 1},
    )  # fmt: skip


def test_urgent_facts_are_sent_by_default_and_good_health_only_on_request():
    assert set(ROUTINE_KINDS) == set(KINDS) - {"well"}
    assert set(KINDS) - URGENT_KINDS == {"review", "well"}
