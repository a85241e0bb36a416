"""Rules that compare a document with its previous version.

They run inside the transaction that would store the next version, because only there is the previous
version certain. They are pure functions. Called by `worker.ingest.decisions`, and by `validate`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from worker.domain.changes.words import same_words
from worker.domain.seeds import codes
from worker.domain.seeds.codes import found
from worker.domain.seeds.facts import ACTIVE, parse_date
from worker.domain.seeds.places import locate
from worker.domain.seeds.problem import Problem, Severity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.domain.rules.vocabulary import Rules
    from worker.domain.seeds.seed import Seed

#: A shorter body, a few sentences long, may shrink by any amount.
LEAST_CHARACTERS: Final = 500
_LABEL: Final = re.compile(r"\D*([0-9]{1,9}(?:\.[0-9]{1,9})*)")


def check_against(
    previous_metadata: Mapping[str, Any], previous_body: str, seed: Seed, rules: Rules
) -> tuple[Problem, ...]:
    """Return the problems of a valid seed as the next version of a document.

    An error refuses the seed, like an error of any other rule.
    """
    problems = [
        *_check_review(previous_metadata, seed, rules),
        *_check_label(previous_metadata, previous_body, seed, rules),
        *_check_length(previous_metadata, previous_body, seed, rules),
    ]
    return tuple(problems)


def _check_review(before: Mapping[str, Any], seed: Seed, rules: Rules) -> Iterator[Problem]:
    name = rules.fields.last_reviewed
    then, now = parse_date(before.get(name)), parse_date(seed.metadata.get(name))
    if then is not None and now is not None and now < then:
        problem = found(
            codes.EARLIER_REVIEW,
            f"{now} is before {then}, the review date of the previous version",
            hint="check that this is not an older copy of the file",
            span=_place(seed, name),
        )
        yield from rules.weigh([problem])


def _check_label(
    before: Mapping[str, Any], previous_body: str, seed: Seed, rules: Rules
) -> Iterator[Problem]:
    name = rules.fields.version
    old, new = before.get(name), seed.metadata.get(name)
    then, now = _number(old), _number(new)
    problem = None
    if then is not None and now is not None and now < then:
        problem = found(
            codes.EARLIER_LABEL,
            f"`{name}` goes back from {old} to {new}",
            hint="check that this is not an older copy of the file",
            span=_place(seed, name),
        )
    elif old is not None and old == new and not same_words(previous_body, seed.body):
        problem = found(
            codes.SAME_LABEL,
            f"the body changed, but `{name}` is still {new}",
            hint="give the new body a new label, or set `same-label` to off in `[rules]`",
            span=_place(seed, name),
        )
    if problem is not None:
        yield from rules.weigh([problem])


def _check_length(
    before: Mapping[str, Any], previous_body: str, seed: Seed, rules: Rules
) -> Iterator[Problem]:
    """Refuse a body that lost more than half of its characters, unless the cut is intended.

    A new label means that it is. So does a status other than active: nothing may delay a retraction.
    """
    then, now = len(previous_body.strip()), len(seed.body.strip())
    if then < LEAST_CHARACTERS or 2 * now >= then:
        return
    fields = rules.fields
    label = before.get(fields.version)
    confirm = f"change `{fields.version}: {label}`; " if label is not None else ""
    problem = found(
        codes.BODY_SHRANK,
        f"the body shrank from {then:,} to {now:,} characters",
        hint=(
            f"if this is intended, {confirm}a team that often shortens"
            " pages sets `body-shrank` to warning in `[rules]`"
        ),
        span=_beginning(seed),
    )
    intended = (
        label != seed.metadata.get(fields.version) or fields.status_of(seed.metadata) != ACTIVE
    )
    for weighed in rules.weigh([problem]):
        softened = intended and weighed.severity is Severity.ERROR
        yield replace(weighed, severity=Severity.WARNING) if softened else weighed


def _number(label: Any) -> tuple[int, ...] | None:
    match = _LABEL.fullmatch(label.strip()) if isinstance(label, str) else None
    if match is None:
        return None
    parts = [int(part) for part in match[1].split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()  # v2.0 is v2
    return tuple(parts)


def _place(seed: Seed, field: str) -> Span:
    place = locate(seed.front_matter, {(field,)}).get((field,))
    closing = seed.body_line - 1
    return place.value if place else Span(line=closing, end_line=closing, end_column=4)


def _beginning(seed: Seed) -> Span:
    """Return the span of the first line of the body that is not blank."""
    start = len(seed.body) - len(seed.body.lstrip())
    if start == len(seed.body):
        return Span(line=seed.body_line - 1, end_line=seed.body_line - 1, end_column=4)
    line = seed.body_line + seed.body.count("\n", 0, start)
    begin, end = seed.body.rfind("\n", 0, start) + 1, seed.body.find("\n", start)
    return Span(
        line=line, end_line=line, end_column=(end if end >= 0 else len(seed.body)) - begin + 1
    )
