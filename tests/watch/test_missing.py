"""Which missing files a new one may continue, the likeliest first."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from support.seeds import a_seed, write
from support.steps import steps_of

from worker.domain.folder.known import KnownFiles
from worker.domain.folder.snapshot import Known, Snapshot, Source, Stamp, Turn
from worker.settings.model import load_settings
from worker.watch.feed import Feed
from worker.watch.lane import Lane, Reading
from worker.watch.missing import MOST_CANDIDATES, MOST_ORIGINS, Missing, Origins


def stamp(size: int = 1000, inode: int = 0) -> Stamp:
    return Stamp(size=size, mtime_ns=1, inode=inode)


def known(size: int = 1000, inode: int = 1, *, live: bool = True) -> Known:
    return Known(stamp=stamp(size, inode), sha256="0" * 64, observed=1, live=live)


def missing_of(files: dict[str, Known]) -> Missing:
    missing = Missing()
    for path, held in files.items():
        missing.add(path, held, 0.0)
    return missing


def named(missing: Missing, path: str, at: Stamp, *there: str) -> list[str]:
    return [source.path for source in missing.candidates(path, at, lambda o: o not in there)]


def test_the_likeliest_candidates_come_first():
    missing = missing_of(
        {
            "x/far.md": known(1500),
            "x/near.md": known(1010),
            "new/sibling.md": known(1400),
            "x/page.md": known(1300),
            "old/part/page.md": known(1900),
            "x/inode.md": known(600, inode=7),
        }
    )
    assert named(missing, "new/part/page.md", stamp(inode=7)) == [
        "x/inode.md",
        "old/part/page.md",
        "x/page.md",
        "x/near.md",
        "new/sibling.md",
        "x/far.md",
    ]
    assert named(missing, "new/other.md", stamp())[0] == "new/sibling.md"


def test_a_file_over_twice_or_under_half_the_size_is_not_a_candidate():
    missing = missing_of({"a.md": known(499), "b.md": known(500), "c.md": known(2000)})
    missing.add("d.md", known(2001), 0.0)
    assert named(missing, "new.md", stamp(1000)) == ["b.md", "c.md"]


def test_the_number_of_candidates_is_limited():
    missing = missing_of({f"{number}.md": known(1000 + number) for number in range(500)})
    assert named(missing, "new/499.md", stamp(1250)) == [
        "499.md",
        *sorted(
            (f"{number}.md" for number in range(500)),
            key=lambda path: (abs(int(path[:-3]) - 250), -int(path[:-3])),
        )[: MOST_CANDIDATES - 1],
    ]


def test_an_existing_file_is_not_a_candidate_and_is_forgotten():
    missing = missing_of({"a.md": known(), "b.md": known()})
    assert named(missing, "new.md", stamp(), "a.md") == ["b.md"]
    assert "a.md" not in missing
    missing.add("a.md", known(), 0.0)
    assert set(named(missing, "new.md", stamp())) == {"a.md", "b.md"}


def test_a_path_without_a_document_is_not_a_candidate():
    assert named(missing_of({"a.md": known(live=False)}), "new.md", stamp()) == []


def test_unknown_paths_are_forgotten_at_once_and_retired_ones_later():
    missing = missing_of({"moved.md": known(), "missed.md": known()})
    missing.add("retired.md", known(), 0.0, removed=2)
    missing.keep({"missed.md"}, 299.0)
    assert set(named(missing, "new.md", stamp())) == {"missed.md", "retired.md"}
    missing.keep({"missed.md"}, 300.0)
    assert named(missing, "new.md", stamp()) == ["missed.md"]


def test_paths_that_keep_coming_and_going_are_not_kept():
    missing = Missing()
    for number in range(5000):
        missing.add(f"{number}.md", known(1000 + number % 7), 0.0)
        named(missing, "new.md", stamp())
        missing.discard(f"{number}.md")
    assert len(missing) == 0
    assert sum(len(entries) for entries in missing._sorted.values()) < 5 * 500


def test_a_very_large_disappearance_is_sorted_once_and_cheap_to_query():
    missing = missing_of(
        {f"part-{n % 100}/{n}.md": known(1000 + n * 7919 % 50_000, inode=n) for n in range(50_000)}
    )

    def ask(numbers: range) -> None:
        for number in numbers:
            found = named(missing, f"new/{number}.md", stamp(1000 + number * 40, inode=number))
            assert len(found) == MOST_CANDIDATES

    steps_of(lambda: ask(range(1)), most=50_000 * 100)
    steps_of(lambda: ask(range(1, 1000)), most=999 * 1_000)


# The feed.


@pytest.fixture
def sent():
    return []


@pytest.fixture
def feed(seeds, sent):
    return Feed(
        load_settings(seeds=seeds),
        root=str(seeds),
        send=lambda batch, _data, lane: sent.append((batch, lane)),
        now=lambda: datetime.now(UTC),
        monotonic=lambda: 0.0,
    )


def names_of(snapshot: Snapshot) -> list[str]:
    """Return the paths that a file may have moved from, edited."""
    return [source.path for source in snapshot.candidates]


def load(feed: Feed, seeds, **texts: str) -> None:
    """Let the feed know pages by their names, as the store does."""
    for name, text in texts.items():
        path = write(seeds / f"{name}.md", text)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        feed.take(f"{name}.md", Lane.LIVE)
    feed.flush()
    feed.load(KnownFiles(feed.known), 0)


def lose(feed: Feed, seeds, *names: str) -> None:
    for name in names:
        (seeds / f"{name}.md").unlink()
        feed.miss(f"{name}.md")


def test_a_new_file_names_missing_paths_and_an_old_one_names_none(feed, seeds, sent, page):
    load(feed, seeds, a=page, b=page + "b\n")
    lose(feed, seeds, "a")
    sent.clear()
    write(seeds / "c.md", page + "c\n")
    write(seeds / "b.md", page + "B\n")
    assert feed.take("c.md", Lane.LIVE) is Reading.NEW
    assert feed.take("b.md", Lane.LIVE) is Reading.CHANGED
    feed.flush()
    ((batch, _),) = sent
    assert [names_of(s) for s in batch.snapshots] == [["a.md"], []]
    assert feed.is_undecided
    assert "a.md" in feed.known, "whether it moved is for the worker to decide"


def test_candidates_are_cleared_once_the_store_has_the_new_file(feed, seeds, sent, page):
    load(feed, seeds, a=page)
    lose(feed, seeds, "a")
    write(seeds / "c.md", page + "c\n")
    feed.take("c.md", Lane.LIVE)
    assert feed.is_undecided, "though it is not sent yet"
    feed.flush()
    stored = dict(feed.known)
    feed.load(KnownFiles({"a.md": stored["a.md"]}), 0)
    assert feed.is_undecided
    feed.load(KnownFiles({"c.md": stored["c.md"]}), 0)
    assert not feed.is_undecided
    assert "a.md" not in feed.missing


def test_a_quick_scan_defers_candidates_and_sends_an_exact_move_at_once(feed, seeds, sent, page):
    load(feed, seeds, a=page)
    lose(feed, seeds, "a")
    sent.clear()
    write(seeds / "b.md", page + "An edit.\n")
    write(seeds / "c.md", page)
    assert feed.take("b.md", Lane.BULK, hasty=True) is Reading.UNSURE
    assert feed.take("c.md", Lane.BULK, hasty=True) is Reading.MOVED
    assert feed.take("b.md", Lane.BULK) is Reading.NEW
    feed.flush()
    ((batch, _),) = sent
    assert {s.path: (s.moved_from and s.moved_from.path, names_of(s)) for s in batch.snapshots} == {
        "c.md": ("a.md", []),
        "b.md": (None, []),
    }


def test_a_retraction_is_not_deferred(feed, seeds, sent, page):
    load(feed, seeds, a=page)
    lose(feed, seeds, "a")
    sent.clear()
    write(seeds / "b.md", a_seed(title="Eating well", status="deprecated"))
    assert feed.take("b.md", Lane.BULK, hasty=True) is Reading.NEW
    feed.flush()
    ((batch, lane),) = sent
    assert (lane, names_of(batch.snapshots[0])) == (Lane.LIVE, ["a.md"])


def test_a_path_whose_removal_was_sent_is_still_a_candidate(feed, seeds, sent, page):
    """The load of new files may wait for room, and a removal does not wait for it."""
    load(feed, seeds, a=page)
    lose(feed, seeds, "a")
    feed.remove("a.md")
    feed.flush()
    feed.load(KnownFiles(), 0)
    ((removals, _),) = sent[-1:]
    sent.clear()
    write(seeds / "b.md", page)
    feed.take("b.md", Lane.BULK)
    feed.flush()
    ((batch, _),) = sent
    removal = removals.removals[0]
    assert batch.snapshots[0].candidates == (Source("a.md", removal.observed),)


def test_of_equal_files_the_one_with_the_same_name_is_the_source(feed, seeds, sent, page):
    load(feed, seeds, a=page, b=page, c=page)
    (seeds / "new").mkdir()
    write(seeds / "new/c.md", page)
    write(seeds / "new/b.md", page)
    lose(feed, seeds, "a", "b", "c")
    sent.clear()
    feed.take("new/b.md", Lane.BULK)
    feed.take("new/c.md", Lane.BULK)
    feed.flush()
    ((batch, _),) = sent
    assert {s.path: s.moved_from.path for s in batch.snapshots} == {
        "new/b.md": "b.md",
        "new/c.md": "c.md",
    }


def test_a_rename_with_an_edit_while_it_is_watched_names_the_old_path(watching, page):
    write(watching.seeds / "a.md", page)
    watching.settles()
    (watching.seeds / "a.md").unlink()
    write(watching.seeds / "b.md", page + "An edit.\n")
    watching.settles()
    asked = [s for batch in watching.library.batches for s in batch.snapshots if s.candidates]
    assert [(s.path, names_of(s)) for s in asked] == [("b.md", ["a.md"])]
    assert watching.library.removed == ["a.md"]


def test_a_scan_sends_exact_moves_before_it_names_candidates(watch, library, seeds, page):
    first = watch()
    write(seeds / "old/a.md", page)
    write(seeds / "old/b.md", page + "b\n")
    first.settles()
    first.stop()
    (seeds / "old").rename(seeds / "new")
    for number in range(20):
        write(seeds / f"new/copy-{number}.md", page + f"copy {number}\n")
    for path in (seeds / "new").iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    watch().settles()
    assert library.moved == {"new/a.md": "old/a.md", "new/b.md": "old/b.md"}
    assert [s for batch in library.batches for s in batch.snapshots if s.candidates] == []


def sha256_of(number: int) -> str:
    """Return a hash that differs from others in its last letters only."""
    return f"{number:x}".rjust(64, "0")


def test_equal_bytes_are_found_in_a_library_and_in_later_files():
    several = 5_000  # three times as many widen the table
    origins = Origins(
        # each eighth, so that several have one place in the table
        KnownFiles({f"{n}.md": known()._replace(sha256=sha256_of(n * 8)) for n in range(several)})
    )
    for number in range(several, 3 * several):
        origins.add(f"{number}.md", sha256_of(number * 8))
    for number in range(3 * several):
        assert origins.find(sha256_of(number * 8)) == [f"{number}.md"]
    assert origins.find(sha256_of(1)) == []
    assert Origins(KnownFiles()).find(sha256_of(0)) == []


def test_each_of_several_equal_files_is_named_once_up_to_a_limit():
    origins = Origins(KnownFiles())
    for path in ("a.md", "b.md", "a.md"):
        origins.add(path, sha256_of(7))
    assert sorted(origins.find(sha256_of(7))) == ["a.md", "b.md"]
    for number in range(2 * MOST_ORIGINS):
        origins.add(f"{number}.md", sha256_of(7))
    assert len(origins.find(sha256_of(7))) == MOST_ORIGINS


def test_what_follows_a_move_or_a_removal_names_it_until_the_store_has_it(feed, seeds, sent, page):
    load(feed, seeds, a=page)
    known = feed.known["a.md"].observed
    lose(feed, seeds, "a")
    sent.clear()
    write(seeds / "b.md", page)
    feed.take("b.md", Lane.LIVE)
    write(seeds / "a.md", page + "Another.\n")
    feed.take("a.md", Lane.LIVE)
    write(seeds / "b.md", page + "An edit.\n")
    feed.take("b.md", Lane.LIVE)
    feed.remove("a.md")
    feed.flush()
    move, another, edit = (s for batch, _ in sent for s in batch.snapshots)
    (removal,) = (r for batch, _ in sent for r in batch.removals)
    assert move.moved_from == Source("a.md", known)
    turn = Turn("b.md", move.observed)
    assert (move.follows, another.follows, edit.follows) == ((), (turn,), (turn,))
    assert removal.follows == (turn,)
    feed.load(KnownFiles({"b.md": feed.known["b.md"]}), 0)
    write(seeds / "b.md", page + "One more.\n")
    sent.clear()
    feed.take("b.md", Lane.LIVE)
    feed.flush()
    assert sent[0][0].snapshots[0].follows == ()


def test_two_pages_that_swap_their_names_name_each_other(feed, seeds, sent, page):
    load(feed, seeds, a=page, b=page + "b\n")
    known = {path: feed.known[path].observed for path in ("a.md", "b.md")}
    (seeds / "a.md").rename(seeds / "c")
    (seeds / "b.md").rename(seeds / "a.md")
    (seeds / "c").rename(seeds / "b.md")
    sent.clear()
    for path in known:
        feed.take(path, Lane.LIVE)
    feed.flush()
    ((batch, _),) = sent
    assert {s.path: s.moved_from for s in batch.snapshots} == {
        "a.md": Source("b.md", known["b.md"]),
        "b.md": Source("a.md", known["a.md"]),
    }
    assert set(feed.known) == {"a.md", "b.md"}
