"""The message between watcher and worker: its form is a contract between versions of both."""

from __future__ import annotations

import json

import pytest

from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Stamp, Unreadable

STAMP = Stamp(size=100, mtime_ns=2, inode=3)
SHA256 = "5e" * 32


def seen(path, **changes):
    return Snapshot(path=path, stamp=STAMP, sha256=SHA256, observed=4, **changes)


def unread(path):
    return Unreadable(path=path, stamp=STAMP, observed=5, code="CS002", detail="not allowed")


PLAIN = Batch(
    id="one",
    bulk=True,
    snapshots=(seen("a.md"), seen("b.md", moved_from="old.md")),
    unreadable=(unread("c.md"),),
    removals=(Removal(path="d.md", observed=6),),
)
PLAIN_MESSAGE = {
    "format": 1,
    "id": "one",
    "bulk": True,
    "snapshots": [
        ["a.md", 100, 2, 3, SHA256, 4, None],
        ["b.md", 100, 2, 3, SHA256, 4, "old.md"],
    ],
    "unreadable": [["c.md", 100, 2, 3, 5, "CS002", "not allowed"]],
    "removals": [["d.md", 6]],
}
EDITED = Batch(id="two", snapshots=(seen("a.md", candidates=("x.md", "y.md")), seen("b.md")))
EDITED_MESSAGE = {
    "format": 2,
    "id": "two",
    "bulk": False,
    "snapshots": [
        ["a.md", 100, 2, 3, SHA256, 4, None, ["x.md", "y.md"]],
        ["b.md", 100, 2, 3, SHA256, 4, None, []],
    ],
    "unreadable": [],
    "removals": [],
}


@pytest.mark.parametrize(
    ("batch", "message"),
    [(PLAIN, PLAIN_MESSAGE), (EDITED, EDITED_MESSAGE)],
    ids=["format 1", "format 2"],
)
def test_both_formats_are_written_and_read_unchanged(batch, message):
    assert json.loads(json.dumps(batch.as_json())) == message
    assert Batch.from_json(message) == batch


def test_a_batch_lists_every_path_once_and_in_order():
    batch = Batch(
        id="x",
        snapshots=(
            seen("m.md", moved_from="z.md"),
            seen("b.md", candidates=("a.md", "m.md")),
        ),
        unreadable=(unread("c.md"),),
        removals=(Removal(path="z.md", observed=6),),
    )
    assert batch.paths == ["a.md", "b.md", "c.md", "m.md", "z.md"]


def test_the_size_of_a_batch_counts_the_bytes_in_the_spool():
    assert PLAIN.size == 200
    assert Batch(id="x", unreadable=(unread("c.md"),)).size == 0


def test_a_batch_is_live_unless_it_says_otherwise():
    assert not Batch(id="x").bulk
    assert Batch.from_json(PLAIN_MESSAGE | {"bulk": 0}).bulk is False


@pytest.mark.parametrize(
    "spoiled",
    [
        {"snapshots": None},
        {"snapshots": [["a.md"]]},
        {"unreadable": [["c.md", 100, 2, 3, 5, "CS002"]]},
        {"removals": [["d.md", 6, 7]]},
        {"removals": 5},
        {"format": None},
        {"format": 0},
        {"format": "1"},
    ],
)
def test_a_message_that_is_not_a_batch_is_refused(spoiled):
    with pytest.raises(ValueError, match=r"."):
        Batch.from_json(PLAIN_MESSAGE | spoiled)


def test_a_batch_of_another_format_is_refused_with_the_number_of_the_format():
    with pytest.raises(ValueError, match="batch format 3 is not 2"):
        Batch.from_json(PLAIN_MESSAGE | {"format": 3})


@pytest.mark.parametrize("missing", ["format", "id", "bulk", "snapshots", "unreadable", "removals"])
def test_a_message_without_one_of_its_parts_is_refused(missing):
    message = {name: part for name, part in PLAIN_MESSAGE.items() if name != missing}
    with pytest.raises(ValueError, match="batch"):
        Batch.from_json(message)
