r"""Who answers for a document: the owner in its front matter, else a line of the reviewers file.

The reviewers file has the format of a CODEOWNERS file: each line has a pattern and its owners (`@name`,
`@org/team` or an e-mail address), and the last matching line wins. A line without owners takes them
away. The package `codeowners` reads such files too, but it silently drops a word that is not an owner,
and its patterns miss names with a space. pathspec, which the service already uses, is as fast and
handles both. Its `GitIgnoreSpec` would be wrong, because there a matching folder overrides a later
line. `worker.settings.reviewers_file` reads the file; `worker.domain.reviews.policy` and
`worker.reviews.ownership` call this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from worker.domain.reviews.route import Route, Subject, plain_name
from worker.domain.seeds.names import original_of

if TYPE_CHECKING:
    from pathspec import PathSpec
    from pathspec.pattern import Pattern

REVIEW = "review"

_PATTERN_AND_REST = re.compile(r"((?:\\.|[^\s\\])+)(\s.*)?")
_OWNER = re.compile(r"@[^\s@/,;]+(?:/[^\s@/,;]+)?|[^\s@,;<>]+@[^\s@,;<>]+")
_BETWEEN_NAMES = re.compile(r"[\s,;]+")


class OwnerSource(StrEnum):
    """Where the owners of a document are named."""

    FRONT_MATTER = "front matter"
    REVIEWERS = "reviewers"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who answers for a document, as written, and where they are named."""

    owners: tuple[str, ...]
    source: OwnerSource


NOBODY = Ownership(owners=(), source=OwnerSource.NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """The lines of a reviewers file; `names[n]` are the owners of the paths that pattern `n` matches."""

    patterns: PathSpec[Pattern] | None = None
    names: tuple[tuple[str, ...], ...] = ()

    def of(self, path: str, named: str | None) -> Ownership:
        """Return who answers for the document at a path; `named` is the owner in its front matter."""
        if named and (owners := _names(named)):
            return Ownership(owners=owners, source=OwnerSource.FRONT_MATTER)
        page = original_of(path)  # whoever answers for a page also answers for its copies
        last = self.patterns.check_file(page).index if self.patterns is not None else None
        if last is None or not self.names[last]:
            return NOBODY
        return Ownership(owners=self.names[last], source=OwnerSource.REVIEWERS)


def parse_owners(text: str) -> Owners:
    """Parse a reviewers file; raise a `ValueError` that names the first line with an error."""
    patterns, names, errors = [], [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            pattern, owners = _read_line(line.strip())
        except ValueError as error:
            errors.append(f"line {number}: {error}")
            continue
        patterns.append(pattern)
        names.append(owners)
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ValueError(f"{errors[0]}{more}")
    if not patterns:
        return Owners()
    from pathspec import PathSpec  # noqa: PLC0415 - for a team that has a reviewers file

    return Owners(patterns=PathSpec(patterns), names=tuple(names))


def answering_routes(subject: Subject, routes: Iterable[Route]) -> list[Route]:
    """Return the routes of a document's owners that take notices of its reviews."""
    return [
        route
        for route in routes
        if route.owners and not route.fallback and route.takes(REVIEW, subject)
    ]


def _read_line(line: str) -> tuple[Pattern, tuple[str, ...]]:
    if line.startswith("!"):
        raise ValueError(
            "`!` is not supported; to take owners away, add a later line without owners"
        )
    if line.startswith(("[", "^[")):
        raise ValueError("sections are not supported; begin with a pattern, such as /folder/")
    match = _PATTERN_AND_REST.fullmatch(line)
    if match is None:
        raise ValueError("the line ends with a backslash")
    written, rest = match.groups()
    from pathspec import lookup_pattern  # noqa: PLC0415

    pattern: Pattern = lookup_pattern("gitignore")(written)
    if pattern.include is None:
        raise ValueError(f"{written!r} is not a pattern")
    return pattern, _owners(rest or "")


def _owners(rest: str) -> tuple[str, ...]:
    owners: list[str] = []
    for word in rest.split():
        if word.startswith("#"):
            break
        if _OWNER.fullmatch(word) is None:
            raise ValueError(
                f"{word!r} is not an owner; write @name, @organisation/team or an e-mail address,"
                " separated by spaces"
            )
        owners.append(word)
    return _once(owners)


def _names(named: str) -> tuple[str, ...]:
    """Return the names in a field; it has several only if each has the form of an owner."""
    words = [word for word in _BETWEEN_NAMES.split(named) if word]
    if len(words) > 1 and all(_OWNER.fullmatch(word) for word in words):
        return _once(words)
    return (named.strip(),) if named.strip() else ()


def _once(names: Iterable[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(plain_name(name), name)
    return tuple(kept.values())
