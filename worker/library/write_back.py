"""Answers that change a file: a finished review, a new owner, a document to retire.

Each answer changes the file in the seeds folder, and the service then stores a new version or retires
the document. An event records who answered, which version they saw, and the evidence. The answer is noted
before the file is changed: where the command is killed then, or loses the store, whoever sees the changed
file next records the event. A file that would be refused, or that somebody is saving, stays as it is.
Called by `worker.cli.answering`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from worker.domain.seeds.edit import NotSet, set_fields
from worker.domain.seeds.facts import Facts, parse_date
from worker.domain.seeds.problem import Problem
from worker.domain.seeds.seed import parse_seed
from worker.errors import ContentSyncError, StoreUnavailableError
from worker.library.seeds_folder import WriteRefusedError, look, place_of, replace_seen, take_away
from worker.library.services import Services
from worker.store import acknowledgements as table
from worker.store import unfinished_answers
from worker.store.documents import LIVE, add_events
from worker.store.engine import Connection
from worker.store.library import find_document, find_refusal
from worker.store.paths import lock_document
from worker.store.unfinished_answers import Unfinished
from worker.watch.read import Content, Unread
from worker.watch.root import require_folder


class NameNeededError(ContentSyncError):
    """A file names a reviewer, and the person did not say under which name they reviewed it."""


class NotYetRecordedError(StoreUnavailableError):
    """The file was changed, and then the store did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A finished review: `on` is a date in the team's zone, `evidence` a URL.

    `by` is the name to record. `named` says that the person gave that name, so it replaces the reviewer
    in the file. A login name only fills an empty field.
    """

    on: date
    by: str
    named: bool
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A file as it was read, and its new content."""

    path: str
    seen: Content
    data: bytes
    fields: list[dict[str, Any]]
    facts: Facts


def document_at(services: Services, path: str) -> dict[str, Any] | None:
    """Return the path of a document, live or retired, and the number of its newest version."""
    with services.store.read() as connection:
        row = find_document(connection, path)
    return None if row is None else {"path": row.path, "number": row.number}


def record_reviews(
    services: Services, paths: Mapping[str, str | None], review: Review
) -> list[dict[str, Any]]:
    """Write a review into files and record its events; return the result for each path.

    `paths` maps each path to a known error or None. All files are checked first, and none is written
    when one has an error. Commits once per file. A failure is the `error` of its path.

    Raises `NameNeededError` when a file names another reviewer and the review has a login name only.
    """
    changes: dict[str, _Change] = {}
    errors = {path: wrong for path, wrong in paths.items() if wrong is not None}
    for path in paths:
        try:
            if path not in errors:
                changes[path] = _prepare(
                    services, path, lambda old: _review_fields(services, old, review)
                )
        except WriteRefusedError as error:
            errors[path] = str(error)
    answers = []
    all_fit = not errors
    for path in paths:
        answer = _nothing_done(path, review)
        try:
            if all_fit:
                answer |= _record(services, changes[path], review)
        except NotYetRecordedError as error:
            answer |= {"written": True, "fields": changes[path].fields}
            errors[path] = str(error)
        except ContentSyncError as error:
            errors[path] = str(error)
        answers.append(answer | {"error": errors.get(path)})
    return answers


def assign(services: Services, path: str, *, owner: str, by: str) -> dict[str, Any] | None:
    """Write the owner of a document into its file; return None for an unknown document. Commits once.

    Raises `WriteRefusedError` when the file must not be changed, `ConfigurationError` when it cannot be
    written.
    """
    if document_at(services, path) is None:
        return None
    field = services.policy.fields.owner
    change = _prepare(services, path, lambda _: {field: owner})
    done = _carry_out(services, change, table.ASSIGNED, {"by": by, "owner": owner})
    old = next((one["old"] for one in change.fields if one["field"] == field), owner)
    return {"path": path, "owner": owner, "old_owner": old, "by": by} | done


def retire(services: Services, path: str, *, by: str) -> dict[str, Any] | None:
    """Remove the file of a document; return None for an unknown document. Commits once.

    Raises `WriteRefusedError` when the file is not the newest version and would be lost,
    `ConfigurationError` when it cannot be removed.
    """
    if document_at(services, path) is None:
        return None
    place = place_of(services.settings, path)
    seen = _seen(services, path)
    with services.store.write() as connection:
        document = lock_document(connection, path)
        if document is None or document.sha256 != seen.sha256:
            raise WriteRefusedError(
                f"{place} has changes that are not stored and would be lost: run content-sync sync first"
            )
        answer = _note(services, connection, document, seen, table.RETIRE_ASKED, {"by": by})
    _finish(services, answer, lambda: take_away(services.settings, path, seen))
    return {"path": path, "number": document.number, "by": by, "removed": True}


def _review_fields(
    services: Services, metadata: Mapping[str, Any], review: Review
) -> dict[str, str]:
    """Return the fields that a review sets; refuse a day in the future or before the last review."""
    fields, today = services.policy.fields, services.today()
    if review.on > today:
        raise WriteRefusedError(f"{review.on} is in the future: today is {today}")
    before = parse_date(metadata.get(fields.last_reviewed))
    if before is not None and review.on < before:
        raise WriteRefusedError(f"its last review is later: {before}, not {review.on}")
    values = {fields.last_reviewed: review.on.isoformat()}
    reviewer = str(metadata.get(fields.reviewer) or "")
    if reviewer and not review.named and reviewer.casefold() != review.by.casefold():
        raise NameNeededError(f"names {reviewer} as its reviewer: add --by with the name to write")
    if review.named or (fields.reviewer in metadata and not reviewer):
        values[fields.reviewer] = review.by
    return values


def _nothing_done(path: str, review: Review) -> dict[str, Any]:
    return {
        "path": path,
        "recorded": False,
        "written": False,
        "on": review.on.isoformat(),
        "by": review.by,
        "evidence": review.evidence,
        "number": None,
        "edited": None,
        "fields": [],
        "due_on": None,
        "error": None,
    }


def _record(services: Services, change: _Change, review: Review) -> dict[str, Any]:
    data = {"by": review.by, "on": review.on.isoformat(), "evidence": review.evidence}
    done = _carry_out(services, change, table.RECORDED, data)
    facts = change.facts
    clock = services.policy.clock_of(change.path, facts)
    due_on = clock.due_on.isoformat() if clock.due_on is not None else None
    return done | {"recorded": True, "fields": change.fields, "due_on": due_on}


def _prepare(
    services: Services,
    path: str,
    values_for: Callable[[Mapping[str, Any]], Mapping[str, str]],
) -> _Change:
    """Read a file and compute its new content; raise `WriteRefusedError` when it has an error."""
    seen = _seen(services, path)
    place = place_of(services.settings, path)
    before = parse_seed(seen.data)
    if isinstance(before, tuple):
        raise _refused(place, before)
    try:
        values = values_for(before.metadata)
    except WriteRefusedError as error:
        raise WriteRefusedError(f"{place}: {error}") from None
    except NameNeededError as error:
        raise NameNeededError(f"{place} {error}") from None
    data = set_fields(seen.data, values)
    if isinstance(data, NotSet):
        raise WriteRefusedError(f"{place}:{data.line}: {data.reason}")
    examined = services.examine(path, data)
    if examined.facts is None:
        raise _refused(place, examined.problems)
    fields = [
        {"field": name, "old": before.metadata.get(name), "new": text}
        for name, text in values.items()
        if before.metadata.get(name) != text
    ]
    return _Change(path=path, seen=seen, data=data, fields=fields, facts=examined.facts)


def _seen(services: Services, path: str) -> Content:
    """Return the file of a live document; raise `WriteRefusedError` when it cannot be changed."""
    place = place_of(services.settings, path)
    with services.store.read() as connection:
        document = find_document(connection, path)
        refusal = find_refusal(connection, path)
    if document is None:
        raise WriteRefusedError(f"no document at {path}")
    restore = f"content-sync restore {path} {document.number}"
    if document.state != LIVE:
        raise WriteRefusedError(f"{path} is retired; {restore} brings it back")
    on_disk = look(services.settings, path)
    if isinstance(on_disk, Unread):
        raise WriteRefusedError(f"{place} cannot be read: {on_disk.detail}")
    if not isinstance(on_disk, Content):
        require_folder(services.settings.seeds)
        raise WriteRefusedError(
            f"{Path(place).absolute()} does not exist; {restore} brings it back"
        )
    if refusal is not None and refusal.sha256 == on_disk.sha256:
        raise WriteRefusedError(f"{place} was refused: content-sync why {path} says how to fix it")
    return on_disk


def _refused(place: str, problems: Sequence[Problem]) -> WriteRefusedError:
    error = next((one for one in problems if one.severity == "error"), problems[0])
    return WriteRefusedError(
        f"{place}:{error.span.line}: {error.message} ({error.code}); fix it first"
    )


def _carry_out(
    services: Services, change: _Change, kind: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Change the file and record the event, or do neither.

    The event names the newest version and says whether the file was edited since.
    """
    written = change.data != change.seen.data
    with services.store.write() as connection:
        document = lock_document(connection, change.path)
        if document is None or document.state != LIVE:
            raise WriteRefusedError(f"{change.path} was retired while its file was read")
        edited = document.sha256 != change.seen.sha256
        sha256 = hashlib.sha256(change.data).hexdigest()
        given = data | {"edited": edited}
        answer = _note(services, connection, document, change.seen, kind, given, sha256)
        if not written:
            _record_event(services, connection, answer)
    if written:
        _finish(
            services,
            answer,
            lambda: replace_seen(services.settings, change.path, change.seen, change.data),
        )
    return {"written": written, "number": document.number, "edited": edited}


def _note(
    services: Services,
    connection: Connection,
    document: Any,
    seen: Content,
    kind: str,
    data: dict[str, Any],
    sha256: str | None = None,
) -> Unfinished:
    """Note what will be done to a file; settle earlier answers that their commands left unfinished.

    The file in front of us says whether it was changed for them.
    """
    for earlier in unfinished_answers.find(connection):
        if earlier.path == document.path:
            if earlier.sha256 == seen.sha256:
                _record_event(services, connection, earlier)
            else:
                unfinished_answers.drop(connection, earlier)
    return unfinished_answers.note(
        connection,
        at=services.now(),
        kind=kind,
        path=document.path,
        document_id=document.id,
        number=document.number,
        data=data,
        sha256=sha256,
    )


def _finish(services: Services, answer: Unfinished, change_file: Callable[[], None]) -> None:
    """Change the file of a noted answer, then record its event; raise `NotYetRecordedError` if that fails."""
    try:
        change_file()
    except ContentSyncError:  # it is as it was
        with suppress(StoreUnavailableError):
            services.store.transact(lambda c: unfinished_answers.drop(c, answer))
        raise
    try:
        services.store.transact(lambda c: _record_event(services, c, answer))
    except StoreUnavailableError as error:
        done = "removed" if answer.sha256 is None else "changed"
        raise NotYetRecordedError(
            f"{place_of(services.settings, answer.path)} was {done}, but this is not recorded yet: {error}; "
            "the service records it when it looks at the folder"
        ) from error


def _record_event(services: Services, connection: Connection, answer: Unfinished) -> None:
    rows = unfinished_answers.finish(connection, answer, now=services.now())
    services.store.lock_events(connection)
    add_events(connection, rows)
