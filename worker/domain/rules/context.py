"""Rules that need the version before: whether a document continues what the store holds of it.

Asked inside the transaction that would store the next version, for only there the version before is
known for certain. Pure; called by `worker.ingest.batch`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from worker.domain.changes.words import same_words
from worker.domain.seeds import codes
from worker.domain.seeds.codes import found
from worker.domain.seeds.facts import parse_date
from worker.domain.seeds.places import locate
from worker.domain.seeds.problem import Problem, Severity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.domain.rules.vocabulary import Rules
    from worker.domain.seeds.seed import Seed

#: A text shorter than this may shrink as it likes: it is a few sentences.
LEAST_CHARACTERS: Final = 500
_LABEL: Final = re.compile(r"\D*([0-9]{1,9}(?:\.[0-9]{1,9})*)")


def check_against(
    previous_metadata: Mapping[str, Any], previous_body: str, seed: Seed, rules: Rules
) -> tuple[Problem, ...]:
    """Return what is wrong with a seed as the next version of a document.

    The seed itself is valid. An error refuses it, as any other error does.
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
            f"{now} is before {then}, the review of the version before",
            hint="a review once made stays made: is this an older copy of the file?",
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
            hint="is this an older copy of the file?",
            span=_place(seed, name),
        )
    elif old == new and not same_words(previous_body, seed.body):
        problem = found(
            codes.SAME_LABEL,
            f"the text changed, and `{name}` is {new} as before",
            hint="give the new text a new label, or set `same-label` to off in `[rules]`",
            span=_place(seed, name),
        )
    if problem is not None:
        yield from rules.weigh([problem])


def _check_length(
    before: Mapping[str, Any], previous_body: str, seed: Seed, rules: Rules
) -> Iterator[Problem]:
    """Refuse a text that lost more than half, unless its author shows that it is meant.

    A new label says so, and so does a document that is retracted: that must never be held up.
    """
    then, now = len(previous_body.strip()), len(seed.body.strip())
    if then < LEAST_CHARACTERS or 2 * now >= then:
        return
    fields = rules.fields
    label = before.get(fields.version)
    problem = found(
        codes.BODY_SHRANK,
        f"the text shrank from {then:,} to {now:,} characters",
        hint=(
            f"if it is meant, change `{fields.version}: {label}`; a team that cuts often sets"
            " `body-shrank` to warning in `[rules]`"
        ),
        span=_beginning(seed),
    )
    meant = (
        label != seed.metadata.get(fields.version) or seed.metadata.get(fields.status) != "active"
    )
    for weighed in rules.weigh([problem]):
        softened = meant and weighed.severity is Severity.ERROR
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
    """Return the span of the body's first line that is not blank."""
    start = len(seed.body) - len(seed.body.lstrip())
    if start == len(seed.body):
        return Span(line=seed.body_line - 1, end_line=seed.body_line - 1, end_column=4)
    line = seed.body_line + seed.body.count("\n", 0, start)
    begin, end = seed.body.rfind("\n", 0, start) + 1, seed.body.find("\n", start)
    return Span(
        line=line, end_line=line, end_column=(end if end >= 0 else len(seed.body)) - begin + 1
    )
