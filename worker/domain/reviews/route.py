"""Routes: who gets notices of which documents, matched by path, source type, tag and owner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from worker.domain.reviews.hours import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a notice is about, as routes match it; a refused file may have only a path."""

    path: str
    source_type: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who gets notices, over which channel, and about what. An empty condition matches every document.

    All conditions must match. `paths` are patterns as in `.gitignore`, `owners` the names of one
    person. A `fallback` gets only notices of documents that nobody else answers for. `backup` and
    `lead` are the routes that also get notices of a review that stays overdue.
    """

    name: str
    channel: str
    to: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    fallback: bool = False
    backup: str | None = None
    lead: str | None = None
    hours: Hours | None = None

    def takes(self, kind: str, subject: Subject) -> bool:
        """Return whether this route gets a notice of `kind` about `subject`."""
        return (
            kind in self.kinds
            and (not self.paths or matches_path(subject.path, self.paths))
            and (not self.source_types or subject.source_type in self.source_types)
            and (not self.owners or self.answers_for(subject))
            and (not self.tags or not set(self.tags).isdisjoint(subject.tags))
        )

    def answers_for(self, subject: Subject) -> bool:
        """Return whether this is a route of an owner of the document."""
        mine = {plain_name(name) for name in self.owners}
        return any(plain_name(name) in mine for name in subject.owners)


def routes_for(kind: str, subject: Subject, routes: Iterable[Route]) -> list[Route]:
    """Return the routes that get a notice; fallbacks only if nobody answers for the document."""
    taking = [route for route in routes if route.takes(kind, subject)]
    if any(route.owners and not route.fallback for route in taking):
        return [route for route in taking if not route.fallback]
    return taking


def plain_name(name: str) -> str:
    """Return a person's name in the form to compare: lower case, no outer space, no leading `@`."""
    return name.strip().removeprefix("@").casefold()


def matches_path(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a path matches gitignore patterns; a later `!pattern` excludes it again."""
    return _spec(patterns).match_file(path)


@lru_cache(maxsize=256)
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - only a team with patterns needs it

    return GitIgnoreSpec.from_lines(patterns)
