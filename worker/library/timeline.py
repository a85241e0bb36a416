"""A file's story in plain words: seen, validated, stored, moved, retired, notified, and what is served.

Built from events, versions, refusals and notices; decides and changes nothing. Called by
`worker.library.reader` for the command `why`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from worker.domain.changes.summary import changes_in_words, in_words
from worker.domain.reviews import ladder
from worker.domain.reviews.notice import ASKED, HELD, REFUSED, RETRACTED
from worker.domain.seeds.codes import CODES
from worker.domain.seeds.facts import ACTIVE
from worker.library.as_of import trace
from worker.store import acknowledgements as answers
from worker.store import events, library, plans
from worker.store.documents import LIVE
from worker.store.engine import Connection

_MOST_PROBLEMS = 3
#: The step of each answer of a person, by its event.
_ANSWERS = {
    answers.RECORDED: "reviewed",
    answers.SNOOZED: "snoozed",
    answers.ACKNOWLEDGED: "acknowledged",
    answers.ASSIGNED: "assigned",
    answers.RETIRE_ASKED: "retirement",
    answers.RETIRE_APPROVED: "retirement",
    plans.PLANNED: "planned",
}
_STAGES = {
    ladder.PLANNED: "planned for now",
    ladder.BACKUP: "overdue, and the backup steps in",
    ladder.LEAD: "overdue, and the lead steps in",
}
_CHANGE_COLUMNS = ("fields", "sections", "figures", "links", "lines_added", "lines_removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the story; `outcome` is a word or two, `detail` a sentence without a full stop."""

    at: datetime
    step: str
    outcome: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Return the step as `why --json` prints it; the instant is in UTC."""
        return {
            "at": self.at.isoformat(),
            "step": self.step,
            "outcome": self.outcome,
            "detail": self.detail,
        }


def why(connection: Connection, path: str, *, now: datetime, zone: tzinfo) -> dict[str, Any] | None:
    """Return the story of a path, oldest first, or None if the path is unknown.

    It has the events of the path, and the whole life of the document at the path (now, or else the last
    one). The last step says what is served.
    """
    paths, history = trace(connection, path)
    document = library.find_document(connection, path)
    if document is None:
        here = [event.document_id for event in history if event.path == path and event.document_id]
        document = events.document_by_id(connection, here[-1]) if here else None
    refusal = library.find_refusal(connection, path)
    ours = [event for event in history if _concerns(event, path, document)]
    if not ours and refusal is None:
        return None
    versions = _versions_of(connection, ours)
    steps: list[Step] = []
    for event in ours:
        steps += _steps_of(event, versions.get((event.document_id, event.number)), refusal)
    for notice in events.notices_about(connection, paths):
        if notice.path == path or (document and notice.document_id == document.id):
            steps.append(_notified(notice))
    steps.sort(key=lambda step: step.at)  # stable: steps of the same instant keep their order
    steps.append(_served(path, document, refusal, versions, ours, now=now, zone=zone))
    return {"path": path, "steps": [step.as_json() for step in steps]}


def _concerns(event: Any, path: str, document: Any | None) -> bool:
    return bool(
        event.path == path
        or (document is not None and event.document_id == document.id)
        or event.data.get("moved_from") == path
    )


def _versions_of(connection: Connection, history: Sequence[Any]) -> dict[tuple[int, int], Any]:
    documents = {event.document_id for event in history if event.document_id is not None}
    return {
        (row.document_id, row.number): row
        for document_id in sorted(documents)
        for row in library.list_versions(connection, document_id)
    }


def _accepted(data: Mapping[str, Any]) -> str:
    """Return the result of a check without errors; older events have no warnings."""
    warnings = [f"{code} {CODES[code][0]}" for code in data.get("warnings", ()) if code in CODES]
    return f"no errors; warnings: {', '.join(warnings)}" if warnings else "no errors"


def _steps_of(  # noqa: C901 - one case for each event
    event: Any, version: Any | None, refusal: Any | None
) -> Iterator[Step]:
    """Yield the steps of one event."""
    at, data = event.at, event.data
    match event.kind:
        case events.STORED if version is not None:
            yield _seen(version.observed_at, at, version.path)
            yield Step(at=at, step="validated", outcome="ok", detail=_accepted(data))
            yield _stored(event, version)
        case events.REFUSED:
            observed = data.get("observed_at")
            if observed is not None:
                yield _seen(datetime.fromisoformat(observed), at, event.path)
            yield Step(
                at=at,
                step="validated",
                outcome="refused",
                detail=_refusal(event, refusal),
            )
        case events.FIXED:
            detail = f"the file has the content of version {event.number} again, without errors"
            yield Step(at=at, step="fixed", outcome="ok", detail=detail)
        case events.WITHDRAWN:
            detail = "the refused file was deleted"
            yield Step(at=at, step="withdrawn", outcome="ok", detail=detail)
        case events.MOVED:
            likeness = data.get("similarity", 1)
            edited = f", {likeness:.0%} the same" if likeness < 1 else ""
            detail = f"from {data.get('moved_from')} to {event.path}{edited}, with its history"
            yield Step(at=at, step="moved", outcome=f"version {event.number}", detail=detail)
        case events.RETIRED:
            detail = "the file was deleted; its versions are kept"
            yield Step(at=at, step="retired", outcome="not served", detail=detail)
        case events.WITHHELD:
            detail = f"the file says {data['status']}, and is refused: version {event.number} stays, unserved"
            yield Step(at=at, step="withheld", outcome="not served", detail=detail)
        case events.REVIVED:
            detail = "the file is back in the folder"
            if said := data.get("status"):
                detail = f"the file says {said} again, without errors"
            yield Step(at=at, step="revived", outcome="served", detail=detail)
        case kind if kind in _ANSWERS:
            yield _answered(event)
        case kind:
            yield Step(at=at, step=kind, outcome="", detail="")


def _answered(event: Any) -> Step:
    """Return the step of a person's answer, with the version that the person saw."""
    data = event.data
    detail = f"by {data['by']}, who saw version {event.number}"
    match event.kind:
        case answers.RECORDED:
            outcome = f"on {data['on']}"
            detail += f": {data['evidence']}" if data.get("evidence") else ""
        case answers.SNOOZED:
            outcome, detail = f"until {data['until']}", f"{detail}: {data['reason']}"
        case answers.ACKNOWLEDGED:
            outcome = f"until {data['until']}"
        case answers.ASSIGNED:
            outcome = f"to {data['owner']}"
        case plans.PLANNED:
            outcome = f"for {data['planned_on']}" if data["planned_on"] else "removed"
        case answers.RETIRE_APPROVED:
            outcome = "approved"
        case _:
            outcome = "requested"
    return Step(at=event.at, step=_ANSWERS[event.kind], outcome=outcome, detail=detail)


def _seen(observed_at: datetime, ingested_at: datetime, path: str) -> Step:
    # The clocks of two machines may differ, but a file is always seen before it is ingested.
    detail = f"{path} was fully written, and was read"
    return Step(at=min(observed_at, ingested_at), step="seen", outcome="settled", detail=detail)


def _stored(event: Any, version: Any) -> Step:
    parts = ["the first version"]
    if version.number > 1:
        change = {name: getattr(version, name) for name in _CHANGE_COLUMNS}
        parts = [f"as a {version.change} change, {version.risk} risk"]
        parts += [in_words(*words) for words in changes_in_words(change)]
    if due := event.data.get("due_on"):
        parts.append(f"its review is due on {due}")
    return Step(
        at=event.at, step="stored", outcome=f"version {version.number}", detail="; ".join(parts)
    )


def _refusal(event: Any, refusal: Any | None) -> str:
    """Return why an edit was refused: its errors if it is the open refusal, else the first one."""
    if refusal is not None and refusal.path == event.path and refusal.refused_at == event.at:
        errors = [p for p in refusal.problems if p["severity"] == "error"]
        return "; ".join(_problem(problem) for problem in errors[:_MOST_PROBLEMS]) + (
            f"; and {len(errors) - _MOST_PROBLEMS} more" if len(errors) > _MOST_PROBLEMS else ""
        )
    data = event.data
    if "message" not in data:
        return ", ".join(data.get("codes", ()))
    more = f"; and {data['errors'] - 1} more" if data["errors"] > 1 else ""
    return f"line {data['line']}: {data['message']} ({data['code']}){more}"


def _problem(problem: Mapping[str, Any]) -> str:
    hint = f"; {problem['hint']}" if problem["hint"] else ""
    return f"line {problem['line']}: {problem['message']} ({problem['code']}){hint}"


def _notified(notice: Any) -> Step:
    match notice.kind:
        case kind if kind == REFUSED:
            subject = "the file was refused"
        case kind if kind == HELD:
            subject = "many documents are missing or refused, and are held"
        case kind if kind == RETRACTED:
            subject = f"it is {notice.data['status']}"
        case _:
            due = f" (due on {notice.due_on})" if notice.due_on else ""
            subject = f"its review is {_stage(str(notice.stage))}{due}"
    who = f"{notice.route}, over {notice.channel}"
    match notice.state:
        case "sent":
            return Step(
                at=notice.sent_at, step="sent", outcome=f"to {notice.route}",
                detail=f"{who}: {subject}",
            )  # fmt: skip
        case "failed":
            detail = f"{who}: {subject}; the message failed: {notice.error}"
            return Step(at=notice.created_at, step="not sent", outcome="failed", detail=detail)
        case "cancelled":
            detail = f"{who}: {subject}; this changed before the message was sent"
            return Step(at=notice.created_at, step="not sent", outcome="cancelled", detail=detail)
        case _:
            detail = f"{who}: {subject}; the message is pending"
            return Step(at=notice.created_at, step="to be sent", outcome="waiting", detail=detail)


def _stage(stage: str) -> str:
    """Return the stage of a review in words."""
    if stage.startswith(ladder.AHEAD):
        return f"due within {stage.removeprefix(ladder.AHEAD)} days"
    if stage.startswith(ladder.REPEAT):
        return f"still overdue, after {stage.removeprefix(ladder.REPEAT)} days"
    if stage.startswith(ASKED):
        return f"requested after the edit of version {stage.removeprefix(ASKED)}"
    return _STAGES.get(stage, stage)


def _served(
    path: str,
    document: Any | None,
    refusal: Any | None,
    versions: Mapping[tuple[int, int], Any],
    history: Sequence[Any],
    *,
    now: datetime,
    zone: tzinfo,
) -> Step:
    """Return the last step: what is served now."""
    refused = ""
    if refusal is not None:
        errors = [p for p in refusal.problems if p["severity"] == "error"]
        refused = f"the file on disk is refused: {_problem(errors[0])}"
        if refusal.judge_again_on is not None:
            refused += f"; it is judged again on {refusal.judge_again_on}"
    if document is None:
        last = history[-1].kind if history else ""
        deleted = (
            "it was never stored, and its file was deleted" if last == events.WITHDRAWN else ""
        )
        detail = f"nothing is served: {refused or deleted or 'it was never stored'}"
        return Step(at=now, step="served", outcome="nothing", detail=detail)
    if document.state != LIVE:
        retired = [e for e in history if e.kind == events.RETIRED and e.document_id == document.id]
        on = f" on {_day(retired[-1].at, zone)}" if retired else ""
        where = f" as {document.path}" if document.path != path else ""
        detail = f"nothing is served: retired{on}{where}" + (f"; {refused}" if refused else "")
        return Step(at=now, step="served", outcome="nothing", detail=detail)
    version = versions.get((document.id, document.number))
    since = f" of {_day(version.stored_at, zone)}" if version is not None else ""
    which = f"version {document.number}{since}"
    where = f" as {document.path}" if document.path != path else ""
    outcome = f"version {document.number}"
    if document.status != ACTIVE:
        outcome = document.status
        detail = (
            f"{which} has the status {document.status}: it is kept{where}, but must not be served"
        )
    elif refused and not where:
        earlier = refusal is not None and refusal.sha256 == document.sha256
        detail = f"{which} stays" + (", accepted under earlier rules" if earlier else "")
    else:
        detail = f"{which} is served{where}"
    return Step(
        at=now,
        step="served",
        outcome=outcome,
        detail=f"{detail}; {refused}" if refused else detail,
    )


def _day(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d}"
