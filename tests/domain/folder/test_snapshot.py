"""The message between watcher and worker: its form is a contract between versions of both."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from worker.domain.folder.snapshot import (
    SHARED_FORMAT,
    Batch,
    Removal,
    Snapshot,
    Source,
    Stamp,
    Turn,
    Unreadable,
)

STAMP = Stamp(size=100, mtime_ns=2, inode=3)
SHA256 = "5e" * 32


def seen(path, stamp=STAMP, **changes):
    return Snapshot(path=path, stamp=stamp, sha256=SHA256, observed=4, **changes)


def unread(path, stamp=STAMP, **changes):
    return Unreadable(
        path=path, stamp=stamp, observed=5, code="CS002", detail="not allowed", **changes
    )


def batch_of_format_1(old: Source) -> Batch:
    return Batch(
        id="one",
        bulk=True,
        snapshots=(seen("a.md"), seen("b.md", moved_from=old)),
        unreadable=(unread("c.md"),),
        removals=(Removal(path="d.md", observed=6),),
    )


PLAIN = batch_of_format_1(Source("old.md", None))
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
EDITED = Batch(
    id="two",
    snapshots=(
        seen("a.md", candidates=(Source("x.md", None), Source("y.md", None))),
        seen("b.md"),
    ),
)
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


CHANGED = STAMP._replace(ctime_ns=7)
NOW = Batch(
    id="three",
    snapshots=(
        seen("b.md", CHANGED, moved_from=Source("old.md", 3), follows=(Turn("z.md", 2),)),
        seen("a.md", CHANGED, candidates=(Source("x.md", 1),), after=3),
    ),
    unreadable=(unread("c.md", CHANGED, follows=(Turn("c.md", 4),)),),
    removals=(Removal(path="d.md", observed=6, follows=(Turn("d.md", 5),), after=4),),
)
NOW_MESSAGE = {
    "format": 3,
    "id": "three",
    "bulk": False,
    "snapshots": [
        ["b.md", [100, 2, 3, 7], SHA256, 4, ["old.md", 3], [], [["z.md", 2]], 0],
        ["a.md", [100, 2, 3, 7], SHA256, 4, None, [["x.md", 1]], [], 3],
    ],
    "unreadable": [["c.md", [100, 2, 3, 7], 5, "CS002", "not allowed", [["c.md", 4]], 0]],
    "removals": [["d.md", 6, [["d.md", 5]], 4]],
}


def test_the_newest_format_is_written_and_read_unchanged():
    assert json.loads(json.dumps(NOW.as_json())) == NOW_MESSAGE
    assert Batch.from_json(NOW_MESSAGE) == NOW


@pytest.mark.parametrize(
    ("batch", "message"),
    [(PLAIN, PLAIN_MESSAGE), (EDITED, EDITED_MESSAGE)],
    ids=["format 1", "format 2"],
)
def test_earlier_formats_are_still_read(batch, message):
    assert Batch.from_json(message) == batch


def test_the_shared_format_leaves_out_what_only_the_newest_has():
    message = {
        "format": 2,
        "id": "three",
        "bulk": False,
        "snapshots": [
            ["b.md", 100, 2, 3, SHA256, 4, "old.md", []],
            ["a.md", 100, 2, 3, SHA256, 4, None, ["x.md"]],
        ],
        "unreadable": [["c.md", 100, 2, 3, 5, "CS002", "not allowed"]],
        "removals": [["d.md", 6]],
    }
    assert json.loads(json.dumps(replace(NOW, format=SHARED_FORMAT).as_json())) == message
    assert Batch.from_json(message).observed_paths == NOW.observed_paths


@pytest.mark.parametrize("stamp", [[1, 2], [1, 2, 3, 4, 5], [1, 2, 3, 2**63], [1, 2, 3, "4"], 5])
def test_a_stamp_that_is_none_is_refused(stamp):
    row = ["a.md", stamp, SHA256, 4, None, [], [], 0]
    with pytest.raises(ValueError, match="batch"):
        Batch.from_json(NOW_MESSAGE | {"snapshots": [row]})


def test_a_batch_lists_every_path_once_and_in_order():
    batch = Batch(
        id="x",
        snapshots=(
            seen("m.md", moved_from=Source("z.md", 1)),
            seen("b.md", candidates=(Source("a.md", 1), Source("m.md", 1))),
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
        {"removals": [["d.md", 6, "7"]]},
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
    with pytest.raises(ValueError, match="batch format 4 is not 3"):
        Batch.from_json(PLAIN_MESSAGE | {"format": 4})


@pytest.mark.parametrize("missing", ["format", "id", "bulk", "snapshots", "unreadable", "removals"])
def test_a_message_without_one_of_its_parts_is_refused(missing):
    message = {name: part for name, part in PLAIN_MESSAGE.items() if name != missing}
    with pytest.raises(ValueError, match="batch"):
        Batch.from_json(message)
