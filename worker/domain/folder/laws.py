"""The laws that stored data must keep, and the checks of each, from values alone.

A breach names the law, the path and the error, and says whether a repair fixes it. `worker.run.verify`
passes rows, files and counts in; nothing is read or repaired here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Protocol

from worker.domain.folder.decide import head_values
from worker.domain.reviews.policy import Policy
from worker.domain.seeds.facts import read_facts, withhold
from worker.domain.seeds.seed import Seed, body_sha256, parse_seed

_LIVE, _RETIRED = "live", "retired"
_STORED, _MOVED, _RETIREMENT = "version.stored", "document.moved", "document.retired"


class Law(StrEnum):
    """The laws, by the names that people and programs see."""

    DATABASE = "database"
    BODY = "body"
    VERSION = "version"
    NUMBERS = "numbers"
    HEAD = "head"
    DUE_DATE = "due-date"
    EVENT = "event"
    CHAIN = "chain"
    STORY = "story"
    LEDGER = "ledger"
    SUBJECT = "subject"
    NOTICE = "notice"
    LEASE = "lease"
    REMINDER = "reminder"
    FILE = "file"
    MISSING = "missing"
    UNSEEN = "unseen"
    REFUSAL = "refusal"
    RETIRED = "retired"


#: Each law: what it says, and what a person can do about a breach.
LAWS: Mapping[Law, tuple[str, str]] = {
    Law.DATABASE: ("the database is sound", "restore a backup; keep a copy of this file"),
    Law.BODY: ("a body is stored under its own hash", "restore the body from a backup"),
    Law.VERSION: (
        "a version's file, rebuilt, has its recorded hash",
        "compare `content-sync show PATH --version N` with a backup",
    ),
    Law.NUMBERS: ("versions are numbered 1, 2, 3", "restore a backup"),
    Law.HEAD: ("a document matches its newest version", "restore a backup"),
    Law.DUE_DATE: (
        "a due date follows from the newest version and the current settings",
        "restore the settings",
    ),
    Law.EVENT: ("each version has its event, and each event its version", "restore a backup"),
    Law.CHAIN: (
        "each event is as it was added, and none before it was removed or inserted",
        "compare the events with a backup, and find out who can write to the database",
    ),
    Law.STORY: ("a document has the path and the state that its events give it", "restore a backup"),
    Law.LEDGER: ("the path ledger agrees with the documents", "content-sync verify --repair"),
    Law.SUBJECT: ("events, notices and answers are about existing documents", "restore a backup"),
    Law.NOTICE: ("a notice is stored once, and a notice marked as sent was sent", "restore a backup"),
    Law.LEASE: ("no notice is leased forever", "correct the clock of the machine that leased it"),
    Law.REMINDER: ("each route of a due review has a notice of it", "content-sync remind"),
    Law.FILE: ("the store matches the folder", "content-sync sync --full"),
    Law.MISSING: ("a live document has its file", "content-sync sync --full"),
    Law.UNSEEN: ("the service can read every folder", "give the service's user the right to read it"),
    Law.REFUSAL: ("a refused file exists and is still refused", "content-sync sync --full"),
    Law.RETIRED: ("a retired document has no file", "content-sync sync --full"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One law broken at one path; `repairable` if `verify --repair` fixes it."""

    law: Law
    path: str
    detail: str
    repairable: bool = False


@dataclass(slots=True, kw_only=True)
class Breaches:
    """What was checked, how often each law is broken, and the first `most` breaches of each.

    In `checked`, `waiting` counts files that the next scan of the folder ingests, and `unproven`
    counts versions whose file cannot be rebuilt byte for byte, so that no hash proves them.
    """

    most: int
    checked: Counter[str] = field(default_factory=Counter)
    found: Counter[Law] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether every law holds."""
        return not self.found

    @property
    def unsound(self) -> bool:
        """Return whether the database itself is damaged; if so, nothing else was checked."""
        return Law.DATABASE in self.found

    def add(self, breaches: Iterable[Breach | None]) -> None:
        """Count and keep the breaches; skip None, the result of a check that found none."""
        for breach in breaches:
            if breach is None:
                continue
            self.found[breach.law] += 1
            if self.found[breach.law] <= self.most:
                self.breaches.append(breach)

    def as_json(self) -> dict[str, Any]:
        """Return the findings as `verify --json` prints them."""
        return {
            "ok": self.ok,
            "checked": dict(self.checked),
            "found": {law.value: number for law, number in self.found.items()},
            "problems": [
                {
                    "law": breach.law.value,
                    "path": breach.path,
                    "detail": breach.detail,
                    "repairable": breach.repairable,
                }
                for breach in self.breaches
            ],
        }


class StoredVersion(Protocol):
    """A version's row with its body; `body` is None if it is missing."""

    number: int
    sha256: str
    body_sha256: str
    front_matter: str
    metadata: dict[str, Any]
    body: str | None


class StoredHead(Protocol):
    """A document's row."""

    path: str
    number: int
    title: str
    status: str
    label: str
    source_type: str | None
    owner: str | None
    tags: list[str]
    last_reviewed: date | None
    review_frequency: str | None
    risk_category: str | None
    due_on: date | None
    exempt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeEvent:
    """An event that changes a document's path or state."""

    id: int
    kind: str
    path: str
    moved_from: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A path as the store has it: its document, the hash of the newest version, and the refused hash."""

    state: str | None = None
    sha256: str | None = None
    version_sha256: str | None = None
    refused_sha256: str | None = None


def check_body(path: str, sha256: str, body: str | None) -> Breach | None:
    """Return the breach of a body that is stored under a hash, or None."""
    if body is None:
        return Breach(law=Law.BODY, path=path, detail=f"the body {sha256} is missing")
    if (found := body_sha256(body)) == sha256:
        return None
    return Breach(law=Law.BODY, path=path, detail=f"the body {sha256} has the hash {found}")


def check_version(path: str, version: StoredVersion, file: bytes, *, exact: bool) -> Breach | None:
    """Return the breach of a version whose body is sound, from its rebuilt file, or None.

    `exact` means that the rebuilt file has the version's hash. If it does not, the line ends may have
    been mixed; only the metadata is compared then, and `check_head_file` may prove the rest.
    """
    seed = parse_seed(file)
    if isinstance(seed, Seed) and seed.metadata == version.metadata:
        return None
    rebuilt = "has its recorded hash" if exact else "cannot be rebuilt"
    return Breach(
        law=Law.VERSION,
        path=path,
        detail=f"version {version.number}: its metadata differs from its front matter, "
        f"and its file {rebuilt}",
    )


def check_head_file(path: str, version: StoredVersion, seed: Seed, sha256: str) -> Breach | None:
    """Return the breach of a newest version, from the document's file and its hash, or None.

    If the hash is not the version's, the file may differ only in what does not make a new version:
    comments and line ends.
    """
    same = seed.metadata == version.metadata and body_sha256(seed.body) == version.body_sha256
    if version.sha256 != sha256:
        if same:
            return None
        detail = f"the file differs from version {version.number}, the newest"
        return Breach(law=Law.FILE, path=path, detail=detail, repairable=True)
    if same and seed.front_matter == version.front_matter:
        return None
    detail = f"version {version.number} differs from the file that has its hash"
    return Breach(law=Law.VERSION, path=path, detail=detail)


def check_numbers(path: str, numbers: tuple[int, int, int]) -> Breach | None:
    """Return the breach of a document's version numbers (lowest, highest, count), or None."""
    lowest, highest, count = numbers
    if count and lowest == 1 and highest == count:
        return None
    detail = f"{count} versions, numbered {lowest} to {highest}" if count else "it has no version"
    return Breach(law=Law.NUMBERS, path=path, detail=detail)


def derive_head(
    path: str, number: int, metadata: Mapping[str, Any], policy: Policy, withheld: str | None = None
) -> dict[str, Any]:
    """Return the columns of a document that its newest version and the settings determine.

    `withheld` is the status of a refused file that takes it out of service, or None.
    """
    facts = withhold(read_facts(metadata, policy.fields), withheld)
    clock = policy.clock_of(path, facts)
    return head_values(facts, clock, number=number)


def head_differences(
    head: StoredHead,
    number: int,
    metadata: Mapping[str, Any],
    policy: Policy,
    withheld: str | None = None,
) -> dict[str, tuple[Any, Any]]:
    """Return the columns of a document that differ, each with the stored and the derived value."""
    derived = derive_head(head.path, number, metadata, policy, withheld)
    return {
        name: (stored, value)
        for name, value in derived.items()
        if (stored := getattr(head, name)) != value
    }


def check_head(
    head: StoredHead,
    number: int,
    metadata: Mapping[str, Any],
    policy: Policy,
    withheld: str | None = None,
) -> Iterator[Breach]:
    """Yield the breaches of a document's columns, derived from its newest version.

    A document that the refused file of its path withholds has that file's status.
    """
    different = head_differences(head, number, metadata, policy, withheld)
    clock: dict[str, tuple[Any, Any]] = {
        name: different.pop(name) for name in ("due_on", "exempt") if name in different
    }
    if clock and not different:
        yield _differs(Law.DUE_DATE, head.path, clock)
    elif different:
        yield _differs(Law.HEAD, head.path, different | clock)


def check_story(path: str, state: str, story: Iterable[LifeEvent]) -> Breach | None:
    """Return where a document's events, oldest first, do not lead to its path and state, or None."""
    here: str | None = None
    retired = False
    for event in story:
        if event.kind == _MOVED and event.moved_from != here:
            detail = f"event {event.id} moves it from {event.moved_from}, but it was at {here}"
            return Breach(law=Law.STORY, path=path, detail=detail)
        if event.kind != _MOVED and here is not None and event.path != here:
            detail = f"event {event.id} has it at {event.path}, but it was at {here}"
            return Breach(law=Law.STORY, path=path, detail=detail)
        here = event.path
        retired = event.kind == _RETIREMENT
    if here != path:
        return Breach(law=Law.STORY, path=path, detail=f"its events end at {here}")
    if retired != (state == _RETIRED):
        expected = _RETIRED if retired else _LIVE
        detail = f"it is {state}, but its events say {expected}"
        return Breach(law=Law.STORY, path=path, detail=detail, repairable=True)
    return None


def check_file(path: str, sha256: str, known: KnownFile) -> Breach | None:
    """Return the breach of a file in the folder, from its hash and what the store has, or None."""
    if known.refused_sha256 == sha256:
        return None
    is_live = known.state == _LIVE
    if is_live and known.sha256 == sha256:
        if known.refused_sha256 is None:
            return None
        detail = "the file's content is accepted, but another content counts as refused"
        return Breach(law=Law.REFUSAL, path=path, detail=detail, repairable=True)
    if not is_live and known.sha256 == sha256:
        detail = "it is retired, but its file exists"
        return Breach(law=Law.RETIRED, path=path, detail=detail, repairable=True)
    held = known.sha256 if is_live else known.refused_sha256
    detail = (
        f"the folder has {sha256}, the store has {held}"
        if held
        else "the store does not know this file"
    )
    return Breach(law=Law.FILE, path=path, detail=detail, repairable=True)


def check_absent(path: str, *, refused: bool) -> Breach:
    """Return the breach of a path whose file is missing from the folder."""
    if refused:
        detail = "it counts as refused, but its file does not exist"
        return Breach(law=Law.REFUSAL, path=path, detail=detail, repairable=True)
    detail = "it is live, but its file does not exist"
    return Breach(law=Law.MISSING, path=path, detail=detail, repairable=True)


def check_unseen(folder: str, live: int) -> Breach:
    """Return the breach of a folder that cannot be read, with `live` documents below it."""
    documents = (
        "1 live document below it is" if live == 1 else f"{live:,} live documents below it are"
    )
    detail = f"this folder cannot be read: {documents} unseen"
    return Breach(law=Law.UNSEEN, path=f"{folder}/" if folder else ".", detail=detail)


def _differs(law: Law, path: str, columns: Mapping[str, tuple[Any, Any]]) -> Breach:
    detail = ", ".join(
        f"{name} is {_shown(stored)}, not {_shown(value)}"
        for name, (stored, value) in sorted(columns.items())
    )
    return Breach(law=law, path=path, detail=detail, repairable=True)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)
