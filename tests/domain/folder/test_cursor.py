"""A cursor says whether a store still has what a program processed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.domain.folder.chain import Epoch
from worker.domain.folder.cursor import Cursor, cursor_at, is_lost, read_cursor

HASH = "ab" * 32


def epoch(name: str, *, after_event: int) -> Epoch:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return Epoch(
        number=1, epoch=name, library="x", began_at=at, reason="r", after_event=after_event, event=0
    )  # fmt: skip


def test_a_cursor_is_an_id_with_or_without_its_epoch_and_hash():
    assert read_cursor("12") == Cursor(event=12)
    assert read_cursor(" 0a1b:12\n") == Cursor(epoch="0a1b", event=12)
    assert read_cursor(f"0a1b:12:{HASH}") == Cursor(epoch="0a1b", event=12, hash=HASH)
    for text in ("", "-1", "a:b", f"12:{HASH[:-1]}", f":12:{HASH}", "9" * 19):
        with pytest.raises(ValueError, match="ID"):
            read_cursor(text)


def test_the_cursor_of_an_event_is_complete():
    event = {"id": "12", "source": "/content-sync/lib/0a1b", "hash": HASH}
    assert cursor_at(event) == Cursor(epoch="0a1b", event=12, hash=HASH)


@pytest.mark.parametrize(
    ("cursor", "found", "lost"),
    [
        (Cursor(event=0), None, False),
        (Cursor(event=0, epoch="cc"), None, False),
        (Cursor(event=60), HASH, False),
        (Cursor(event=61), None, True),
        (Cursor(event=40, epoch="aa"), HASH, False),
        (Cursor(event=41, epoch="aa"), HASH, True),
        (Cursor(event=41, epoch="bb"), HASH, False),
        (Cursor(event=5, epoch="cc"), HASH, True),
        (Cursor(event=41, epoch="aa", hash=HASH), HASH, False),
        (Cursor(event=5, epoch="bb", hash=HASH), "cd" * 32, True),
        (Cursor(event=5, epoch="bb", hash=HASH), None, True),
    ],
)
def test_a_store_knows_what_it_has_lost(cursor, found, lost):
    epochs = [epoch("aa", after_event=0), epoch("bb", after_event=40)]
    assert is_lost(cursor, epochs, newest=60, found=found) is lost
