"""Rules that compare the files of a library with each other.

They are pure functions of what `validate` has already read. The caller chooses the files. Called by
`worker.cli.check` for more than one file.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.domain.seeds import codes
from worker.domain.seeds.codes import found
from worker.domain.seeds.facts import parse_date
from worker.domain.seeds.places import locate
from worker.domain.seeds.problem import FIRST_LINE, Problem, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.domain.rules.vocabulary import Rules

#: A review date is suspicious in more files than this, if they are also more than half of all files.
MANY_FILES: Final = 50
#: The most paths that one message names.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryEntry:
    """A valid file of the library: its path as shown to people, and its content.

    `front_matter` and `body_line` are as in `Seed`; without them, findings are at line 1.
    """

    path: str
    metadata: dict[str, Any]
    body_sha256: str
    front_matter: str = ""
    body_line: int = 1


def check_library(
    entries: Sequence[LibraryEntry], rules: Rules
) -> Mapping[str, tuple[Problem, ...]]:
    """Return the findings by path, only for files with findings."""
    by_path: dict[str, list[Problem]] = defaultdict(list)
    for check in (_same_urls, _same_bodies, _same_dates):
        for entry, problem in check(entries, rules):
            by_path[entry.path].append(problem)
    weighed = {path: rules.weigh(problems) for path, problems in by_path.items()}
    return {path: problems for path, problems in weighed.items() if problems}


def _same_urls(
    entries: Sequence[LibraryEntry], rules: Rules
) -> Iterator[tuple[LibraryEntry, Problem]]:
    groups: dict[str, list[LibraryEntry]] = defaultdict(list)
    for entry in entries:
        url = entry.metadata.get(rules.fields.url)
        if isinstance(url, str) and url:
            groups[url.strip()].append(entry)
    for group in groups.values():
        for entry in group if len(group) > 1 else ():
            yield (
                entry,
                found(
                    codes.SAME_URL,
                    f"the `{rules.fields.url}` is the same as in {_others(group, entry)}",
                    hint="keep one of these files, or give each page its own address",
                    span=_place(entry, rules.fields.url),
                ),
            )


def _same_bodies(
    entries: Sequence[LibraryEntry], _rules: Rules
) -> Iterator[tuple[LibraryEntry, Problem]]:
    groups: dict[str, list[LibraryEntry]] = defaultdict(list)
    for entry in entries:
        groups[entry.body_sha256].append(entry)
    for group in groups.values():
        for entry in group if len(group) > 1 else ():
            span = Span(line=entry.body_line, end_line=entry.body_line, end_column=1)
            yield (
                entry,
                found(
                    codes.SAME_BODY,
                    f"the body is the same as in {_others(group, entry)}",
                    hint="keep one of these files",
                    span=span,
                ),
            )


def _same_dates(
    entries: Sequence[LibraryEntry], rules: Rules
) -> Iterator[tuple[LibraryEntry, Problem]]:
    """Report a date once, at the first file: the same line for a thousand files helps nobody."""
    name = rules.fields.last_reviewed
    groups: dict[str, list[LibraryEntry]] = defaultdict(list)
    for entry in entries:
        reviewed = parse_date(entry.metadata.get(name))
        if reviewed is not None:
            groups[reviewed.isoformat()].append(entry)
    for date, group in groups.items():
        if len(group) > MANY_FILES and 2 * len(group) > len(entries):
            message = f"{len(group):,} of {len(entries):,} files have the review date {date}"
            hint = "write the day on which each page was reviewed; nobody reads so many in a day"
            place = _place(group[0], name)
            yield group[0], found(codes.SAME_REVIEW_DATE, message, hint=hint, span=place)


def _others(group: Sequence[LibraryEntry], entry: LibraryEntry) -> str:
    others = [other.path for other in group if other is not entry]
    more = len(others) - _NAMED
    return ", ".join(others[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _place(entry: LibraryEntry, field: str) -> Span:
    place = locate(entry.front_matter, {(field,)}).get((field,)) if entry.front_matter else None
    return place.value if place else FIRST_LINE
