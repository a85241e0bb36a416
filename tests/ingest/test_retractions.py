"""A file that says that it is not active any more is not served, whatever else is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from typing import Any

import pytest
from sqlalchemy import select
from support.seeds import BODY, a_seed
from support.stored import Library, a_library

from worker.domain.folder import laws
from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Source
from worker.settings.model import EmailChannel, RouteSettings
from worker.store import evidence
from worker.store.documents import batched
from worker.store.library import events_after
from worker.store.schema import documents, paths

NO_DATE = "2026-99-99"  # of a review: an error
#: Front matter that is no YAML, with a status that is readable all the same.
BROKEN = a_seed(status="inactive").replace("title: How", "title: Bones: how")


@pytest.fixture
def library(store_url: str):
    with a_library(
        store_url,
        channels={"mail": EmailChannel(host="127.0.0.1", port=9)},
        routes={"team": RouteSettings(channel="mail", to=("team@example.org",))},
    ) as library:
        yield library


def bad(status: str | None = "active", **fields: Any) -> str:
    """Return a seed with an error, and with this status."""
    return a_seed(status=status, lastReviewed=NO_DATE, **fields)


def retractions(library: Library) -> list[str]:
    return [n["path"] for n in library.services.notices(None) if n["kind"] == "retracted"]


def breaches(library: Library) -> list[laws.Breach]:
    policy = library.services.policy
    with library.store.read() as connection:
        return [
            breach
            for row in evidence.newest_versions(connection)
            for breach in laws.check_head(row, row.v_number, row.v_metadata, policy, row.withheld)
        ]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (bad("inactive"), "inactive"),
        (bad("deprecated"), "deprecated"),
        (bad("deprcated"), "deprcated"),
        (a_seed(status="withdrawn"), "withdrawn"),
        (BROKEN, "inactive"),
        (BROKEN.replace("\n", "\r\n"), "inactive"),
        (BROKEN.replace("status:", "'status' :"), "inactive"),
        (a_seed(status="inactive").replace("\n---\n", "\n", 1), "inactive"),
        (a_seed(status="inactive").encode() + b"\xb5g", "inactive"),
        (a_seed() .replace("status: active", "status: active\nstatus: inactive"), "inactive"),
        (bad("active"), "active"),
        (bad("actve"), "active"),
        (bad("Active"), "active"),
        (bad(None), "active"),
        ("", "active"),
        (a_seed().replace("\n---\n", "\n", 1) + "\nstatus: inactive\n", "active"),
    ],
)  # fmt: skip
def test_a_refused_file_that_is_not_active_takes_its_document_out_of_service(
    library: Library, text: str | bytes, status: str
):
    library.drop("a.md")
    assert library.drop("a.md", text).kind == "refused"

    assert library.document("a.md")["status"] == status
    served = [d["path"] for d in library.services.export_documents(active_only=True)]
    assert served == (["a.md"] if status == "active" else [])
    assert library.kinds().count("document.withheld") == (status != "active")
    assert retractions(library) == ([] if status == "active" else ["a.md"])
    assert library.document("a.md")["number"] == 1
    assert breaches(library) == []


def test_the_event_says_which_version_with_which_status_and_errors(library: Library):
    library.drop("a.md")
    library.drop("a.md", bad("inactive"))

    *_, event = library.services.events(0)
    assert event["type"] == "org.content-sync.document.withheld"
    assert event["data"]["status"] == "inactive"
    assert event["data"]["number"] == 1
    assert event["data"]["codes"] == ["CS035"]
    assert event["data"]["document_id"] == 1


def test_a_batch_that_comes_twice_withholds_and_notifies_once(library: Library):
    library.drop("a.md")
    data = bad("inactive").encode()
    snapshots = (library.snapshot("a.md", data),)
    library.take_in_batch(snapshots, data)
    library.take_in_batch(snapshots, data)
    library.drop("a.md", bad("inactive", title="Another"))

    assert library.kinds().count("document.withheld") == 1
    assert retractions(library) == ["a.md"]


def test_a_withheld_document_stays_so_until_a_file_without_errors_says_active(library: Library):
    library.drop("a.md")
    library.drop("a.md", bad("inactive"))
    for text in (bad("active"), "", bad(None)):
        library.drop("a.md", text)
        assert library.document("a.md")["status"] == "inactive"

    library.drop("a.md")
    assert library.document("a.md")["status"] == "active"
    assert library.kinds()[-2:] == ["seed.fixed", "document.revived"]
    assert library.services.events(0)[-1]["data"] == {
        "document_id": 1, "number": 1, "status": "active"
    }  # fmt: skip
    assert library.document("a.md")["due_on"] is not None
    assert breaches(library) == []


def test_an_edit_without_errors_serves_the_document_again(library: Library):
    library.drop("a.md")
    library.drop("a.md", bad("inactive"))
    assert library.drop("a.md", title="Mended").number == 2

    assert library.document("a.md")["status"] == "active"
    assert library.kinds()[-1] == "version.stored"
    assert breaches(library) == []


def test_a_withheld_document_keeps_its_state_when_it_moves_with_its_errors(library: Library):
    library.drop("a.md")
    library.drop("a.md", bad("inactive"))
    library.move("a.md", "b.md", bad("inactive"))

    assert library.document("b.md")["status"] == "inactive"
    assert retractions(library) == ["a.md"]
    assert breaches(library) == []
    library.move("b.md", "c.md", a_seed())
    library.drop("c.md")
    assert library.document("c.md")["status"] == "active"
    assert breaches(library) == []


def test_a_withheld_document_whose_file_goes_is_retired_without_another_notice(library: Library):
    library.drop("a.md")
    library.drop("a.md", bad("inactive"))
    library.remove("a.md")

    assert library.document("a.md")["state"] == "retired"
    assert retractions(library) == ["a.md"]
    assert breaches(library) == []
    library.drop("a.md")
    assert library.document("a.md")["status"] == "active"
    assert breaches(library) == []


def test_what_displaces_a_withheld_document_is_served(library: Library):
    library.drop("a.md", title="A", body=f"{BODY}\nOne.")
    library.drop("b.md", title="B")
    library.drop("a.md", bad("inactive"))
    library.move("b.md", "a.md", a_seed(title="B"))

    rows = {d["title"]: (d["state"], d["status"]) for d in library.services.list_documents(None)}
    assert rows["B"] == ("live", "active")
    assert rows["A"][0] == "retired"
    assert breaches(library) == []


def test_why_and_the_library_of_an_instant_say_that_it_is_not_served(library: Library):
    library.drop("a.md")
    before = library.time
    library.later(hours=1)
    library.drop("a.md", bad("inactive"))
    then = library.time
    library.later(hours=1)
    library.drop("a.md")

    reader = library.services
    statuses = [
        [row["status"] for row in reader.list_documents(None, at=at)]
        for at in (before, then, library.time)
    ]
    assert statuses == [["active"], ["inactive"], ["active"]]
    steps = {step["step"]: step for step in reader.why("a.md")["steps"]}
    assert steps["withheld"]["outcome"] == "not served"
    assert "the file says inactive" in steps["withheld"]["detail"]
    assert "says active again" in steps["revived"]["detail"]


#: What is observed one after the other. The last two are accepted.
KINDS = {
    "says nothing": lambda number: b"\xff%d" % number,
    "refused, active": lambda number: bad("active", title=f"T{number}").encode(),
    "refused, inactive": lambda number: bad("inactive", title=f"T{number}").encode(),
    "refused, deprecated": lambda number: bad("deprecated", title=f"T{number}").encode(),
    "active": lambda number: a_seed(title=f"T{number}").encode(),
    "inactive": lambda number: a_seed(title=f"T{number}", status="inactive").encode(),
}


def test_every_order_of_arrival_ends_with_the_same_status(library: Library):
    ends: dict[tuple[str, ...], set[Any]] = {}
    cases = []
    for kinds in product(KINDS, repeat=3):
        files = [a_seed(), *(KINDS[kind](number) for number, kind in enumerate(kinds))]
        for order in permutations(range(4)):
            path = f"{len(cases)}.md"
            seen = [
                (library.snapshot(path, data), data)
                for data in (file if isinstance(file, bytes) else file.encode() for file in files)
            ]
            cases.append((kinds, path, [seen[place] for place in order]))
    for arriving in range(4):
        for some in batched(cases, 500):
            parts = [seen[arriving] for _, _, seen in some]
            snapshots = tuple(snapshot for snapshot, _ in parts)
            data = b"".join(part for _, part in parts)
            library.services.take_in_bytes(Batch(id="some", snapshots=snapshots), data)

    with library.store.read() as connection:
        d, p = documents.c, paths.c
        rows = connection.execute(
            select(p.path, p.state, p.withheld, d.id, d.status).join(
                documents, p.document_id == d.id
            )
        )
        found = {row.path: row for row in rows}
        replayed: dict[int, str] = {}
        for event in events_after(connection, 0, 10**6):
            if event.kind in {"version.stored", "document.withheld", "document.revived"}:
                replayed[event.document_id] = event.data["status"]
    for kinds, path, _ in cases:
        row = found[path]
        ends.setdefault(kinds, set()).add((row.state, row.withheld, row.status))
        assert replayed[row.id] == row.status, (kinds, path)
    assert {kinds: end for kinds, end in ends.items() if len(end) > 1} == {}
    assert {status for end in ends.values() for _, _, status in end} == {
        "active", "inactive", "deprecated"
    }  # fmt: skip
    assert breaches(library) == []


def test_a_removal_ends_nothing_that_came_after_it(library: Library):
    library.drop("a.md")
    removal = Removal(path="a.md", observed=next(library.observed))
    data = bad("inactive").encode()
    library.take_in_batch((library.snapshot("a.md", data),), data)
    library.take_in_batch(removals=(removal,))

    assert library.document("a.md")["status"] == "inactive"
    assert breaches(library) == []


def test_a_stale_removal_in_the_batch_does_not_serve_a_withheld_document(library: Library):
    """As after a change of the leader: what the new one calls a move is none."""

    def seen(path: str, text: str, number: int) -> tuple[Snapshot, bytes]:
        data = text.encode()
        return replace(library.snapshot(path, data), observed=number), data

    refused, its_data = seen("a.md", bad("deprecated"), 20)
    library.take_in_batch((refused,), its_data)
    good, good_data = seen("a.md", a_seed(title="A"), 10)
    other, other_data = seen("b.md", a_seed(title="B"), 15)
    moved = replace(other, moved_from=Source("a.md", 5))
    outcomes = library.take_in_batch((good, moved), good_data + other_data)
    assert ("a.md", "stale") in [(one.path, one.kind) for one in outcomes]
    assert library.document("a.md")["status"] == "deprecated"
    assert breaches(library) == []
