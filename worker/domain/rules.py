"""The rules of a library: what metadata has to be, and whether a file may be published.

The vocabulary is the JSON Schema's (`worker.domain.vocabulary`), so that a team changes that file
and not the code. What a schema cannot say is said in `worker.domain.metadata` (real dates, the
future, frequencies that the clock understands) and in `worker.domain.content` (text that is
content). A file is never mended here. Called by ingest, and by the command `validate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.domain import codes
from worker.domain.codes import CODES, found
from worker.domain.content import check_body
from worker.domain.metadata import check_metadata
from worker.domain.places import locate
from worker.domain.problem import Problem, Span, refuses
from worker.domain.seed import Facts, Seed, parse_seed, read_facts
from worker.domain.vocabulary import Rules, compile_rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from worker.domain.metadata import Finding
    from worker.domain.places import FieldPath, Place

__all__ = [
    "CODES",
    "NO_PERMISSION",
    "TOO_LARGE",
    "UNREADABLE",
    "Examined",
    "Rules",
    "compile_rules",
    "examine",
    "unreadable_problem",
]

#: The codes of files whose bytes could not be taken.
TOO_LARGE: Final = codes.TOO_LARGE
NO_PERMISSION: Final = codes.NO_PERMISSION
UNREADABLE: Final = codes.UNREADABLE

_UNREADABLE: Final = {
    TOO_LARGE: ("the file is too large", "split the document, or raise `intake.max_file_bytes`"),
    NO_PERMISSION: ("the file may not be read", "let the service's user read it"),
    UNREADABLE: (
        "the file could not be read",
        "it is tried again; look after the disk or the share",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What examining a file gave; `facts` only where no problem refuses it."""

    seed: Seed | None
    facts: Facts | None
    problems: tuple[Problem, ...]


def unreadable_problem(code: str, detail: str) -> Problem:
    """Return the problem of a file whose bytes could not be taken, for one of the three codes."""
    message, hint = _UNREADABLE[code]
    return found(code, f"{message}: {detail}" if detail else message, hint=hint)


def examine(data: bytes, *, rules: Rules, today: date, max_bytes: int) -> Examined:
    """Parse and validate a file's bytes; `today` is a date in the team's zone. Nothing raises."""
    if len(data) > max_bytes:
        detail = f"{len(data):,} bytes, and at most {max_bytes:,} are taken"
        return Examined(seed=None, facts=None, problems=(unreadable_problem(TOO_LARGE, detail),))
    seed = parse_seed(data)
    if isinstance(seed, tuple):
        return Examined(seed=None, facts=None, problems=seed)

    findings = [*check_metadata(seed.metadata, rules, today)]
    body_problem = check_body(seed)
    if not findings and body_problem is None:
        return Examined(seed=seed, facts=read_facts(seed.metadata, rules.fields), problems=())

    wanted = {finding.path for finding in findings}
    places = locate(seed.front_matter, wanted) if wanted else {}
    problems = [_place(finding, places, seed) for finding in findings]
    if body_problem is not None:
        problems.append(body_problem)
    problems.sort(key=lambda problem: (problem.span.line, problem.span.column, problem.code))
    told = tuple(problems)
    facts = None if refuses(told) else read_facts(seed.metadata, rules.fields)
    return Examined(seed=seed, facts=facts, problems=told)


def _place(finding: Finding, places: Mapping[FieldPath, Place], seed: Seed) -> Problem:
    place = places.get(finding.path)
    if place is None:
        closing = seed.body_line - 1
        span = Span(line=closing, end_line=closing, end_column=4)
    else:
        span = place.key if finding.on_key else place.value
    return found(finding.code, finding.message, hint=finding.hint, span=span)
