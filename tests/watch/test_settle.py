"""The settling of hints, with a clock that the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.folder.snapshot import Stamp
from worker.watch.settle import Gone, Hint, HintKind, Read, Settle

COALESCE, STILL, REMOVAL, MAX_WAIT = 0.01, 0.1, 1.0, 60.0
A, B = Stamp(size=1, mtime_ns=1, inode=1), Stamp(size=2, mtime_ns=2, inode=1)


@pytest.fixture
def settle():
    return Settle(
        coalesce_seconds=COALESCE,
        still_seconds=STILL,
        removal_seconds=REMOVAL,
        max_wait_seconds=MAX_WAIT,
    )


def hint(settle, kind, at, path="a.md"):
    settle.hint(Hint(kind=kind, path=path), at)


def look(settle, stamp, at, **options):
    assert settle.due(at) == ["a.md"]
    return settle.look("a.md", stamp, at, **options)


def test_a_closed_file_settles_after_the_window(settle):
    hint(settle, HintKind.ARRIVED, 0)
    hint(settle, HintKind.WRITTEN, 0.001)
    hint(settle, HintKind.CLOSED, 0.002)
    assert settle.next_at() == pytest.approx(0.012)
    assert settle.due(0.011) == []
    read = look(settle, A, 0.012)
    assert isinstance(read, Read)
    assert read.closed
    assert settle.next_at() is None
    assert len(settle) == 0


def test_repeated_closes_do_not_delay_the_read(settle):
    hint(settle, HintKind.CLOSED, 0)
    hint(settle, HintKind.CLOSED, 0.009)
    assert settle.next_at() == pytest.approx(0.01)


def test_a_write_after_a_close_cancels_the_close(settle):
    hint(settle, HintKind.CLOSED, 0)
    hint(settle, HintKind.WRITTEN, 0.005)
    assert settle.due(0.05) == []
    assert look(settle, A, 0.106) is None
    read = look(settle, A, 0.207)
    assert isinstance(read, Read)
    assert not read.closed


def test_a_file_without_a_close_settles_when_its_stamp_is_stable(settle):
    hint(settle, HintKind.WRITTEN, 0)
    assert look(settle, A, 0.1) is None
    assert look(settle, B, 0.2) is None
    assert settle.due(0.29) == []
    assert isinstance(look(settle, B, 0.31), Read)


def test_a_file_that_arrives_with_an_old_modification_is_read_at_once(settle):
    hint(settle, HintKind.ARRIVED, 0)
    assert isinstance(look(settle, A, 0.01, age_seconds=3600), Read)


def test_a_modification_time_in_the_future_changes_no_wait(settle):
    hint(settle, HintKind.ARRIVED, 0)
    assert look(settle, A, 0.01, age_seconds=-3600) is None
    assert isinstance(look(settle, A, 0.12, age_seconds=-3600), Read)


def test_a_file_that_keeps_changing_is_read_after_the_longest_wait(settle):
    at = 0.0
    while at < MAX_WAIT:
        hint(settle, HintKind.WRITTEN, at)
        at += 0.05
    assert settle.next_at() == MAX_WAIT
    read = look(settle, A, MAX_WAIT)
    assert isinstance(read, Read)
    assert read.forced


def test_a_busy_file_is_checked_less_and_less_often(settle):
    hint(settle, HintKind.CLOSED, 0)
    at, pauses = 0.01, []
    while not (read := look(settle, A, at)).forced:
        settle.busy(read, at)
        pauses.append(settle.next_at() - at)
        at = settle.next_at()
    assert at == MAX_WAIT
    assert pauses[:5] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert max(pauses) == pytest.approx(2)


def test_a_close_ends_the_wait_for_a_busy_file(settle):
    hint(settle, HintKind.WRITTEN, 0)
    look(settle, A, 0.1)
    settle.busy(look(settle, A, 0.2), 0.2)
    hint(settle, HintKind.CLOSED, 0.21)
    assert isinstance(look(settle, B, 0.22), Read)


def test_a_deletion_must_last(settle):
    hint(settle, HintKind.DELETED, 0)
    assert settle.leaving() == ["a.md"]
    assert settle.due(0.99) == []
    assert look(settle, None, 1) == Gone(path="a.md")
    assert settle.leaving() == []


def test_repeated_deletions_do_not_delay_the_removal(settle):
    hint(settle, HintKind.DELETED, 0)
    hint(settle, HintKind.DELETED, 0.9)
    assert look(settle, None, 1) == Gone(path="a.md")


def test_an_atomic_replace_is_not_a_deletion(settle):
    hint(settle, HintKind.DELETED, 0)
    hint(settle, HintKind.CLOSED, 0.001)
    assert isinstance(look(settle, A, 0.011), Read)
    assert settle.due(100) == []


def test_a_recreated_path_is_read_without_a_hint(settle):
    hint(settle, HintKind.DELETED, 0)
    assert look(settle, A, 1) is None
    assert settle.leaving() == []
    assert isinstance(look(settle, A, 1.1), Read)


def test_a_path_that_vanished_before_the_check_waits_like_a_deletion(settle):
    hint(settle, HintKind.CLOSED, 0)
    assert look(settle, None, 0.01) is None
    assert look(settle, None, 1.01) == Gone(path="a.md")


def test_a_forgotten_path_is_not_checked(settle):
    hint(settle, HintKind.CLOSED, 0)
    settle.forget("a.md")
    assert settle.next_at() is None
    assert settle.look("a.md", A, 1) is None


@dataclass
class World:
    """One file, the clock, and what was last settled of it."""

    settle: Settle
    at: float = 0.0
    content: int | None = None
    written_at: float = 0.0
    writers: int = 0
    settled: int | None = None
    versions: int = 0
    longest_wait: float = 0.0
    hinted_at: float | None = None
    owed: list[HintKind] = field(default_factory=list)

    def happen(self, kind: HintKind, *, reported: bool) -> None:
        """Change the file as a hint of this kind says, and tell of it at once or later."""
        if kind is HintKind.DELETED:
            self.content = None
        else:
            self.versions += 1
            self.content, self.written_at = self.versions, self.at
        if reported:
            self.tell(kind)
        else:
            self.owed.append(kind)

    def tell(self, kind: HintKind) -> None:
        self.settle.hint(Hint(kind=kind, path="a.md"), self.at)

    def stamp(self) -> Stamp | None:
        if self.content is None:
            return None
        return Stamp(size=1, mtime_ns=int(self.written_at * 1e9) * 1000 + self.content, inode=1)

    def pass_time(self, seconds: float, *, busy: bool) -> None:
        """Let time pass as the watcher's loop does, looking at what is due."""
        end = self.at + seconds
        while (due := self.settle.next_at()) is not None and due <= end:
            self.at = max(self.at, due)
            for path in self.settle.due(self.at):
                match self.settle.look(
                    path, self.stamp(), self.at, age_seconds=self.at - self.written_at
                ):
                    case Read() as read if busy and not read.forced:
                        self.settle.busy(read, self.at)
                    case Read():
                        self.settled = self.content
                    case Gone():
                        self.settled = None
        self.at = end


STEPS = st.lists(
    st.tuples(
        st.sampled_from(HintKind),
        st.booleans(),  # reported at once
        st.sampled_from([0.0, 0.001, 0.02, 0.15, 1.5, 30.0]),
        st.booleans(),  # somebody holds it open meanwhile
    ),
    max_size=12,
)


@given(steps=STEPS, order=st.randoms())
def test_the_last_content_settles_for_any_order_of_hints(steps, order):
    world = World(
        Settle(
            coalesce_seconds=COALESCE,
            still_seconds=STILL,
            removal_seconds=REMOVAL,
            max_wait_seconds=MAX_WAIT,
        )
    )
    for kind, reported, seconds, busy in steps:
        world.happen(kind, reported=reported)
        world.pass_time(seconds, busy=busy)
    order.shuffle(world.owed)
    for kind in world.owed:
        world.tell(kind)
    world.pass_time(MAX_WAIT + REMOVAL + 2 * STILL, busy=False)
    assert world.settled == world.content
    assert len(world.settle) == 0
