"""What counts as a breach of the laws, from values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from support.review_rows import a_policy
from support.seeds import a_seed

from worker.domain.folder import laws
from worker.domain.folder.laws import Breaches, KnownFile, Law, LifeEvent
from worker.domain.seeds.seed import Seed, body_sha256, parse_seed

STORED, MOVED = "version.stored", "document.moved"
RETIRED, REVIVED = "document.retired", "document.revived"
HERE, ELSEWHERE = "1" * 64, "2" * 64


@dataclass(frozen=True)
class Version:
    seed: Seed
    number: int = 1
    sha256: str = HERE
    body: str | None = None
    front_matter: str = ""
    body_sha256: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def a_version(**given: Any) -> tuple[Seed, Any]:
    seed = parse_seed(a_seed().encode())
    assert isinstance(seed, Seed)
    usual = {
        "front_matter": seed.front_matter,
        "body_sha256": body_sha256(seed.body),
        "metadata": seed.metadata,
    }
    return seed, Version(seed=seed, **(usual | given))


def events_of(*story: tuple[str, str] | tuple[str, str, str]) -> list[LifeEvent]:
    return [
        LifeEvent(id=number, kind=kind, path=path, moved_from=rest[0] if rest else None)
        for number, (kind, path, *rest) in enumerate(story, start=1)
    ]


@pytest.mark.parametrize(
    ("state", "story"),
    [
        ("live", [(STORED, "a")]),
        ("live", [(STORED, "b"), (MOVED, "a", "b"), (STORED, "a")]),
        ("retired", [(STORED, "a"), (RETIRED, "a")]),
        ("live", [(STORED, "a"), (RETIRED, "a"), (REVIVED, "a")]),
        ("live", [(STORED, "b"), (RETIRED, "b"), (MOVED, "a", "b"), (REVIVED, "a")]),
    ],
)
def test_events_that_lead_to_the_document_are_not_a_breach(state, story):
    assert laws.check_story("a", state, events_of(*story)) is None


@pytest.mark.parametrize(
    ("state", "story", "what"),
    [
        ("live", [], "its events end at None"),
        ("live", [(STORED, "b")], "its events end at b"),
        ("live", [(STORED, "b"), (MOVED, "a", "c")], "moves it from c, but it was at b"),
        ("live", [(STORED, "b"), (STORED, "a")], "has it at a, but it was at b"),
        ("live", [(STORED, "a"), (RETIRED, "a")], "it is live, but its events say ret"),
        ("retired", [(STORED, "a")], "it is retired, but its events say live"),
    ],
)
def test_events_that_lead_elsewhere_are_a_breach(state, story, what):
    breach = laws.check_story("a", state, events_of(*story))
    assert breach is not None
    assert (breach.law, breach.path) == (Law.STORY, "a")
    assert what in breach.detail


@pytest.mark.parametrize(
    ("known", "law"),
    [
        (KnownFile(state="live", sha256=HERE), None),
        (KnownFile(state="live", sha256=ELSEWHERE, refused_sha256=HERE), None),
        (KnownFile(refused_sha256=HERE), None),
        (KnownFile(state="retired", sha256=HERE, refused_sha256=HERE), None),
        (KnownFile(), Law.FILE),
        (KnownFile(state="live", sha256=ELSEWHERE), Law.FILE),
        (KnownFile(refused_sha256=ELSEWHERE), Law.FILE),
        (KnownFile(state="retired", sha256=ELSEWHERE), Law.FILE),
        (KnownFile(state="retired", sha256=HERE), Law.RETIRED),
        (KnownFile(state="live", sha256=HERE, refused_sha256=ELSEWHERE), Law.REFUSAL),
    ],
)
def test_a_file_is_live_or_refused_in_the_store(known, law):
    breach = laws.check_file("a.md", HERE, known)
    assert (breach and breach.law) == law


@pytest.mark.parametrize(
    ("numbers", "sound"),
    [
        ((1, 1, 1), True),
        ((1, 3, 3), True),
        ((0, 0, 0), False),
        ((2, 3, 2), False),
        ((1, 3, 2), False),
    ],
)
def test_versions_are_numbered_without_a_gap(numbers, sound):
    assert (laws.check_numbers("a.md", numbers) is None) is sound


def test_a_file_proves_its_newest_version_or_contradicts_it():
    seed, version = a_version()
    assert laws.check_head_file("a.md", version, seed, HERE) is None
    assert laws.check_head_file("a.md", version, seed, ELSEWHERE) is None, "a comment went"
    for altered in ({"body_sha256": ELSEWHERE}, {"metadata": {}}, {"front_matter": "x"}):
        _, other = a_version(**altered)
        breach = laws.check_head_file("a.md", other, seed, HERE)
        assert breach is not None
        assert (breach.law, breach.repairable) == (Law.VERSION, False)
    _, other = a_version(metadata={})
    breach = laws.check_head_file("a.md", other, seed, ELSEWHERE)
    assert breach is not None
    assert (breach.law, breach.repairable) == (Law.FILE, True)


def test_a_derived_head_matches_the_metadata():
    seed, _ = a_version()
    derived = laws.derive_head("a.md", 3, seed.metadata, a_policy())
    assert (derived["number"], derived["title"]) == (3, seed.metadata["title"])
    assert (str(derived["due_on"]), derived["exempt"]) == ("2026-03-30", False)
    retracted = laws.derive_head("a.md", 3, seed.metadata | {"status": "inactive"}, a_policy())
    assert (retracted["due_on"], retracted["exempt"]) == (None, True)


def test_findings_count_all_breaches_and_keep_the_first():
    findings = Breaches(most=2)
    assert findings.ok
    findings.add([None, *(laws.check_file(f"{n}.md", HERE, KnownFile()) for n in range(5))])
    assert (findings.ok, findings.unsound) == (False, False)
    answer = findings.as_json()
    assert answer["found"] == {"file": 5}
    assert [problem["path"] for problem in answer["problems"]] == ["0.md", "1.md"]
