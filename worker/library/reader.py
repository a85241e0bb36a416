"""Reads the library for commands; writes and sends nothing.

Results are JSON-ready values in the shapes of the command-line contract (`worker.library.queries`). A
method imports what only it needs, because most of a command's time is its start. Called by `worker.cli`,
through `worker.library.opened`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from worker.errors import CursorLostError
from worker.library import diffs, queries
from worker.settings.model import Settings
from worker.store import library
from worker.store.engine import Store

if TYPE_CHECKING:
    from worker.domain.folder.cursor import Cursor
    from worker.domain.reviews.policy import Policy
    from worker.domain.seeds.seed import Seed

EVENTS_AT_ONCE = 500


class Reader:
    """Queries on the store, with the team's policy and a clock, for one process.

    `now` returns aware instants. Create it after a fork: it owns connections. Every query may raise
    `StoreUnavailableError`, and `ConfigurationError` if it needs the policy.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], datetime]) -> None:
        self.settings = settings
        self.now = now
        self.store = Store(settings.store_url.value)

    @cached_property
    def policy(self) -> Policy:
        """Return the team's policy; the first use reads it."""
        from worker.settings.policy import make_policy

        return make_policy(self.settings)

    def today(self) -> date:
        """Return the date in the team's zone."""
        return self.now().astimezone(self.settings.zone).date()

    def close(self) -> None:
        """Close the connections to the store."""
        self.store.close()

    def held(self) -> dict[str, Any]:
        """Return the removals and refusals that are held, and since when."""
        with self.store.read() as connection:
            return queries.held(connection)

    def status(self) -> dict[str, Any]:
        """Return the library at a glance."""
        with self.store.read() as connection:
            return queries.status(
                connection, policy=self.policy, today=self.today(), now=self.now()
            )

    def list_documents(
        self, state: str | None, *, at: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Return the documents, or those of one state; as they are now, or were at an instant."""
        with self.store.read() as connection:
            if at is not None:
                from worker.library import as_of

                day = at.astimezone(self.settings.zone).date()
                return as_of.list_documents_at(
                    connection, at, state=state, policy=self.policy, day=day
                )
            return queries.list_documents(
                connection, state=state, policy=self.policy, today=self.today()
            )

    def live_among(self, paths: Iterable[str]) -> frozenset[str]:
        """Return which of these paths are live documents."""
        with self.store.read() as connection:
            return frozenset(row.path for row in library.heads_of(connection, paths))

    def what_stays(self, files: Mapping[str, str]) -> dict[str, str]:
        """Return the effect of an error, for those of these files whose published version stays.

        `files` maps paths to the hashes of their files.
        """
        with self.store.read() as connection:
            return queries.what_stays(connection, files, self.settings.zone)

    def versions_before(
        self, files: Mapping[str, str], has_content: Callable[[str, Any], bool]
    ) -> list[tuple[str, dict[str, Any], str]]:
        """Return path, metadata and body of the version that comes before each file.

        The arguments are those of `worker.store.library.versions_before`.
        """
        with self.store.read() as connection:
            return list(library.versions_before(connection, files, has_content))

    def list_paths(self) -> list[str]:
        """Return the path of every document, in order."""
        with self.store.read() as connection:
            return library.list_paths(connection)

    def list_refusals(self) -> list[dict[str, Any]]:
        """Return the files whose newest edit is refused, with their problems."""
        with self.store.read() as connection:
            return queries.list_refusals(connection)

    def refusal(self, path: str) -> dict[str, Any] | None:
        """Return the problems of a path's newest edit, and what is published instead."""
        with self.store.read() as connection:
            return queries.refusal(connection, path, self.settings.zone)

    def history(self, path: str, *, at: datetime | None = None) -> dict[str, Any] | None:
        """Return a document's versions, newest last; of the present document, or that of an instant."""
        with self.store.read() as connection:
            return queries.history(connection, path, at=at)

    def show(self, path: str, *, number: int | None, at: datetime | None) -> dict[str, Any] | None:
        """Return one version: by number, at an instant, or the newest."""
        with self.store.read() as connection:
            return queries.show(connection, path, number=number, at=at)

    def diff(self, path: str, first: int | None, second: int | None) -> dict[str, Any] | None:
        """Return what changed between two versions, by default the last two."""
        with self.store.read() as connection:
            return diffs.diff(connection, path, first, second, policy=self.policy)

    def diff_file(
        self, path: str, number: int | None, seed: Seed, *, sha256: str
    ) -> dict[str, Any] | None:
        """Return what changed between a version, by default the newest, and a file that was read."""
        from worker.domain.seeds.facts import read_facts

        label = read_facts(seed.metadata, self.policy.fields).label
        with self.store.read() as connection:
            return diffs.diff_file(
                connection,
                path,
                number,
                seed,
                label=label,
                sha256=sha256,
                policy=self.policy,
            )

    def why(self, path: str) -> dict[str, Any] | None:
        """Return the story of a path: what was seen, decided and sent, and what is served now."""
        from worker.library import timeline

        with self.store.read() as connection:
            return timeline.why(connection, path, now=self.now(), zone=self.settings.zone)

    def unseen_above(self, path: str) -> dict[str, Any] | None:
        """Return the folder above a path that the watcher cannot read, and since when; None if it can."""
        with self.store.read() as connection:
            return queries.unseen_above(connection, path)

    def version_to_restore(self, path: str, number: int) -> dict[str, Any] | None:
        """Return the stored parts of a version's file."""
        with self.store.read() as connection:
            return queries.version_to_restore(connection, path, number)

    def due(self, *, on: date | None, within_days: int | None) -> list[dict[str, Any]]:
        """Return the review calendar as of a day, by default today."""
        with self.store.read() as connection:
            return queries.due(
                connection, policy=self.policy, today=on or self.today(), within_days=within_days
            )

    def owners(self) -> dict[str, Any]:
        """Return who answers for which live documents, and the orphaned ones."""
        from worker.reviews import ownership

        with self.store.read() as connection:
            rows = library.review_rows(connection)
            return ownership.owners(rows, policy=self.policy, today=self.today())

    def notices(
        self, state: str | None, *, limit: int | None = None, before: int | None = None
    ) -> list[dict[str, Any]]:
        """Return notices, newest first: of one state, at most `limit`, with IDs below `before`."""
        with self.store.read() as connection:
            return queries.notices(connection, state, limit=limit, before=before)

    def events(self, after: int | Cursor) -> list[dict[str, Any]]:
        """Return the next events after one as CloudEvents, oldest first; empty at the end.

        Raises `CursorLostError` if the store no longer has that event: a backup was restored.
        """
        from worker.domain.folder.cloud_event import cloud_event
        from worker.domain.folder.cursor import Cursor
        from worker.store import epochs

        cursor = Cursor(event=after) if isinstance(after, int) else after
        with self.store.read() as connection:
            if epochs.has_lost(connection, cursor):
                raise CursorLostError(
                    f"the store does not have the event {cursor.event} that you processed: a backup was"
                    " restored. Take a new `content-sync export`, and continue after its checkpoint"
                )
            found = epochs.feed(connection, cursor.event, EVENTS_AT_ONCE)
        return [cloud_event(event) for event in found]

    def export_manifest(self, *, active_only: bool) -> dict[str, Any]:
        """Return the live library without bodies, and the ID of its newest event."""
        from worker.library.export import export_manifest

        with self.store.read() as connection:
            return export_manifest(connection, active_only=active_only)

    def export_documents(self, *, active_only: bool) -> Iterator[dict[str, Any]]:
        """Yield the live documents with their bodies, all from one view of the store."""
        from worker.library.export import export_documents

        with self.store.read() as connection:
            yield from export_documents(connection, active_only=active_only)
