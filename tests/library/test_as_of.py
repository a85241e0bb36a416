"""The library as of an instant, rebuilt from events and versions."""

from datetime import UTC, date, datetime

import pytest
from support.seeds import a_seed
from support.stored import NOON, a_library

from worker.settings.model import packaged_config

DAY_1, DAY_2, DAY_3 = date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 26)
SHORTLY_BEFORE = datetime(2026, 11, 24, 11, 59, tzinfo=UTC)


@pytest.fixture
def library(store_url):
    with a_library(store_url) as library:
        yield library


def evening(day):
    return datetime(day.year, day.month, day.day, 20, tzinfo=UTC)


def states(library, at, state=None):
    return {row["path"]: row["state"] for row in library.services.list_documents(state, at=at)}


def test_as_of_now_equals_the_list(library):
    text = a_seed(lastReviewed="2026-11-20")
    library.drop("a.md", text)
    library.drop("b.md", title="B", status="deprecated")
    library.drop("c.md", title="C", reviewFrequency=None)
    library.drop("c.md", "broken")
    library.move("a.md", "sub/a.md", text)
    library.drop("b.md", title="B, once more", owner="Asha")
    library.remove("b.md")
    assert library.services.list_documents(None, at=library.time) == (
        library.services.list_documents(None)
    )


def test_as_of_a_time_before_the_first_load_is_empty(library):
    library.drop("a.md")
    assert library.services.list_documents(None, at=SHORTLY_BEFORE) == []


def test_later_retirements_and_arrivals_do_not_count(library):
    library.drop("a.md")
    library.on(DAY_2)
    library.remove("a.md")
    library.drop("b.md", title="B")
    library.on(DAY_3)
    library.drop("a.md")

    assert states(library, evening(DAY_1)) == {"a.md": "live"}
    assert states(library, evening(DAY_2)) == {"a.md": "retired", "b.md": "live"}
    assert states(library, evening(DAY_3)) == {"a.md": "live", "b.md": "live"}
    assert states(library, evening(DAY_2), "retired") == {"a.md": "retired"}


def test_a_moved_document_is_at_its_old_path_before_the_move(library):
    text = a_seed()
    library.drop("old.md", text)
    library.on(DAY_2)
    library.move("old.md", "new.md", text)

    assert states(library, evening(DAY_1)) == {"old.md": "live"}
    assert states(library, evening(DAY_2)) == {"new.md": "live"}


def test_review_states_are_as_of_that_day(library):
    library.drop("a.md", lastReviewed="2026-08-25")  # due on 2026-11-25
    library.on(DAY_3)
    library.drop("a.md", lastReviewed="2026-11-26")

    def review(day):
        [row] = library.services.list_documents(None, at=evening(day))
        return row["review_state"], row["due_on"], row["number"]

    assert review(DAY_1) == ("upcoming", "2026-11-25", 1)
    assert review(DAY_2) == ("due", "2026-11-25", 1)
    assert review(DAY_3) == ("current", "2027-02-26", 2)


def test_a_file_refused_at_that_time_is_marked(library):
    library.drop("a.md")
    library.on(DAY_2)
    library.drop("a.md", "broken")
    library.on(DAY_3)
    library.drop("a.md")

    marked = [
        [row["refused"] for row in library.services.list_documents(None, at=evening(day))]
        for day in (DAY_1, DAY_2, DAY_3)
    ]
    assert marked == [[False], [True], [False]]
    assert states(library, evening(DAY_2), "refused") == {"a.md": "live"}


def test_the_day_in_the_teams_zone_decides_what_is_due(store_url):
    with a_library(store_url, review={"timezone": "Asia/Kolkata"}) as library:
        library.drop("a.md", lastReviewed="2026-08-25")  # due on 2026-11-25
        [row] = library.services.list_documents(None, at=evening(DAY_1))
        assert row["review_state"] == "due", "in Kolkata it is the next day already"


def test_a_document_is_found_at_an_instant_by_its_path_at_that_time(library):
    text = a_seed(title="First")
    library.drop("old.md", text)
    library.on(DAY_2)
    library.move("old.md", "new.md", text)
    library.drop("old.md", title="Another at the old path")
    library.on(DAY_3)
    library.remove("new.md")

    def shown(path, day):
        at = evening(day) if day else None
        found = library.services.show(path, number=None, at=at)
        return found and (found["metadata"]["title"], found["state"], found["path"])

    assert shown("old.md", DAY_1) == ("First", "live", "old.md")
    assert shown("new.md", DAY_1) == ("First", "live", "old.md")
    assert shown("old.md", DAY_2) == ("Another at the old path", "live", "old.md")
    assert shown("new.md", DAY_3) == ("First", "retired", "new.md")
    assert shown("new.md", None) == ("First", "retired", "new.md")
    assert library.services.show("old.md", number=None, at=SHORTLY_BEFORE) is None


def test_the_history_of_a_document_is_found_by_its_old_path(library):
    text = a_seed()
    library.drop("old.md", text)
    library.move("old.md", "new.md", text)
    library.drop("new.md", title="Later")
    for path in ("old.md", "new.md"):
        history = library.services.history(path)
        assert history["path"] == "new.md"
        assert [version["number"] for version in history["versions"]] == [1, 2]
    assert library.services.diff("old.md", None, None)["path"] == "new.md"


def test_the_history_of_a_document_whose_place_another_took_is_found_by_its_time(library):
    def page(title, **fields):
        return a_seed(title=title, body=f"{title} " * 60, **fields)

    library.drop("page.md", page("First"))
    library.drop("page.md", page("First", owner="Asha"))
    library.on(DAY_2)
    library.drop("draft.md", page("Second"))
    library.later(hours=1)
    library.move("draft.md", "page.md", page("Second"))
    library.on(DAY_3)
    library.drop("page.md", page("Second", owner="Asha"))
    library.move("page.md", "moved.md", page("Second", owner="Asha"))
    library.drop("page.md", page("Third"))

    def history(at=None):
        found = library.services.history("page.md", at=at)
        assert {one["path"] for one in found["before"]} <= {"page.md"}
        before = [datetime.fromisoformat(one["at"]) for one in found["before"]]
        title = library.services.show("page.md", number=None, at=at)["metadata"]["title"]
        return title, found["path"], len(found["versions"]), before

    title, path, versions, (second, first) = history()
    assert (title, path, versions) == ("Third", "page.md", 1)
    assert history(second) == ("Second", "moved.md", 2, [first])
    assert history(first) == ("First", "page.md", 2, [])
    assert history(evening(DAY_1)) == ("First", "page.md", 2, [])
    assert library.services.history("moved.md")["before"] == []


def test_a_moment_counts_to_the_second(library):
    library.drop("a.md", title="One")
    library.later(seconds=1)
    library.drop("a.md", title="Two")
    titles = [row["title"] for row in library.services.list_documents(None, at=NOON)]
    assert titles == ["One"]


def test_a_diff_rates_a_change_like_the_store_with_the_teams_field_names(store_url, tmp_path):
    schema = tmp_path / "schema.json"
    ours = (packaged_config() / "seed.schema.json").read_text()
    schema.write_text(ours.replace('"status"', '"standing"'))
    with a_library(store_url, fields={"status": "standing"}, schema_file=schema) as library:
        for standing in ("active", "inactive"):
            library.drop("a.md", status=None, standing=standing)
        assert library.services.history("a.md")["versions"][-1]["risk"] == "high"
        assert library.services.diff("a.md", None, None)["risk"] == "high"
