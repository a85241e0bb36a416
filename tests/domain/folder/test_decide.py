"""What an observation means: the order of observations decides, never the order of arrival."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.folder import decide
from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Stamp, Unreadable


def head(**changes) -> decide.Head:
    values = {
        "document_id": 1,
        "path": "a.md",
        "live": True,
        "number": 1,
        "sha256": "s1",
        "observed": 10,
        "metadata": {"title": "A"},
        "body_sha256": "b1",
    }
    return decide.Head(**(values | changes))


def snapshot(observed: int = 11, sha256: str = "s2", **changes) -> Snapshot:
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    return Snapshot(path="a.md", stamp=stamp, sha256=sha256, observed=observed, **changes)


def decision(seen: Snapshot, there: decide.Head | None, refusal=None, source=None, title="A"):
    return decide.decide_snapshot(
        seen, there, refusal, source, metadata={"title": title}, body_sha256="b1"
    )


def test_a_new_path_is_created():
    assert decision(snapshot(), None) == decide.Create()


def test_a_new_content_advances_and_an_equal_one_touches():
    assert decision(snapshot(), head(), title="B") == decide.Advance(revives=False)
    assert decision(snapshot(), head()) == decide.Touch(revives=False)


def test_a_retired_document_is_revived():
    assert decision(snapshot(), head(live=False)) == decide.Touch(revives=True)
    assert decision(snapshot(), head(live=False), title="B") == decide.Advance(revives=True)


def test_an_observation_that_is_not_newer_is_stale():
    assert decision(snapshot(observed=10), head(), title="B") == decide.Stale()
    refusal = decide.Refusal(sha256="x", observed=20)
    assert decision(snapshot(observed=15), head(), refusal, title="B") == decide.Stale()


def test_a_move_needs_a_live_source_of_the_same_bytes():
    source = head(path="old.md", sha256="s2")
    assert decision(snapshot(), None, source=source) == decide.Move(source=source)
    assert decision(snapshot(sha256="other"), None, source=source) == decide.Create()
    gone = head(path="old.md", sha256="s2", live=False)
    assert decision(snapshot(), None, source=gone) == decide.Create()
    assert decision(snapshot(), head(), source=source, title="B") == decide.Advance(revives=False)


def test_a_move_is_newer_than_what_was_seen_of_its_source():
    source = head(path="old.md", sha256="s2")
    assert decision(snapshot(observed=10), None, source=source) == decide.Create()
    assert decision(snapshot(observed=11), None, source=source) == decide.Move(source=source)


def test_an_edited_file_continues_the_most_similar_document():
    source = head(path="old.md", sha256="s1")
    same = decide.decide_snapshot(
        snapshot(), None, None, source, metadata={"title": "A"}, body_sha256="b1", similarity=0.9
    )
    assert same == decide.Move(source=source, similarity=0.9, advances=False)
    for metadata, body in (({"title": "B"}, "b1"), ({"title": "A"}, "b2")):
        other = decide.decide_snapshot(
            snapshot(), None, None, source, metadata=metadata, body_sha256=body, similarity=0.9
        )
        assert other == decide.Move(source=source, similarity=0.9, advances=True)


def test_another_body_under_equal_metadata_advances():
    found = decide.decide_snapshot(
        snapshot(), head(), None, None, metadata={"title": "A"}, body_sha256="b2"
    )
    assert found == decide.Advance(revives=False)


WHILE = decide.RETIRED_WITH_MICROSECONDS


@pytest.mark.parametrize(
    ("source", "refused", "observed", "continues"),
    [
        (head(observed=10), None, 11, True),
        (head(observed=10), None, 10, False),
        (head(observed=10), 10, 11, True),
        (head(observed=10), 11, 11, False),
        (head(observed=10), 12, 11, False),
        # It was retired a while before its new path was seen, or a while after.
        (head(live=False, observed=10), None, 10 + WHILE, True),
        (head(live=False, observed=10), None, 11 + WHILE, False),
        (head(live=False, observed=10 + WHILE), None, 10, True),
        (head(live=False, observed=11 + WHILE), None, 10, False),
    ],
)
def test_a_candidate_continues_unless_something_newer_was_seen_of_it(
    source, refused, observed, continues
):
    refusal = decide.Refusal(sha256="x", observed=refused) if refused else None
    assert decide.may_continue(source, refusal, observed) is continues


def test_a_document_and_its_file_were_retired_within_five_minutes_of_a_move():
    assert WHILE == 5 * 60 * 1_000_000


def test_a_removal_retires_or_withdraws():
    refusal = decide.Refusal(sha256="x", observed=5)
    gone = Removal(path="a.md", observed=11)
    assert decide.decide_removal(gone, head(), None) == decide.Retire()
    assert decide.decide_removal(gone, None, refusal) == decide.Withdraw()
    assert decide.decide_removal(gone, head(live=False), None) == decide.Stale()
    assert decide.decide_removal(Removal(path="a.md", observed=10), head(), None) == decide.Stale()


def test_a_removal_that_is_not_newer_than_a_refusal_is_stale():
    refusal = decide.Refusal(sha256="x", observed=11)
    gone = Removal(path="a.md", observed=11)
    assert decide.decide_removal(gone, head(), refusal) == decide.Stale()
    assert decide.decide_removal(gone, head(live=False, observed=5), None) == decide.Stale()
    later = Removal(path="a.md", observed=12)
    assert decide.decide_removal(later, head(), refusal) == decide.Retire()
    assert decide.decide_removal(later, head(live=False), refusal) == decide.Withdraw()


def test_the_same_bytes_refused_again_are_not_a_new_refusal():
    refusal = decide.Refusal(sha256="s2", observed=5)
    assert decide.decide_refusal(snapshot(), "s2", None, refusal) == decide.Refuse(new=False)
    assert decide.decide_refusal(snapshot(), "s3", None, refusal) == decide.Refuse(new=True)


def test_every_order_of_arrival_ends_with_the_newest_observation():
    """A small model of a store: contents and a removal of one path, in every order."""
    seen = [("content", "B", 11), ("content", "C", 12), ("removal", None, 13), ("content", "D", 14)]
    for order in permutations(seen):
        there: decide.Head | None = None
        for kind, title, observed in order:
            if kind == "removal":
                gone = Removal(path="a.md", observed=observed)
                if isinstance(decide.decide_removal(gone, there, None), decide.Retire):
                    there = head(live=False, observed=observed, metadata=there.metadata)
            elif not isinstance(
                decision(snapshot(observed=observed), there, title=title), decide.Stale
            ):
                there = head(observed=observed, metadata={"title": title})
        assert (there.live, there.metadata) == (True, {"title": "D"}), order


numbers = st.integers(min_value=0, max_value=2**62)
paths = st.from_regex(r"([a-z0-9 ._-]{0,4}[é-प😀a-z]/)?[A-Z .]{0,4}[a-z]", fullmatch=True)
hashes = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
stamps = st.builds(Stamp, size=numbers, mtime_ns=numbers, inode=numbers)
batches = st.builds(
    Batch,
    id=st.uuids().map(str),
    bulk=st.booleans(),
    snapshots=st.tuples(
        st.builds(
            Snapshot,
            path=paths,
            stamp=stamps,
            sha256=hashes,
            observed=numbers,
            moved_from=st.none() | paths,
        )
    ),
    unreadable=st.tuples(
        st.builds(
            Unreadable, path=paths, stamp=stamps, observed=numbers, code=paths, detail=st.text()
        )
    ),
    removals=st.tuples(st.builds(Removal, path=paths, observed=numbers)),
)


@given(batches)
def test_a_batch_survives_encoding_and_decoding(batch: Batch):
    import json

    assert Batch.from_json(json.loads(json.dumps(batch.as_json()))) == batch


def test_a_batch_without_candidates_is_readable_by_an_old_worker():
    assert Batch(id="x", snapshots=(snapshot(),)).as_json()["format"] == 1
    named = snapshot(candidates=("old.md",))
    assert Batch(id="x", snapshots=(named,)).as_json()["format"] == 2


def test_a_batch_of_a_newer_format_is_refused():
    message = Batch(id="x").as_json() | {"format": 3}
    with pytest.raises(ValueError, match="format"):
        Batch.from_json(message)


def test_a_refusal_that_is_not_newer_is_stale():
    refusal = decide.Refusal(sha256="s2", observed=12)
    assert decide.decide_refusal(snapshot(observed=12), "s3", None, refusal) == decide.Stale()
    assert decide.decide_refusal(snapshot(observed=10), "s3", head(), None) == decide.Stale()
    assert decide.decide_refusal(snapshot(observed=11), "s3", head(), None) == decide.Refuse(
        new=True
    )


def test_nothing_was_seen_before_the_first_observation():
    assert decide.last_seen(None, None) == 0
    assert decide.last_seen(head(observed=10), decide.Refusal(sha256="x", observed=11)) == 11
    assert decide.last_seen(head(observed=12), decide.Refusal(sha256="x", observed=11)) == 12


def test_unread_bytes_are_distinguished_by_stamp_and_reason():
    stamps = [Stamp(size=1, mtime_ns=2, inode=3), Stamp(size=2, mtime_ns=2, inode=3)]
    stamps.append(Stamp(size=1, mtime_ns=3, inode=3))
    hashes = {decide.unread_sha256(stamp, code) for stamp in stamps for code in ("CS002", "CS003")}
    assert len(hashes) == 6
    assert decide.unread_sha256(stamps[0], "CS002") == "unread-CS002-1-2"
