"""What an observation means: the order of observations decides, never the order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.folder import decide
from worker.domain.folder.decide import BEHIND, Ledger
from worker.domain.folder.entry import Entry, Head, Refusal, State
from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Source, Stamp, Turn, Unreadable

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def head(**changes: Any) -> Head:
    values = {
        "document_id": 1,
        "path": "a.md",
        "live": True,
        "number": 1,
        "sha256": "s1",
        "metadata": {"title": "A"},
        "body_sha256": "b1",
    }
    return Head(**(values | changes))


def entry(path: str = "a.md", observed: int = 10, **changes: Any) -> Entry:
    """Return the entry of a live document, or of what `changes` say."""
    values: dict[str, Any] = {
        "accepted": observed,
        "sha256": "s1",
        "state": State.LIVE,
        "head": head(path=path),
    }
    return Entry(path=path, observed=observed, **(values | changes))


def refused(observed: int = 12, accepted: int = 10, **changes: Any) -> Entry:
    refusal = Refusal(at=NOON, codes=frozenset({"CS032", "CS036"}))
    usual = {"sha256": "bad", "state": State.REFUSED, "refusal": refusal}
    return entry(observed=observed, accepted=accepted, **(usual | changes))


def gone(path: str = "a.md", observed: int = 12, **changes: Any) -> Entry:
    return entry(path, observed, state=State.GONE, head=head(path=path, live=False), **changes)


def snapshot(
    observed: int = 11, sha256: str = "s2", path: str = "a.md", **changes: Any
) -> Snapshot:
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    return Snapshot(path=path, stamp=stamp, sha256=sha256, observed=observed, **changes)


def accepted(there: Entry, source: Head | None = None, title: str = "A", body: str = "b1"):
    return decide.decide_accepted(there, source, metadata={"title": title}, body_sha256=body)


def test_a_new_path_is_created():
    assert accepted(Entry(path="a.md")) == decide.Create()


def test_a_new_content_advances_and_an_equal_one_touches():
    assert accepted(entry(), title="B") == decide.Advance(head=head(), revives=False)
    assert accepted(entry(), body="b2") == decide.Advance(head=head(), revives=False)
    assert accepted(entry()) == decide.Touch(head=head(), revives=False)


def test_a_document_that_retired_here_is_revived():
    retired = head(live=False)
    assert accepted(gone()) == decide.Touch(head=retired, revives=True)
    assert accepted(gone(), title="B") == decide.Advance(head=retired, revives=True)


def test_a_document_that_moved_away_is_not_revived_at_its_old_path():
    moved = entry(state=State.GONE, head=head(path="b.md"))
    assert accepted(moved) == decide.Create()


def test_a_content_that_is_not_newer_than_the_accepted_one_is_stale():
    for observed, stale in ((9, True), (10, True), (11, False)):
        assert decide.is_stale(snapshot(observed), entry(), accepted=True) is stale


def test_a_good_content_older_than_a_refusal_is_the_last_good_version_beneath_it():
    there = refused(observed=12, accepted=10)
    for observed, stale in ((10, True), (11, False), (12, True), (13, False)):
        assert decide.is_stale(snapshot(observed), there, accepted=True) is stale
    for observed, stale in ((11, True), (12, True), (13, False)):
        assert decide.is_stale(snapshot(observed), there, accepted=False) is stale


def test_nothing_older_than_a_removal_is_good():
    assert decide.is_stale(snapshot(11), gone(observed=12), accepted=True)


def test_a_move_continues_its_document_whatever_was_here_before():
    source = head(document_id=2, path="old.md")
    for there in (Entry(path="a.md"), gone(), refused(head=None)):
        assert accepted(there, source) == decide.Move(source=source)
    assert accepted(entry(), source) == decide.Move(source=source, displaces=head())
    assert accepted(entry(), source, title="B").advances


def find(ledger: Ledger, seen: Snapshot) -> Any:
    assert seen.moved_from is not None
    return ledger.find_source(seen.moved_from, seen)


def moving(named: int | None, sha256: str = "s1", observed: int = 20) -> Snapshot:
    return snapshot(observed, sha256, path="b.md", moved_from=Source("a.md", named))


def test_a_move_names_what_was_seen_of_its_source():
    ledger = Ledger(entries={"a.md": entry(observed=10)})
    assert find(ledger, moving(10)) == head()
    assert find(ledger, moving(11)) is BEHIND
    assert find(ledger, moving(9)) is None, "something newer was seen there"
    assert find(Ledger(entries={}), moving(10)) is BEHIND


def test_a_move_by_equal_bytes_needs_a_source_with_these_bytes():
    ledger = Ledger(entries={"a.md": entry(observed=10)})
    assert find(ledger, moving(10, sha256="other")) is None
    candidate = snapshot(20, "edited", path="b.md")
    assert ledger.find_source(Source("a.md", 10), candidate) == head()


def test_a_refused_file_that_moves_takes_its_document_along():
    ledger = Ledger(entries={"a.md": refused(observed=12)})
    assert find(ledger, moving(12, sha256="bad")) == head()


def test_a_message_of_an_older_format_names_no_observation():
    ledger = Ledger(entries={"a.md": entry(observed=10)})
    assert find(ledger, moving(None)) == head()
    assert find(ledger, moving(None, observed=10)) is None
    assert find(ledger, moving(None, sha256="other")) is None


WHILE = decide.RETIRED_WITH_MICROSECONDS


@pytest.mark.parametrize(
    ("removed", "observed", "continues"),
    [
        (10, 9 + WHILE, True),
        (10, 10 + WHILE, False),
        (9 + WHILE, 10, True),
        (10 + WHILE, 10, False),
    ],
)
def test_a_document_that_retired_with_its_move_continues(removed, observed, continues):
    ledger = Ledger(entries={"a.md": gone(observed=removed)})
    found = ledger.find_source(Source("a.md", 5), snapshot(observed, "edited", path="b.md"))
    assert found == (head(live=False) if continues else None)


def test_a_document_and_its_file_were_retired_within_five_minutes_of_a_move():
    assert WHILE == 5 * 60 * 1_000_000


def test_a_source_that_this_batch_decided_on_waits_for_the_next():
    ledger = Ledger(entries={"a.md": entry(observed=10)})
    ledger.place(snapshot(15), "s2", None, accepted=True)
    assert find(ledger, moving(15, sha256="s2")) is BEHIND
    assert find(ledger, moving(10)) is None


def test_two_documents_that_swap_their_paths_both_continue():
    other = head(document_id=2, path="b.md", sha256="s2")
    ledger = Ledger(entries={"a.md": entry(), "b.md": entry("b.md", sha256="s2", head=other)})
    first = snapshot(20, "s2", path="a.md", moved_from=Source("b.md", 10))
    second = snapshot(21, "s1", path="b.md", moved_from=Source("a.md", 10))
    moves = []
    for seen in (first, second):
        move = accepted(ledger.at(seen.path), find(ledger, seen))
        ledger.place(seen, seen.sha256, move, accepted=True)
        moves.append(move)
    assert [move.source.document_id for move in decide.unclaimed(moves, ledger)] == [2, 1]
    assert [move.displaces for move in decide.unclaimed(moves, ledger)] == [None, None]
    assert [ledger.at(path).living.document_id for path in ("a.md", "b.md")] == [2, 1]


def test_a_document_whose_place_another_takes_is_displaced():
    other = head(document_id=2, path="b.md", sha256="s2")
    ledger = Ledger(entries={"a.md": entry(), "b.md": entry("b.md", sha256="s2", head=other)})
    seen = snapshot(20, "s2", path="a.md", moved_from=Source("b.md", 10))
    move = accepted(ledger.at("a.md"), find(ledger, seen))
    ledger.place(seen, "s2", move, accepted=True)
    assert [one.displaces for one in decide.unclaimed([move], ledger)] == [head()]
    assert ledger.at("b.md").state is State.GONE
    assert ledger.at("b.md").resident is None


def test_a_removal_retires_or_withdraws_or_is_noted():
    removal = Removal(path="a.md", observed=13)
    assert decide.decide_removal(removal, entry()) == decide.Retire(head=head())
    assert decide.decide_removal(removal, refused()) == decide.Retire(head=head())
    assert decide.decide_removal(removal, refused(head=None)) == decide.Withdraw()
    assert decide.decide_removal(removal, gone()) == decide.Leave()
    assert decide.decide_removal(removal, Entry(path="a.md")) == decide.Leave()


def test_a_removal_that_is_not_newer_is_stale():
    for there in (entry(observed=13), refused(observed=13), gone(observed=13)):
        assert decide.decide_removal(Removal(path="a.md", observed=13), there) == decide.Stale()


def test_an_observation_is_behind_until_what_it_follows_was_seen():
    ledger = Ledger(entries={"a.md": entry(observed=10)})
    for turns, behind in (
        ((), False),
        ((Turn("a.md", 10),), False),
        ((Turn("a.md", 10), Turn("a.md", 11)), True),
    ):
        assert ledger.is_behind(Removal(path="a.md", observed=13, follows=turns)) is behind
    assert ledger.is_behind(snapshot(13, follows=(Turn("b.md", 1),)))


def test_the_same_bytes_refused_again_are_not_a_new_refusal():
    def found(sha256: str, *codes: str) -> decide.Refuse:
        return decide.decide_refused(sha256, frozenset(codes), refused(), None)

    assert found("bad", "CS032", "CS036") == decide.Refuse(new=False, head=head())
    assert found("bad", "CS032") == decide.Refuse(new=False, head=head())
    assert found("s3", "CS032") == decide.Refuse(new=True, head=head())


def test_another_error_of_the_same_bytes_is_a_new_refusal():
    found = decide.decide_refused("bad", frozenset({"CS032", "CS031"}), refused(), None)
    assert found == decide.Refuse(new=True, head=head())


def test_a_refused_file_that_moves_keeps_the_last_good_version():
    source = head(document_id=2, path="old.md", live=False)
    found = decide.decide_refused("bad", frozenset({"CS032"}), Entry(path="a.md"), source)
    assert found.move == decide.Move(source=source)
    assert found.head is not None
    assert found.head.live


numbers = st.integers(min_value=0, max_value=2**62)
paths = st.from_regex(r"([a-z0-9 ._-]{0,4}[é-प😀a-z]/)?[A-Z .]{0,4}[a-z]", fullmatch=True)
hashes = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
stamps = st.builds(Stamp, numbers, numbers, numbers, numbers)
sources = st.builds(Source, paths, st.none() | numbers)
turns = st.lists(st.builds(Turn, paths, numbers), max_size=2).map(tuple)
batches = st.builds(
    Batch,
    id=st.uuids().map(str),
    bulk=st.booleans(),
    judge=st.from_regex(r"[0-9a-f]{0,16}", fullmatch=True),
    snapshots=st.tuples(
        st.builds(
            Snapshot,
            path=paths,
            stamp=stamps,
            sha256=hashes,
            observed=numbers,
            follows=turns,
            moved_from=st.none() | sources,
            candidates=st.lists(sources, max_size=2).map(tuple),
        )
    ),
    unreadable=st.tuples(
        st.builds(
            Unreadable,
            path=paths,
            stamp=stamps,
            observed=numbers,
            code=paths,
            detail=st.text(),
            follows=turns,
        )
    ),
    removals=st.tuples(st.builds(Removal, path=paths, observed=numbers, follows=turns)),
)


@given(batches)
def test_a_batch_survives_encoding_and_decoding(batch: Batch):
    import json

    assert Batch.from_json(json.loads(json.dumps(batch.as_json()))) == batch


def test_a_batch_of_a_newer_format_is_refused():
    message = Batch(id="x").as_json() | {"format": 4}
    with pytest.raises(ValueError, match="format"):
        Batch.from_json(message)
