"""Turns the notices of one digest into its sections and lines.

A review appears under its state today, with what the store knows of the document now. Data of the notice
itself is used only if the store has nothing newer. This module cleans all text before a template sees it;
it renders and sends nothing. Called by `worker.messages.digest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from worker.domain.changes.risk import Risk
from worker.domain.changes.summary import changes_in_words, in_words
from worker.domain.reviews.notice import ASKED
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.route import Route
from worker.domain.seeds.visible import one_line, visible
from worker.store import since as store
from worker.store.engine import Connection
from worker.store.notices import Leased
from worker.store.since import SinceReview

#: The sections in the order of the digest: what cannot wait comes first.
STAGES = (
    "held", "failing", "silent", "unseen", "retracted", "refused",
    "escalated", "overdue", "due", "upcoming", "asked", "well",
)  # fmt: skip
#: The sections whose lines are open reviews, the most urgent first.
REVIEWS = ("escalated", "overdue", "due", "asked", "upcoming")

_ESCALATIONS = ("backup", "lead")
_RISKS = tuple(Risk)
_CATEGORIES = ("A", "B", "C")
#: How many versions and phrases describe the changes of a document since its review.
_MOST_VERSIONS = 3
_MOST_WORDS = 3
_PATH_CHARACTERS = 500
_TITLE_CHARACTERS = 120
_DETAIL_CHARACTERS = 300
#: What the silence of a part means; `{since}` is "since …" or "yet".
_SILENCE = {
    "sweep": "the review sweep has not run {since}: due reviews are not noticed",
    "delivery": "the delivery has not run {since}: messages wait",
    "watcher": "the watcher has not reported {since}: changed files are not processed",
}
#: A folder that the watcher cannot read: a notice of the same kind, with a section of its own.
_FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since the last review: number of versions, highest risk, most important phrases."""

    versions: int
    risk: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLine:
    """One fact about one path; `stage` is one of `STAGES`.

    `days` counts from the due date to today: 3 is three days overdue, -3 is due in three days.
    `unanswered` is true if nobody answers for the document. `detail` says what is wrong, if the line is not
    a review. `line` and `hint` belong to a problem of a file.
    """

    path: str
    stage: str
    document_id: int | None = None
    title: str = ""
    due_on: date | None = None
    days: int | None = None
    planned_on: date | None = None
    owner: str = ""
    unanswered: bool = False
    risk_category: str | None = None
    changes: Changes | None = None
    detail: str = ""
    line: int | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One stage of a digest: the lines that are shown, and the number of all its lines.

    `unanswered` is true if the stage has several documents and nobody answers for any of them.
    """

    stage: str
    total: int
    unanswered: bool
    lines: tuple[DigestLine, ...]


def read_sections(
    connection: Connection,
    route: Route,
    owed: Sequence[Leased],
    *,
    policy: Policy,
    today: date,
    zone: ZoneInfo,
    digest_lines: int,
) -> list[Section]:
    """Return the sections for these notices, at most `digest_lines` lines each.

    `zone` is the team's, to show times. The changes since a review are read in full only for the lines that
    are shown.
    """
    reviewed = {n.document_id for n in owed if n.kind == "review" and n.document_id is not None}
    named = reviewed | {n.document_id for n in owed if n.document_id is not None}
    heads = store.heads_now(connection, named)
    several = [i for i in reviewed if i in heads and heads[i].number > 1]
    since = store.since_review(
        connection, several, date_field=policy.fields.last_reviewed, most=_MOST_VERSIONS
    )
    reader = _Reader(route=route, policy=policy, today=today, zone=zone)
    lines = merge_lines(reader.line(n, heads.get(n.document_id or 0)) for n in owed)
    weighed = [_with_risk(line, since.get(line.document_id or 0)) for line in lines]
    sections = make_sections(weighed, digest_lines)
    heaviest = {
        line.document_id: since[line.document_id].heaviest
        for section in sections
        for line in section.lines
        if line.changes is not None and line.document_id is not None
    }
    changes = store.version_changes(connection, [v for ids in heaviest.values() for v in ids])
    words = {
        document_id: _words([changes[version_id] for version_id in ids])
        for document_id, ids in heaviest.items()
    }
    return [
        replace(section, lines=tuple(_with_words(line, words) for line in section.lines))
        for section in sections
    ]


def merge_lines(lines: Iterable[DigestLine]) -> list[DigestLine]:
    """Return one line for each fact; of several notices about one review, keep the most urgent."""
    merged: dict[tuple[str, Any], DigestLine] = {}
    for line in lines:
        topic = "review" if line.stage in REVIEWS else line.stage
        subject = line.path if line.document_id is None else line.document_id
        # Parts and channels have no path, so their detail distinguishes them.
        key = (topic, subject or line.detail)
        kept = merged.get(key)
        if kept is None or topic != "review" or _rank(line) <= _rank(kept):
            merged[key] = line  # of two equally urgent lines, the newer
    return list(merged.values())


def make_sections(lines: Iterable[DigestLine], digest_lines: int) -> list[Section]:
    """Return the lines by stage, at most `digest_lines` each, with their text cleaned.

    Reviews are sorted by due date, then by category and risk. Raises `ValueError` for an unknown stage.
    """
    by_stage: dict[str, list[DigestLine]] = {stage: [] for stage in STAGES}
    for line in lines:
        if line.stage not in by_stage:
            raise ValueError(f"{line.stage!r} is not a stage of a digest")
        by_stage[line.stage].append(line)
    return [
        Section(
            stage=stage,
            total=len(of_stage),
            unanswered=len(of_stage) > 1 and all(line.unanswered for line in of_stage),
            lines=tuple(_clean(line) for line in sorted(of_stage, key=_order)[:digest_lines]),
        )
        for stage, of_stage in by_stage.items()
        if of_stage
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Turns notices into lines, for one route and one day in the team's zone."""

    route: Route
    policy: Policy
    today: date
    zone: ZoneInfo

    def line(self, notice: Leased, head: Any | None) -> DigestLine:
        """Return the line of a notice; `head` is the document as it is in the store now."""
        data = notice.data
        line = DigestLine(
            path=notice.path if head is None else head.path,
            stage=notice.kind,
            document_id=notice.document_id,
            title=str(data.get("title") or "") if head is None else head.title,
        )
        match notice.kind:
            case "review":
                return self._review(line, notice, head)
            case "refused":
                # The path of the refused file: its document may have moved.
                return replace(line, path=notice.path, **_refused(data))
            case "retracted":
                by = f", by {data['by']}" if data.get("by") else ""
                detail = f"has been {data['status']} since version {data['number']}{by}"
                if data.get("withheld"):
                    number, status = data["number"], data["status"]
                    detail = f"version {number} is no longer served: the refused file says {status}"
                return replace(line, detail=detail)
            case "held":
                detail = _held(data)
            case "failing":
                since = self._since(data["since"])
                detail = f"the channel {data['channel']} has been failing {since}: {data['error']}"
            case "silent" if data["part"] == _FOLDER:
                since = self._since(data["since"])
                detail = f"cannot be read {since}: what is in it is unseen ({data['live']:,} live)"
                folder = data["folder"]
                path = folder if folder == "." else f"{folder}/"
                return replace(line, stage="unseen", path=path, detail=detail)
            case "silent":
                detail = _SILENCE[data["part"]].format_map(
                    data | {"since": self._since(data["since"])}
                )
            case "well":
                detail = (
                    f"{data['live']:,} documents live, {data['current']:,} of them current; "
                    f"{data['next_week']:,} due within a week"
                )
            case kind:
                raise ValueError(f"{kind!r} is not a kind of notice")
        return replace(line, detail=detail)

    def _review(self, line: DigestLine, notice: Leased, head: Any | None) -> DigestLine:
        stage = str(notice.stage)
        days = (self.today - notice.due_on).days if notice.due_on is not None else None
        if stage in _ESCALATIONS:
            stage = "escalated"
        elif stage.startswith(ASKED):
            stage = "asked"
        elif days is not None:
            stage = "due" if days == 0 else "upcoming" if days < 0 else self._late(days)
        line = replace(line, stage=stage, due_on=notice.due_on, days=days)
        owner = str(notice.data.get("owner") or "")
        if head is not None:
            owner = ", ".join(self.policy.owners.of(head.path, head.owner).owners)
            line = replace(line, planned_on=head.planned_on, risk_category=head.risk_category)
        unanswered = self.route.fallback or not (owner or self.route.owners)
        return replace(line, owner=owner, unanswered=unanswered)

    def _late(self, days: int) -> str:
        # The steps after the due date are the same for every document.
        ladder = self.policy.ladder_of("", None, None)
        return "escalated" if ladder.escalates(days) else "overdue"

    def _since(self, at: str | None) -> str:
        if at is None:
            return "yet"
        return f"since {datetime.fromisoformat(at).astimezone(self.zone):%Y-%m-%d %H:%M %Z}"


def _with_risk(line: DigestLine, since: SinceReview | None) -> DigestLine:
    if line.stage not in REVIEWS or since is None:
        return line
    return replace(line, changes=Changes(versions=since.versions, risk=since.risk))


def _words(changes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the most important phrases of several changes: figures first, because they can do harm."""
    words = [each for change in changes for each in changes_in_words(change)]
    words.sort(key=lambda each: each[0] != "")
    phrases = dict.fromkeys(in_words(*each) for each in words)
    return tuple(one_line(text, limit=_TITLE_CHARACTERS) for text in list(phrases)[:_MOST_WORDS])


def _with_words(line: DigestLine, words: Mapping[int, tuple[str, ...]]) -> DigestLine:
    if line.changes is None:
        return line
    return replace(line, changes=replace(line.changes, words=words.get(line.document_id or 0, ())))


def _rank(line: DigestLine) -> int:
    return REVIEWS.index(line.stage)


def _order(line: DigestLine) -> tuple[date, int, int, str]:
    category = line.risk_category
    risk = line.changes.risk if line.changes is not None else None
    return (
        line.due_on or date.max,
        _CATEGORIES.index(category) if category in _CATEGORIES else len(_CATEGORIES),
        _RISKS.index(risk) if risk in _RISKS else len(_RISKS),
        line.path,
    )


def shown_path(path: str) -> str:
    """Return a path as people see it: visible characters, spaces kept, shortened only if very long."""
    shown = visible(path)
    return shown if len(shown) <= _PATH_CHARACTERS else f"{shown[: _PATH_CHARACTERS - 1]}…"


def _clean(line: DigestLine) -> DigestLine:
    """Return the line without control characters and line ends in its text."""
    return replace(
        line,
        path=shown_path(line.path),
        title=one_line(line.title, limit=_TITLE_CHARACTERS),
        owner=one_line(line.owner, limit=_TITLE_CHARACTERS),
        detail=one_line(line.detail, limit=_DETAIL_CHARACTERS),
        hint=one_line(line.hint, limit=_DETAIL_CHARACTERS),
    )


def _refused(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first error of a refused file and what stays published, as parts of its line."""
    problem, kept = data["problem"], data["kept"]
    served = f"version {kept} stays published" if kept else "nothing is published"
    if kept and data.get("earlier"):
        served += ", accepted under earlier rules"
    detail = f"{problem['code']} {problem['message']}; {served}"
    return {"detail": detail, "line": problem["line"], "hint": problem["hint"]}


def _held(data: Mapping[str, Any]) -> str:
    if "refusals" in data:
        return (
            f"{data['refusals']:,} of {data['live']:,} documents have a newer edit that was refused"
            " within 24 hours; "
            "their last good versions stay published"
        )
    return f"{data['removals']:,} of {data['live']:,} documents are missing from the folder"
