"""Every alteration of a chained event is found, wherever it is, and a checkpoint proves what came before."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.folder.chain import START, Checkpoint, chain_hash, content_hash, read_checkpoint
from worker.domain.folder.chain_laws import check_chain, check_checkpoint

AT = datetime(2026, 3, 30, 6, 0, 0, 250_000, tzinfo=UTC)
HASH = "ab" * 32
RESTORED = "event 41 of epoch aa is not in this store: a backup was restored"


@dataclass(frozen=True, kw_only=True)
class Row:
    id: int
    kind: str = "version.stored"
    path: str = "a.md"
    at: datetime = AT
    document_id: int | None = 7
    number: int | None = 2
    data: Any = None
    salt: str | None = None
    content_sha256: str | None = None
    chain_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Began:
    epoch: str
    after_event: int


def content(row: Row) -> dict[str, Any]:
    names = ("at", "kind", "path", "document_id", "number", "data")
    return {name: getattr(row, name) for name in names}


def chained(*rows: Row) -> list[Row]:
    linked, previous = [], START
    for row in rows:
        whole = replace(row, data=row.data or {}, salt=f"salt-{row.id}")
        own = content_hash(whole.salt, content(whole))
        previous = chain_hash(previous, own)
        linked.append(replace(whole, content_sha256=own, chain_sha256=previous))
    return linked


def five() -> list[Row]:
    return chained(*(Row(id=number, number=number) for number in range(1, 6)))


def found(rows: list[Row]) -> list[str]:
    return [breach.detail for breach in check_chain(rows)]


def test_the_hash_is_the_same_for_every_spelling_of_the_same_event():
    event = {"at": AT, "kind": "k", "path": "p", "document_id": 1, "number": None}
    india = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    one = content_hash("s", event | {"data": {"a": 1.0, "b": [0.5, True], "c": "हि"}})
    same = content_hash("s", event | {"at": india, "data": {"c": "हि", "b": (0.5, True), "a": 1}})
    assert one == same
    assert one != content_hash("t", event | {"data": {"a": 1, "b": [0.5, True], "c": "हि"}})


def test_the_hash_can_be_computed_again_by_another_program():
    """The canonical form is a promise: whoever checks the chain years later needs it as it is here."""
    row = Row(id=1, data={"title": "é", "similarity": 0.92})
    assert content_hash("00", content(row)) == (
        "4ae5a5a63665f0b7c15c1027dd3f383de75b5fc80b0b24a6b6aa738919762b4d"
    )


def test_an_instant_without_a_zone_has_no_hash():
    with pytest.raises(ValueError, match="time zone"):
        content_hash("s", content(Row(id=1, at=AT.replace(tzinfo=None), data={})))


def test_a_whole_chain_breaks_no_law():
    assert found(five()) == []
    assert found([]) == []


@given(
    place=st.integers(0, 4),
    change=st.sampled_from(
        [
            {"data": {"title": "Another"}},
            {"path": "b.md"},
            {"kind": "document.retired"},
            {"at": AT + timedelta(microseconds=1)},
            {"document_id": 8},
            {"number": None},
        ]
    ),
)
def test_an_altered_event_is_found(place: int, change: dict[str, Any]):
    rows = five()
    rows[place] = replace(rows[place], **change)
    assert found(rows) == [f"event {place + 1} was altered"]


def test_a_removed_event_is_found():
    rows = five()
    del rows[1]
    assert found(rows) == ["an event before event 3 was removed, inserted or moved"]


def test_an_inserted_event_is_found_with_and_without_hashes():
    rows = five()
    forged = replace(chained(*rows[:2], Row(id=6))[-1], id=3)
    after = [*rows[:2], forged, *rows[2:]]
    assert found(after) == ["an event before event 3 was removed, inserted or moved"]
    bare = replace(forged, id=9, salt=None, content_sha256=None, chain_sha256=None)
    assert found([*rows[:2], bare, *rows[2:]]) == ["event 9 was inserted: it has no hash"]


def test_events_that_changed_places_are_found():
    rows = five()
    rows[1], rows[2] = rows[2], rows[1]
    assert len(found(rows)) == 3


def test_the_events_of_an_older_program_at_the_end_wait_for_the_next_event():
    assert found([*five(), Row(id=6, data={})]) == []


def test_an_emptied_event_keeps_the_chain_where_an_event_says_so():
    rows = chained(Row(id=1), Row(id=2), Row(id=3, data={"emptied": [1]}), Row(id=4))
    rows[0] = replace(rows[0], data={}, salt=None)
    assert found(rows) == []
    rows[1] = replace(rows[1], data={}, salt=None)
    assert found(rows) == ["event 2 was emptied, and no event says so"]


def test_a_checkpoint_is_text_and_back():
    given = Checkpoint(epoch="0a1b2c3d", event=12, hash=HASH)
    assert read_checkpoint(f" {given}\n") == given
    for text in ("", "12", f"0a1b2c3d:12:{HASH[:-1]}", f"0a1b2c3d:x:{HASH}"):
        with pytest.raises(ValueError, match="EPOCH:ID:HASH"):
            read_checkpoint(text)


@pytest.mark.parametrize(
    ("epoch", "event", "found", "said"),
    [
        ("aa", 12, HASH, None),
        ("aa", 12, "cd" * 32, "event 12 or one before it was altered"),
        ("aa", 12, None, "event 12 was removed"),
        ("cc", 12, "cd" * 32, "this store never had the epoch cc"),
        ("aa", 41, "cd" * 32, RESTORED),
        ("aa", 41, None, RESTORED),
        ("bb", 41, HASH, None),
    ],
)  # fmt: skip
def test_a_checkpoint_is_compared_with_the_store(epoch, event, found, said):
    epochs = [Began(epoch="aa", after_event=0), Began(epoch="bb", after_event=40)]
    breach = check_checkpoint(Checkpoint(epoch=epoch, event=event, hash=HASH), epochs, found)
    assert (breach and breach.detail) == said


@pytest.mark.parametrize("value", [1.0, 1e16, 1e23, 1e300, -0.0, 1.5, 1e-7, float("inf")])
def test_a_number_has_one_hash_however_a_database_spells_it(value: float):
    """JSONB keeps the decimal digits of a number, without an exponent; JSON has no infinity."""
    kept = json.loads(f"{Decimal(repr(value)):f}") if isfinite(value) else None

    def hashed(number: Any) -> str:
        return content_hash("salt", content(Row(id=1, data={"n": [number]})))

    assert hashed(value) == hashed(kept)
