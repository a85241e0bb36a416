from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.known import KnownFiles, content_key
from worker.domain.folder.reconcile import Difference, compare
from worker.domain.folder.snapshot import Known, Stamp

LARGEST = 2**63 - 1
NUMBERS = st.integers(0, LARGEST)
TIMES = st.integers(-LARGEST, LARGEST)
STAMPS = st.builds(Stamp, NUMBERS, TIMES, NUMBERS, TIMES)
HASHES = st.one_of(
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.builds(unread_sha256, STAMPS, st.sampled_from(["CS002", "CS003"])),
    st.just(""),
)
FILES = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.builds(Known, STAMPS, HASHES, NUMBERS, st.booleans(), st.booleans()),
    max_size=5,
)


def rows(files):
    return [
        (path, *held.stamp, held.sha256, held.observed, int(held.judged))
        for path, held in files.items()
        if held.live
    ]


@given(files=FILES)
def test_known_files_return_what_was_put_in(files):
    known = KnownFiles(files)
    assert dict(known) == files
    assert len(known) == len(files)
    assert all(path in known for path in files)


@given(files=FILES)
def test_rows_are_live_documents(files):
    known = KnownFiles()
    known.take(rows(files))
    assert known == {path: held for path, held in files.items() if held.live}


def test_known_files_are_a_dictionary():
    held = Known(Stamp(1, 2, 3), "0" * 64, 4, live=True)
    known = KnownFiles({"a.md": held, "b.md": held})
    known["c.md"] = held._replace(observed=9)
    del known["a.md"]
    assert known.pop("b.md", None) == held
    assert known.get("b.md") is None
    assert dict(known) == {"c.md": held._replace(observed=9)}


@given(files=FILES, data=st.data(), verified=NUMBERS)
@example(files={"a": Known(Stamp(1, 2, 3), "0" * 64, LARGEST, live=True)}, data=None, verified=0)
def test_no_file_is_skipped_that_a_comparison_finds(files, data, verified):
    """Whatever the stamps, and however the files came in."""
    page = [(path, *held.stamp) for path, held in files.items()]
    if data is not None:
        page += data.draw(
            st.lists(st.builds(lambda path, s: (path, *s), st.text(max_size=3), STAMPS))
        )
    known = KnownFiles(files)
    by_rows = KnownFiles({path: held for path, held in files.items() if not held.live})
    by_rows.take(rows(files))
    wanted = Difference()
    compare(files, page, wanted, verified=verified)
    for one in (known, by_rows):
        found = Difference()
        compare(one, one.unproven(page), found, verified=verified)
        assert (found.new, found.changed, found.racy) == (wanted.new, wanted.changed, wanted.racy)
        assert {path for path, *_ in wanted.unjudged} <= set(one.unjudged())
        assert set(one.unjudged()) == {path for path, held in files.items() if not held.judged}


def test_an_unchanged_stamp_leaves_nothing_to_look_at():
    held = Known(Stamp(5, 10**18, 7, 9), "0" * 64, 10**15 + 3_000_000, live=True)
    assert KnownFiles({"a.md": held}).unproven([("a.md", 5, 10**18, 7, 9)]) == []


@pytest.mark.parametrize(("microseconds_after", "racy"), [(2_000_000, True), (2_000_001, False)])
@pytest.mark.parametrize("times", [(10**18, 7, 9), (9, 7, 10**18)], ids=["mtime", "ctime"])
def test_rows_are_racy_when_their_files_are(times, microseconds_after, racy):
    seen = ("a.md", 5, *times)
    known = KnownFiles()
    known.take([(*seen, "0" * 64, 10**15 + microseconds_after, 1)])
    assert known.unproven([seen]) == ([seen] if racy else [])


@pytest.mark.parametrize("times", [(2**64, 7, 9), (9, 7, 2**64)], ids=["mtime", "ctime"])
def test_a_time_that_no_store_can_hold_is_not_proof(times):
    known = KnownFiles({"a.md": Known(Stamp(5, *times), "0" * 64, LARGEST, live=True)})
    bounded = tuple(min(time, LARGEST) for time in times)
    for seen in (("a.md", 5, *times), ("a.md", 5, *bounded)):
        assert known.unproven([seen]) == [seen]


def test_only_live_documents_that_were_read_have_hashes_to_find_them_by():
    held = Known(Stamp(1, 2, 3), "0f" * 32, 4, live=True)
    unread = held._replace(sha256=unread_sha256(held.stamp, "CS002"))
    known = KnownFiles({"a": held, "b": held._replace(live=False), "c": unread})
    assert list(known.live_contents()) == [("a", content_key("0f" * 32))]


def test_files_are_the_same_with_equal_stamp_and_content_at_any_time():
    held = Known(Stamp(10, 20, 30), "a" * 64, 40, True)
    ours = KnownFiles({"a.md": held})
    alike = held._replace(observed=50, live=False)
    others = [
        held._replace(sha256="b" * 64),
        held._replace(stamp=Stamp(10, 21, 30)),
        held._replace(stamp=Stamp(10, 20, 30, 40)),
        held._replace(sha256="unread:CS003"),
        held._replace(sha256=""),
    ]
    assert ours.is_same("a.md", KnownFiles({"a.md": alike}))
    assert not any(ours.is_same("a.md", KnownFiles({"a.md": other})) for other in others)
    assert not ours.is_same("b.md", ours)
    unjudged = KnownFiles({"a.md": held._replace(judged=False)})
    assert ours.is_same("a.md", ours)
    assert not unjudged.is_same("a.md", ours)  # the store has the content, and not the verdict


def test_sharing_or_discarding_a_path_changes_no_other():
    held = Known(Stamp(10, 20, 30), "a" * 64, 40, True)
    ours, other = KnownFiles({"a.md": held, "b.md": held}), KnownFiles()
    other.share("a.md", ours)
    ours.discard("a.md")
    ours.discard("never.md")
    assert (dict(ours), dict(other)) == ({"b.md": held}, {"a.md": held})
