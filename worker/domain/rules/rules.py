"""Validate a file: parse it and apply the rules that need only the file.

The vocabulary is a JSON Schema (`worker.domain.rules.vocabulary`), so a team changes that file, not the
code. `worker.domain.rules.metadata` adds what a schema cannot express: real dates, dates in the future,
and frequencies that the clock understands. `worker.domain.rules.content` checks the body. The rules that
need the previous version or the other files are in `worker.domain.rules.context` and
`worker.domain.rules.library_rules`. Called by ingest and by the command `validate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.domain.rules.content import check_body
from worker.domain.rules.fix import unquoted_dates
from worker.domain.rules.metadata import check_metadata
from worker.domain.rules.name import check_name
from worker.domain.rules.vocabulary import Rules, compile_rules
from worker.domain.seeds import codes
from worker.domain.seeds.codes import CODES, found
from worker.domain.seeds.facts import Facts, parse_date, read_facts
from worker.domain.seeds.places import LINE_END, locate
from worker.domain.seeds.problem import Problem, Span, refuses
from worker.domain.seeds.seed import Seed, parse_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from worker.domain.rules.finding import Finding

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

#: The codes of files whose bytes could not be read.
TOO_LARGE: Final = codes.TOO_LARGE
NO_PERMISSION: Final = codes.NO_PERMISSION
UNREADABLE: Final = codes.UNREADABLE

#: The first character of a value that every YAML reader reads as the same text.
_QUOTES: Final = frozenset("'\"|>")

_UNREADABLE: Final = {
    TOO_LARGE: ("the file is too large", "split the document, or raise `intake.max_file_bytes`"),
    NO_PERMISSION: (
        "the service has no permission to read the file",
        "give the service's user permission to read it",
    ),
    UNREADABLE: (
        "the file could not be read",
        "check the disk or the share; the service tries again",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The result of examining a file; `facts` is None if a problem refuses it.

    `again_on` is the day from which the same bytes may get another result, or None.
    """

    seed: Seed | None
    facts: Facts | None
    problems: tuple[Problem, ...]
    again_on: date | None = None


def unreadable_problem(code: str, detail: str) -> Problem:
    """Return the problem of a file whose bytes could not be read; `code` is one of the three above."""
    message, hint = _UNREADABLE[code]
    return found(code, f"{message}: {detail}" if detail else message, hint=hint)


def examine(data: bytes, *, rules: Rules, today: date, max_bytes: int, path: str = "") -> Examined:
    """Parse and validate a file's bytes; `today` is a date in the team's zone. Nothing raises.

    `path` is the file's path in the seeds folder; without it, the name is not checked.
    """
    if len(data) > max_bytes:
        detail = f"{len(data):,} bytes, and the limit is {max_bytes:,}"
        return Examined(seed=None, facts=None, problems=(unreadable_problem(TOO_LARGE, detail),))
    named = check_name(path, rules)
    seed = parse_seed(data)
    if isinstance(seed, tuple):
        return Examined(seed=None, facts=None, problems=(*named, *seed))

    findings = [
        finding
        for finding in check_metadata(seed.metadata, rules, today)
        if finding.code not in rules.off
    ]
    problems = [*named, *check_body(seed, data, rules)]
    if codes.UNQUOTED_DATE not in rules.off:
        problems.extend(unquoted_dates(seed))
    if not findings and not problems:
        return Examined(seed=seed, facts=read_facts(seed.metadata, rules.fields), problems=())

    if findings:
        problems.extend(_place(findings, seed))
    problems.sort(key=lambda problem: (problem.span.line, problem.span.column, problem.code))
    weighed = rules.weigh(problems)
    facts = None if refuses(weighed) else read_facts(seed.metadata, rules.fields)
    again_on = None
    if any(problem.code == codes.DATE_IN_FUTURE for problem in weighed):
        again_on = parse_date(seed.metadata.get(rules.fields.last_reviewed))
    return Examined(seed=seed, facts=facts, problems=weighed, again_on=again_on)


def _place(findings: Sequence[Finding], seed: Seed) -> Iterator[Problem]:
    """Yield the findings as problems with places; the place of a missing field is the closing fence."""
    places = locate(seed.front_matter, {finding.path for finding in findings})
    closing = seed.body_line - 1
    lines: list[str] = []
    for finding in findings:
        place = places.get(finding.path)
        span = Span(line=closing, end_line=closing, end_column=4)
        if place is not None:
            span = place.key if finding.on_key else place.value
            if finding.only_plain:
                lines = lines or LINE_END.split(seed.front_matter)
                # The fence is line 1 of the file.
                if lines[span.line - 2][span.column - 1] in _QUOTES:
                    continue
        yield found(
            finding.code, finding.message, hint=finding.hint, span=span, fixable=finding.fixable
        )
