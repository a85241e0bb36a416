"""A library under test: services over a real store, with a clock that the test sets."""

from __future__ import annotations

import email
import email.policy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from support.peers import Post
from support.seeds import a_seed

from worker.domain.folder.snapshot import Batch, Removal, Snapshot, Source, Stamp
from worker.ingest.outcomes import Outcome
from worker.library.services import Services
from worker.settings.model import EmailChannel, RouteSettings, load_settings
from worker.store.migrate import migrate
from worker.store.schema import paths

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Library:
    """Drops seeds into the store as a worker does, one observation after the other."""

    def __init__(self, store_url: str, **settings: Any) -> None:
        self.time = NOON
        self.services = Services(
            load_settings(store_url=store_url, **settings), now=lambda: self.time
        )
        self.observed = count(1_000_000)
        migrate(self.services.store)

    @property
    def store(self) -> Any:
        return self.services.store

    def snapshot(self, path: str, data: bytes, *, moved_from: str | None = None) -> Snapshot:
        number = next(self.observed)
        return Snapshot(
            path=path,
            stamp=Stamp(size=len(data), mtime_ns=number, inode=1),
            sha256=hashlib.sha256(data).hexdigest(),
            observed=number,
            moved_from=None if moved_from is None else self.source(moved_from),
        )

    def source(self, path: str) -> Source:
        """Name a path as a watcher does that knows everything the store has seen of it."""
        with self.store.read() as connection:
            seen = connection.scalar(select(paths.c.observed).where(paths.c.path == path))
        return Source(path, seen or 0)

    def drop(self, path: str, text: str | bytes | None = None, **fields: Any) -> Outcome:
        """Take in one file and return what became of it."""
        outcomes = self.take_in({path: a_seed(**fields) if text is None else text})
        return next(outcome for outcome in outcomes if outcome.path == path)

    def take_in(self, files: dict[str, str | bytes]) -> list[Outcome]:
        """Take in several files as one batch."""
        contents = {path: _bytes(text) for path, text in files.items()}
        snapshots = tuple(self.snapshot(path, data) for path, data in contents.items())
        return self.take_in_batch(snapshots, b"".join(contents.values()))

    def take_in_batch(
        self,
        snapshots: tuple[Snapshot, ...] = (),
        data: bytes = b"",
        *,
        removals: tuple[Removal, ...] = (),
    ) -> list[Outcome]:
        batch = Batch(id=str(uuid4()), snapshots=snapshots, removals=removals)
        return self.services.take_in_bytes(batch, data)

    def move(self, old: str, new: str, text: str | bytes) -> list[Outcome]:
        data = _bytes(text)
        return self.take_in_batch((self.snapshot(new, data, moved_from=old),), data)

    def remove(self, *paths: str) -> list[Outcome]:
        removals = tuple(Removal(path=path, observed=next(self.observed)) for path in paths)
        return self.take_in_batch(removals=removals)

    def kinds(self) -> list[str]:
        """Return the kinds of all events, oldest first."""
        from worker.store.library import events_after

        with self.store.read() as connection:
            return [row.kind for row in events_after(connection, 0, 1000)]

    def document(self, path: str) -> dict[str, Any]:
        return next(row for row in self.services.list_documents(None) if row["path"] == path)

    def on(self, day: date) -> None:
        """Set the clock to noon of a day."""
        self.time = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)

    def later(self, **how_much: float) -> None:
        """Move the clock on."""
        self.time += timedelta(**how_much)


@contextmanager
def a_library(store_url: str, **settings: Any) -> Iterator[Library]:
    library = Library(store_url, **settings)
    try:
        yield library
    finally:
        library.services.close()


@contextmanager
def a_mailing_library(store_url: str, post: Post, **route: Any) -> Iterator[Library]:
    """Give one whose only route mails a team."""
    channels = {"mail": EmailChannel(host="127.0.0.1", port=post.port)}
    routes = {"team": RouteSettings(channel="mail", to=("team@example.org",), **route)}
    with a_library(store_url, channels=channels, routes=routes) as library:
        yield library


def mails_at(post: Post) -> list[EmailMessage]:
    """Return the mails that came, oldest first."""
    return [
        email.message_from_bytes(envelope.content, policy=email.policy.default)
        for envelope in post.envelopes
    ]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
