"""What a worker stores for the files of a batch, over both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.seeds import BODY, a_seed
from support.stored import Library, a_library

from worker.domain.folder.snapshot import Removal
from worker.ingest.outcomes import describe


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def test_a_dropped_seed_becomes_version_1_with_its_due_date(library: Library):
    outcome = library.drop("a.md", lastReviewed="2025-12-30", reviewFrequency="quarterly")

    assert (outcome.kind, outcome.number) == ("new", 1)
    document = library.document("a.md")
    assert document["due_on"] == "2026-03-30"
    assert document["review_state"] == "overdue"
    assert library.kinds() == ["version.stored"]


def test_an_edit_of_the_body_is_a_content_version(library: Library):
    library.drop("a.md")
    library.drop("a.md", body=BODY.replace("5 days", "7 days") + "One more line.\n")

    versions = library.services.history("a.md")["versions"]
    assert [v["change"] for v in versions] == ["content", "content"]
    assert (versions[1]["lines_added"], versions[1]["lines_removed"]) == (2, 1)


def test_a_version_is_stored_with_its_summary_for_the_reviewer(library: Library):
    library.drop("a.md")
    new = BODY.replace("5 days", "7 days").replace("example.org/ward", "example.org/ward-3")
    outcome = library.drop("a.md", body=new)

    first, second = library.services.history("a.md")["versions"]
    assert (first["risk"], first["sections"], first["figures"], first["links"]) == (
        "low",
        [],
        [],
        [],
    )
    assert second["risk"] == "high"
    assert [(f["old"], f["new"], f["line"]) for f in second["figures"]] == [
        ("5 days", "7 days", 12)
    ]
    assert [(s["heading"], s["status"]) for s in second["sections"]] == [("Afterwards", "changed")]
    assert [(link["text"], link["new"]) for link in second["links"]] == [
        ("the ward's page", "https://example.org/ward-3")
    ]
    assert "risk high: 5 days → 7 days" in describe(outcome)


def test_a_retraction_is_a_high_risk(library: Library):
    library.drop("a.md")
    library.drop("a.md", status="deprecated")
    library.drop("a.md", status="deprecated", title="Another")

    risks = [version["risk"] for version in library.services.history("a.md")["versions"]]
    assert risks == ["low", "high", "medium"]


def test_a_metadata_edit_is_a_version_with_old_and_new_values(library: Library):
    library.drop("a.md")
    outcome = library.drop("a.md", status="deprecated")

    assert outcome.kind == "changed"
    version = library.services.history("a.md")["versions"][1]
    assert version["change"] == "metadata"
    assert version["fields"] == [{"field": "status", "old": "active", "new": "deprecated"}]
    assert library.document("a.md")["status"] == "deprecated"
    assert library.document("a.md")["review_state"] == "exempt"


def test_a_new_review_date_alone_is_a_review_version(library: Library):
    library.drop("a.md")
    library.drop("a.md", lastReviewed="2026-11-20", reviewerName="Dr. Rao")

    assert library.services.history("a.md")["versions"][1]["change"] == "review"
    assert library.document("a.md")["due_on"] == "2027-02-20"


def test_white_space_alone_is_a_cosmetic_version(library: Library):
    library.drop("a.md")
    library.drop("a.md", body=BODY.replace("\n\n", "\n\n\n", 1))

    assert library.services.history("a.md")["versions"][1]["change"] == "cosmetic"


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="line ends"),
        pytest.param(lambda text: text.replace("status: active", "status: 'active'"), id="quotes"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
    ],
)
def test_other_bytes_with_the_same_content_make_no_version(library: Library, rewrite):
    text = a_seed()
    library.drop("a.md", text)
    before = library.document("a.md")["sha256"]
    outcome = library.drop("a.md", rewrite(text))

    assert outcome.kind == "unchanged"
    assert len(library.services.history("a.md")["versions"]) == 1
    assert library.document("a.md")["sha256"] != before, "the store says what the folder says"


def test_a_refused_file_keeps_the_last_good_version(library: Library):
    library.drop("a.md")
    outcome = library.drop("a.md", reviewFrequency="quaterly")

    assert outcome.kind == "refused"
    assert library.document("a.md")["number"] == 1
    assert library.document("a.md")["refused"] is True
    problems = library.services.list_refusals()[0]["problems"]
    assert problems[0]["line"] == 9
    assert "quarterly" in problems[0]["hint"]


def test_a_fixed_file_ends_its_refusal(library: Library):
    text = a_seed()
    library.drop("a.md", text)
    library.drop("a.md", "")
    outcome = library.drop("a.md", text)

    assert outcome.kind == "unchanged"
    assert library.services.list_refusals() == []
    assert library.kinds() == ["version.stored", "seed.refused", "seed.fixed"]


def test_one_bad_file_never_fails_its_batch(library: Library):
    outcomes = library.take_in({"a.md": a_seed(), "b.md": b"\xff\xfe", "c.md": a_seed(title="C")})

    assert [o.kind for o in outcomes] == ["new", "refused", "new"]


def test_an_earlier_observation_never_replaces_a_later_one(library: Library):
    old, new = a_seed(title="Old").encode(), a_seed(title="New").encode()
    earlier, later = library.snapshot("a.md", old), library.snapshot("a.md", new)
    library.take_in_batch((later,), new)
    outcome = library.take_in_batch((earlier,), old)[0]

    assert outcome.kind == "stale"
    assert library.document("a.md")["title"] == "New"


def test_a_good_content_seen_before_a_refused_one_is_the_last_good_version(library: Library):
    good = a_seed().encode()
    earlier, later = library.snapshot("a.md", good), library.snapshot("a.md", b"broken")
    library.take_in_batch((later,), b"broken")

    assert library.take_in_batch((earlier,), good)[0].kind == "new"
    assert library.take_in_batch((earlier,), good)[0].kind == "stale"
    assert library.document("a.md")["state"] == "live"
    assert [r["path"] for r in library.services.list_refusals()] == ["a.md"]
    assert library.services.known_files()["a.md"].observed == later.observed


def test_ingesting_a_batch_is_idempotent(library: Library):
    data = a_seed().encode()
    snapshot = library.snapshot("a.md", data)
    library.take_in_batch((snapshot,), data)
    library.take_in_batch((snapshot,), data)

    assert len(library.services.history("a.md")["versions"]) == 1
    assert library.kinds() == ["version.stored"]
    assert len(library.services.notices(None)) == 1


def test_a_removed_file_retires_its_document_and_keeps_its_history(library: Library):
    library.drop("a.md")
    library.remove("a.md")

    assert library.document("a.md")["state"] == "retired"
    assert len(library.services.history("a.md")["versions"]) == 1
    assert library.services.due(on=None, within_days=None) == []


def test_a_removal_seen_before_the_newest_content_is_stale(library: Library):
    removal = Removal(path="a.md", observed=next(library.observed))
    library.drop("a.md")

    assert library.take_in_batch(removals=(removal,))[0].kind == "stale"
    assert library.document("a.md")["state"] == "live"


def test_a_file_that_comes_back_continues_its_document(library: Library):
    library.drop("a.md")
    library.remove("a.md")
    library.drop("a.md", title="Back again")

    assert library.document("a.md")["state"] == "live"
    assert [v["number"] for v in library.services.history("a.md")["versions"]] == [1, 2]
    assert "document.revived" in library.kinds()


def test_a_moved_file_keeps_its_history(library: Library):
    text = a_seed()
    library.drop("old/a.md", text)
    outcome = library.move("old/a.md", "new/a.md", text)[0]

    assert (outcome.kind, outcome.moved_from) == ("moved", "old/a.md")
    assert [row["path"] for row in library.services.list_documents(None)] == ["new/a.md"]
    assert len(library.services.history("new/a.md")["versions"]) == 1


def test_a_move_with_other_content_is_a_new_document_and_a_removal(library: Library):
    library.drop("a.md")
    outcomes = library.move("a.md", "b.md", a_seed(title="Another page"))

    assert {o.path: o.kind for o in outcomes} == {"b.md": "new", "a.md": "retired"}


def test_a_move_onto_a_document_continues_its_own_and_retires_the_other(library: Library):
    text = a_seed(title="A")
    library.drop("a.md", text)
    library.drop("b.md", title="B")
    outcomes = library.move("a.md", "b.md", text)

    assert {o.path: o.kind for o in outcomes} == {"b.md": "moved"}
    listed = library.services.list_documents(None)
    assert [(d["path"], d["title"], d["state"]) for d in listed] == [
        ("b.md", "A", "live"),
        ("b.md", "B", "retired"),
    ]
    assert library.kinds()[-2:] == ["document.retired", "document.moved"]


def test_equal_bodies_are_stored_once(library: Library):
    library.take_in({"a.md": a_seed(title="A"), "b.md": a_seed(title="B")})
    library.drop("a.md", title="A, once more")

    from sqlalchemy import func, select

    from worker.store.schema import bodies

    with library.store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(bodies)) == 1


def test_two_workers_with_the_same_edits_store_each_version_once(library: Library):
    batches = []
    for number in range(20):
        contents = [a_seed(title=f"Edit {number} of {i}").encode() for i in range(5)]
        snapshots = tuple(library.snapshot(f"{i}.md", data) for i, data in enumerate(contents))
        batches.append((snapshots, b"".join(contents)))
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(library.take_in_batch, *batch) for batch in batches * 2]
        outcomes = [outcome for job in jobs for outcome in job.result()]

    for i in range(5):
        assert library.document(f"{i}.md")["title"] == f"Edit 19 of {i}", "the last content wins"
        numbers = [v["number"] for v in library.services.history(f"{i}.md")["versions"]]
        assert numbers == list(range(1, len(numbers) + 1))
    stored = sum(o.kind in {"new", "changed"} for o in outcomes)
    assert library.kinds().count("version.stored") == stored


def test_events_have_the_order_of_their_commits(library: Library):
    """A follower that reads behind the newest id it knows never misses one."""
    from worker.store.library import events_after

    seen: list[int] = []

    def follow() -> None:
        with library.store.read() as connection:
            seen.extend(row.id for row in events_after(connection, seen[-1] if seen else 0, 1000))

    with ThreadPoolExecutor(5) as pool:
        jobs = [
            pool.submit(
                library.take_in, {f"{n}-{i}.md": a_seed(title=f"{n} {i}") for i in range(3)}
            )
            for n in range(30)
        ]
        while not all(job.done() for job in jobs):
            follow()
    follow()

    with library.store.read() as connection:
        assert seen == [row.id for row in events_after(connection, 0, 1000)]
    assert len(seen) == 90


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"# no front matter\n", id="no front matter"),
        pytest.param(b"---\ntitle: x\n", id="unclosed fence"),
        pytest.param(b"---\ntitle: \xff\n---\nx\n", id="not UTF-8"),
        pytest.param(a_seed().encode() + b"\0", id="NUL"),
        pytest.param(b"---\n- a\n---\nx\n", id="a list"),
        pytest.param(b"---\na: &a [1]\nb: *a\n---\nx\n", id="aliases"),
        pytest.param(b"---\na: " + b"[" * 100_000 + b"\n---\nx\n", id="deep"),
        pytest.param(a_seed(body="x" * 6_000_000).encode(), id="too large"),
    ],
)
def test_a_broken_file_is_refused_with_a_reason_and_the_good_one_beside_it_is_stored(
    library: Library, data: bytes
):
    outcomes = library.take_in({"bad.md": data, "good.md": a_seed()})

    assert {o.path: o.kind for o in outcomes} == {"bad.md": "refused", "good.md": "new"}
    problem = library.services.list_refusals()[0]["problems"][0]
    assert problem["code"].startswith("CS")
    assert problem["message"]
    assert problem["line"] >= 1


def test_a_hostile_title_is_stored_unchanged(library: Library):
    title = "'; DROP TABLE documents; -- {{ 7*7 }} {0.__class__} <script> <!channel>"
    library.drop("a.md", title=title)

    assert library.document("a.md")["title"] == title
