from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.reconcile import (
    Difference,
    compare,
    find_missing,
    is_racy,
    was_unread,
)
from worker.domain.folder.snapshot import Known, Stamp

SECOND = 1_000_000
MODIFIED_NS = 1_700_000_000 * 10**9
LATER = 1_700_000_000 * SECOND + 60 * SECOND


CHANGED_NS = MODIFIED_NS - 1
SEEN = ("a.md", 5, MODIFIED_NS, 7, CHANGED_NS)


def known(path="a.md", *, observed=LATER, sha256="0" * 64, **times):
    stamp = Stamp(*SEEN[1:])._replace(**times)
    return {path: Known(stamp=stamp, sha256=sha256, observed=observed, live=True)}


def difference(known_files, *seen, **options):
    found = Difference()
    compare(known_files, seen, found, **options)
    return found


def test_an_unknown_file_is_new():
    seen = ("b.md", *SEEN[1:])
    assert difference(known(), seen) == Difference(new=[seen])


@pytest.mark.parametrize(
    "seen",
    [
        ("a.md", 6, MODIFIED_NS, 7, CHANGED_NS),
        ("a.md", 5, MODIFIED_NS + 1, 7, CHANGED_NS),
        ("a.md", 5, MODIFIED_NS, 8, CHANGED_NS),
        ("a.md", 5, MODIFIED_NS, 7, CHANGED_NS - 1),
    ],
)
def test_any_difference_of_the_stamp_is_a_change(seen):
    assert difference(known(), seen) == Difference(changed=[seen])


def test_an_equal_stamp_is_proof_when_the_file_had_been_still():
    assert difference(known(), SEEN) == Difference()


@pytest.mark.parametrize(
    ("seconds_after", "racy"), [(-1, True), (0, True), (1.9, True), (2, True), (2.1, False)]
)
@pytest.mark.parametrize("newest", ["mtime_ns", "ctime_ns"])
def test_an_equal_stamp_is_not_proof_within_two_seconds_of_the_change(newest, seconds_after, racy):
    times = {"mtime_ns": 5, "ctime_ns": 5} | {newest: MODIFIED_NS}
    files = known(observed=MODIFIED_NS // 1000 + int(seconds_after * SECOND), **times)
    assert is_racy(files["a.md"], 0) is racy
    seen = ("a.md", *files["a.md"].stamp)
    assert difference(files, seen) == (Difference(racy=[seen]) if racy else Difference())


def test_a_stamp_without_a_ctime_proves_nothing():
    assert difference(known(ctime_ns=0), SEEN) == Difference(changed=[SEEN])


def test_a_file_hashed_again_later_is_no_longer_racy():
    files = known(observed=MODIFIED_NS // 1000)
    assert difference(files, SEEN, verified=MODIFIED_NS // 1000 + SECOND).racy == [SEEN]
    assert difference(files, SEEN, verified=LATER) == Difference()


def test_a_full_scan_trusts_no_stamp():
    assert difference(known(), SEEN, everything=True) == Difference(racy=[SEEN])


def test_a_file_that_could_not_be_read_is_tried_again():
    files = known(sha256=unread_sha256(Stamp(*SEEN[1:]), "CS002"))
    assert was_unread(files["a.md"])
    assert difference(files, SEEN) == Difference(racy=[SEEN])


def test_a_file_is_missing_when_a_whole_walk_did_not_see_it():
    assert find_missing(["c.md", "b.md", "a.md"], {"b.md"}, []) == ["a.md", "c.md"]


def test_nothing_below_a_folder_that_could_not_be_listed_is_missing():
    paths = ["part/a.md", "part/deep/b.md", "party/c.md"]
    assert find_missing(paths, set(), ["part"]) == ["party/c.md"]


def test_nothing_is_missing_where_the_root_could_not_be_listed():
    assert find_missing(["a.md"], set(), [""]) == []


@given(
    known_paths=st.sets(st.sampled_from("abcdefgh")),
    seen_paths=st.sets(st.sampled_from("abcdefgh")),
)
def test_every_path_is_new_known_or_missing(known_paths, seen_paths):
    files = {}
    for path in known_paths:
        files |= known(path)
    found = difference(files, *[(path, 5, MODIFIED_NS, 7) for path in seen_paths])
    assert {path for path, *_ in found.new} == seen_paths - known_paths
    assert set(find_missing(files, seen_paths, [])) == known_paths - seen_paths
