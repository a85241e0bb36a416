"""Answers to a reminder that change a file: a review that was done, a new owner, a document to retire.

The folder stays the truth: a field of the file is set and the service stores the file as a new
version, or the file is taken away and the service retires its document. Beside it an event says who
did so, which version they saw, and on what evidence; it is committed with the change of the file, and
not without it. A file that would be refused is not touched, nor one that somebody is saving. Called
by `worker.cli.answering`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from worker.domain.seeds.edit import NotSet, set_fields
from worker.domain.seeds.facts import Facts, parse_date
from worker.domain.seeds.problem import Problem
from worker.domain.seeds.seed import parse_seed
from worker.errors import ContentSyncError
from worker.library.seeds_folder import WriteRefusedError, look, place_of, replace_seen, take_away
from worker.library.services import Services
from worker.store import acknowledgements as table
from worker.store.documents import LIVE, add_events, event_row
from worker.store.library import find_document, find_refusal
from worker.watch.read import Content, Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review that was done: `on` is a date in the team's zone, `evidence` an address.

    `by` is who did it, for the record. `named` says that the person gave that name, so that it
    belongs into the file; a login name goes there only in the place of an earlier reviewer.
    """

    on: date
    by: str
    named: bool
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A file that was read, and what becomes of it."""

    path: str
    seen: Content
    data: bytes
    fields: list[dict[str, Any]]
    facts: Facts


def document_at(services: Services, path: str) -> dict[str, Any] | None:
    """Return the path and the head's number of a document, live or retired."""
    with services.store.read() as connection:
        row = find_document(connection, path)
    return None if row is None else {"path": row.path, "number": row.number}


def record_reviews(
    services: Services, paths: Mapping[str, str | None], review: Review
) -> list[dict[str, Any]]:
    """Write a review into the files of documents, and its event; return what became of each.

    `paths` tells of each what is known to be wrong with it. All are checked before the first is
    written, and none is written where one has an error. Commits once a file. What goes wrong is the
    `error` of its path.
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
        except ContentSyncError as error:
            errors[path] = str(error)
        answers.append(answer | {"error": errors.get(path)})
    return answers


def assign(services: Services, path: str, *, owner: str, by: str) -> dict[str, Any] | None:
    """Write who answers for a document into its file; None where there is none. Commits once.

    Raises `WriteRefusedError` where the file may not be changed, `ConfigurationError` where it
    cannot be.
    """
    if document_at(services, path) is None:
        return None
    field = services.policy.fields.owner
    change = _prepare(services, path, lambda _: {field: owner})
    done = _carry_out(services, change, table.ASSIGNED, {"by": by, "owner": owner})
    old = next((one["old"] for one in change.fields if one["field"] == field), owner)
    return {"path": path, "owner": owner, "old_owner": old, "by": by} | done


def retire(services: Services, path: str, *, by: str) -> dict[str, Any] | None:
    """Take a document's file out of the folder; None where there is no document. Commits once.

    Raises `WriteRefusedError` where the file holds anything but the newest version, which then would
    be lost; `ConfigurationError` where it cannot be removed.
    """
    if document_at(services, path) is None:
        return None
    place = place_of(services.settings, path)
    seen = _seen(services, path)
    with services.store.write() as connection:
        document = table.lock_document(connection, path)
        if document is None or document.sha256 != seen.sha256:
            raise WriteRefusedError(
                f"{place} holds what is not stored, and would be lost: run content-sync sync first"
            )
        event = event_row(
            services.now(),
            table.RETIRE_ASKED,
            path,
            document_id=document.id,
            number=document.number,
            by=by,
        )
        services.store.lock_events(connection)
        add_events(connection, [event])
        take_away(services.settings, path, seen)
        return {"path": path, "number": document.number, "by": by, "removed": True}


def _review_fields(
    services: Services, metadata: Mapping[str, Any], review: Review
) -> dict[str, str]:
    """Return the fields that a review sets; refuse a day that cannot be that of the newest one."""
    fields, today = services.policy.fields, services.today()
    if review.on > today:
        raise WriteRefusedError(f"{review.on} is in the future: today is {today}")
    before = parse_date(metadata.get(fields.last_reviewed))
    if before is not None and review.on < before:
        raise WriteRefusedError(f"it was reviewed on {before} already, later than {review.on}")
    values = {fields.last_reviewed: review.on.isoformat()}
    if review.named or fields.reviewer in metadata:
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
    """Read a file, and work out what it becomes; raise `WriteRefusedError` where it has an error."""
    seen = _seen(services, path)
    place = place_of(services.settings, path)
    before = parse_seed(seen.data)
    if isinstance(before, tuple):
        raise _refused(place, before)
    try:
        values = values_for(before.metadata)
    except WriteRefusedError as error:
        raise WriteRefusedError(f"{place}: {error}") from None
    data = set_fields(seen.data, values)
    if isinstance(data, NotSet):
        raise WriteRefusedError(f"{place}:{data.line}: {data.reason}")
    examined = services.examine(data)
    if examined.facts is None:
        raise _refused(place, examined.problems)
    fields = [
        {"field": name, "old": before.metadata.get(name), "new": text}
        for name, text in values.items()
        if before.metadata.get(name) != text
    ]
    return _Change(path=path, seen=seen, data=data, fields=fields, facts=examined.facts)


def _seen(services: Services, path: str) -> Content:
    """Return a live document's file; raise `WriteRefusedError` where there is nothing to change."""
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
        raise WriteRefusedError(f"{place} is not there any more; {restore} brings it back")
    if refusal is not None and refusal.sha256 == on_disk.sha256:
        raise WriteRefusedError(f"{place} is refused: content-sync why {path} says how to fix it")
    return on_disk


def _refused(place: str, problems: Sequence[Problem]) -> WriteRefusedError:
    error = next((one for one in problems if one.severity == "error"), problems[0])
    return WriteRefusedError(
        f"{place}:{error.span.line}: {error.message} ({error.code}); fix it first"
    )


def _carry_out(
    services: Services, change: _Change, kind: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Note the event, change the file, and commit both; neither where one of them fails.

    The event names the version that was seen: the head, and whether the file was edited since.
    """
    written = change.data != change.seen.data
    with services.store.write() as connection:
        document = table.lock_document(connection, change.path)
        if document is None or document.state != LIVE:
            raise WriteRefusedError(f"{change.path} was retired in the meantime")
        edited = document.sha256 != change.seen.sha256
        event = event_row(
            services.now(),
            kind,
            change.path,
            document_id=document.id,
            number=document.number,
            **data,
            edited=edited,
        )
        services.store.lock_events(connection)
        add_events(connection, [event])
        if written:
            replace_seen(services.settings, change.path, change.seen, change.data)
        return {"written": written, "number": document.number, "edited": edited}
