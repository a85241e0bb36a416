"""Why a file is served or not: its steps in plain words, over both databases."""

from datetime import UTC, date, datetime
from itertools import count

import pytest
from support.seeds import BODY, a_seed
from support.stored import NOON, a_library

BROKEN = a_seed(reviewFrequency="quaterly")


@pytest.fixture
def library(store_url):
    with a_library(store_url) as library:
        library.observed = count(int(NOON.timestamp() * 1_000_000) - 1_000)
        yield library


def story(library, path="a.md"):
    """Return the steps in short: what, and how it ended."""
    return [(one["step"], one["outcome"]) for one in library.services.why(path)["steps"]]


def details(library, step, path="a.md"):
    steps = library.services.why(path)["steps"]
    return [one["detail"] for one in steps if one["step"] == step]


def test_a_first_version_was_seen_validated_and_stored_and_is_served(library):
    library.drop("a.md", lastReviewed="2026-11-20")
    assert story(library) == [
        ("seen", "settled"), ("validated", "ok"), ("stored", "version 1"), ("served", "version 1"),
    ]  # fmt: skip
    assert details(library, "stored") == ["the first version; its review is due on 2027-02-20"]
    assert details(library, "served") == ["version 1 of 2026-11-24 is served"]


def test_each_step_has_its_instant_and_the_oldest_comes_first(library):
    library.drop("a.md")
    library.later(days=1)
    library.drop("a.md", title="Later")
    instants = [datetime.fromisoformat(one["at"]) for one in library.services.why("a.md")["steps"]]
    assert instants == sorted(instants)
    assert all(instant.tzinfo is not None for instant in instants)


def test_a_change_is_listed_with_its_figures(library):
    library.drop("a.md", lastReviewed="2026-11-20")
    library.later(days=1)
    library.drop("a.md", lastReviewed="2026-11-20", body=BODY.replace("5 days", "7 days"))
    [_, second] = details(library, "stored")
    assert second.startswith("as a content change, high risk; 5 days → 7 days; ")
    assert "+1 −1 lines" in second


def test_a_refused_edit_shows_the_place_the_reason_and_the_version_that_stays(library):
    library.drop("a.md")
    library.later(days=1)
    library.drop("a.md", BROKEN)
    assert ("validated", "refused") in story(library)
    detail = details(library, "validated")[-1]
    assert detail.startswith('line 9: "quaterly" is not a review frequency (CS')
    assert "quarterly" in detail.split("; ")[1]
    [served] = details(library, "served")
    assert served.startswith(
        'version 1 of 2026-11-24 stays; the file on disk is refused: line 9: "quaterly"'
    )


def test_an_old_refusal_is_listed_after_the_file_is_fixed(library):
    library.drop("a.md")
    library.later(hours=1)
    library.drop("a.md", BROKEN)
    library.later(hours=1)
    library.drop("a.md")
    assert ("fixed", "ok") in story(library)
    assert 'line 9: "quaterly" is not a review frequency' in details(library, "validated")[-1]
    assert details(library, "served") == ["version 1 of 2026-11-24 is served"]


def test_a_file_that_was_never_stored_has_steps(library):
    library.drop("a.md", BROKEN)
    assert story(library)[:2] == [("seen", "settled"), ("validated", "refused")]
    assert details(library, "served")[0].startswith(
        "nothing is served: the file on disk is refused: line 9"
    )
    library.remove("a.md")
    assert ("withdrawn", "ok") in story(library)
    assert details(library, "served") == [
        "nothing is served: it was never stored, and its file was deleted"
    ]


def test_a_retired_document_is_not_served_and_a_revived_one_is(library):
    library.drop("a.md")
    library.on(date(2026, 12, 1))
    library.remove("a.md")
    assert details(library, "served") == ["nothing is served: retired on 2026-12-01"]
    library.later(days=1)
    library.drop("a.md")
    assert story(library)[-4:] == [
        ("retired", "not served"), ("to be sent", "waiting"),
        ("revived", "served"), ("served", "version 1"),
    ]  # fmt: skip


def test_a_moved_document_is_traced_from_either_path(library):
    text = a_seed()
    library.drop("old/a.md", text)
    library.move("old/a.md", "b.md", text)
    library.move("b.md", "new/a.md", text)
    library.drop("new/a.md", a_seed(title="After the move"))
    for path in ("old/a.md", "b.md", "new/a.md"):
        steps = story(library, path)
        assert [outcome for step, outcome in steps if step == "stored"] == [
            "version 1", "version 2",
        ]  # fmt: skip
        assert [step for step, _ in steps].count("moved") == 2
    assert "from old/a.md to b.md" in details(library, "moved", "new/a.md")[0]
    assert details(library, "served", "new/a.md") == ["version 2 of 2026-11-24 is served"]
    assert details(library, "served", "old/a.md") == [
        "version 2 of 2026-11-24 is served as new/a.md"
    ]


def test_a_new_document_at_a_path_that_another_left_is_served_there(library):
    never_due = {"reviewFrequency": "as_needed"}
    text = a_seed(**never_due)
    library.drop("a.md", text)
    library.move("a.md", "b.md", text)
    library.drop("a.md", a_seed(title="Another", **never_due))
    library.drop("b.md", a_seed(title="Elsewhere", **never_due))
    assert [step for step, _ in story(library)] == [
        "seen", "seen", "validated", "stored", "moved", "validated", "stored", "served",
    ]  # fmt: skip
    assert "is served" in details(library, "served")[0]


def test_the_steps_list_who_got_a_message(library):
    library.drop("a.md", lastReviewed="2025-12-30")  # long overdue
    assert ("to be sent", "waiting") in story(library)
    library.later(hours=1)
    assert library.services.deliver()
    assert ("sent", "to everyone") in story(library)
    assert details(library, "sent") == [
        "everyone, over console: its review is overdue (due on 2026-03-30)"
    ]


def test_a_stored_retraction_is_marked(library):
    library.drop("a.md", status="deprecated")
    assert details(library, "served") == [
        "version 1 of 2026-11-24 has the status deprecated: it is kept, but must not be served"
    ]
    assert story(library)[-1] == ("served", "deprecated")


def test_days_are_in_the_zone_of_the_team(store_url):
    review = {"timezone": "Asia/Kolkata"}
    with a_library(store_url, review=review) as library:
        library.time = datetime(2026, 11, 24, 20, tzinfo=UTC)
        library.drop("a.md")
        assert details(library, "served") == ["version 1 of 2026-11-25 is served"]


def test_an_unknown_path_gives_none(library):
    library.drop("a.md")
    assert library.services.why("b.md") is None
