"""What an observation means: the order of observations decides, never the order of arrival."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import plan
from worker.domain.snapshot import Batch, Removal, Snapshot, Stamp, Unreadable


def head(**changes) -> plan.Head:
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
    return plan.Head(**(values | changes))


def snapshot(observed: int = 11, sha256: str = "s2", **changes) -> Snapshot:
    stamp = Stamp(size=1, mtime_ns=1, inode=1)
    return Snapshot(path="a.md", stamp=stamp, sha256=sha256, observed=observed, **changes)


def decide(seen: Snapshot, there: plan.Head | None, refusal=None, source=None, title="A"):
    return plan.decide_snapshot(
        seen, there, refusal, source, metadata={"title": title}, body_sha256="b1"
    )


def test_a_new_path_is_created():
    assert decide(snapshot(), None) == plan.Create()


def test_a_new_content_advances_and_an_equal_one_touches():
    assert decide(snapshot(), head(), title="B") == plan.Advance(revives=False)
    assert decide(snapshot(), head()) == plan.Touch(revives=False)


def test_a_retired_document_revives():
    assert decide(snapshot(), head(live=False)) == plan.Touch(revives=True)
    assert decide(snapshot(), head(live=False), title="B") == plan.Advance(revives=True)


def test_what_was_seen_already_or_before_is_stale():
    assert decide(snapshot(observed=10), head(), title="B") == plan.Stale()
    refusal = plan.Refusal(sha256="x", observed=20)
    assert decide(snapshot(observed=15), head(), refusal, title="B") == plan.Stale()


def test_a_move_needs_a_live_source_of_the_same_bytes():
    source = head(path="old.md", sha256="s2")
    assert decide(snapshot(), None, source=source) == plan.Move(source=source)
    assert decide(snapshot(sha256="other"), None, source=source) == plan.Create()
    gone = head(path="old.md", sha256="s2", live=False)
    assert decide(snapshot(), None, source=gone) == plan.Create()
    assert decide(snapshot(), head(), source=source, title="B") == plan.Advance(revives=False)


def test_a_removal_retires_or_withdraws():
    refusal = plan.Refusal(sha256="x", observed=5)
    gone = Removal(path="a.md", observed=11)
    assert plan.decide_removal(gone, head(), None) == plan.Retire()
    assert plan.decide_removal(gone, None, refusal) == plan.Withdraw()
    assert plan.decide_removal(gone, head(live=False), None) == plan.Stale()
    assert plan.decide_removal(Removal(path="a.md", observed=10), head(), None) == plan.Stale()


def test_the_same_bytes_refused_again_are_no_news():
    refusal = plan.Refusal(sha256="s2", observed=5)
    assert plan.decide_refusal(snapshot(), "s2", None, refusal) == plan.Refuse(new=False)
    assert plan.decide_refusal(snapshot(), "s3", None, refusal) == plan.Refuse(new=True)


def test_every_order_of_arrival_ends_with_what_was_seen_last():
    """A small model of a store: contents and a removal of one path, in every order."""
    seen = [("content", "B", 11), ("content", "C", 12), ("removal", None, 13), ("content", "D", 14)]
    for order in permutations(seen):
        there: plan.Head | None = None
        for kind, title, observed in order:
            if kind == "removal":
                gone = Removal(path="a.md", observed=observed)
                if isinstance(plan.decide_removal(gone, there, None), plan.Retire):
                    there = head(live=False, observed=observed, metadata=there.metadata)
            elif not isinstance(
                decide(snapshot(observed=observed), there, title=title), plan.Stale
            ):
                there = head(observed=observed, metadata={"title": title})
        assert (there.live, there.metadata) == (True, {"title": "D"}), order


numbers = st.integers(min_value=0, max_value=2**62)
paths = st.text(min_size=1, max_size=20)
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
            sha256=st.text(),
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
def test_a_batch_survives_its_message(batch: Batch):
    import json

    assert Batch.from_json(json.loads(json.dumps(batch.as_json()))) == batch


def test_a_batch_without_candidates_is_written_as_an_old_worker_reads_it():
    assert Batch(id="x", snapshots=(snapshot(),)).as_json()["format"] == 1
    named = snapshot(candidates=("old.md",))
    assert Batch(id="x", snapshots=(named,)).as_json()["format"] == 2


def test_a_batch_of_a_newer_format_is_refused():
    message = Batch(id="x").as_json() | {"format": 3}
    with pytest.raises(ValueError, match="format"):
        Batch.from_json(message)
