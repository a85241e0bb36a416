"""Routes: who is told of which document. Matching is by path, source type, tag and owner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pathspec import GitIgnoreSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a notice is about, as far as routes care; a refused file may be known by its path alone."""

    path: str
    source_type: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who is told, over which channel, of what. An empty condition means: every document.

    Each condition that is not empty has to hold; `paths` are patterns as in `.gitignore`.
    """

    name: str
    channel: str
    to: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def takes(self, kind: str, subject: Subject) -> bool:
        """Return whether this route is told of a notice of `kind` about `subject`."""
        return (
            kind in self.kinds
            and (not self.paths or matches_path(subject.path, self.paths))
            and (not self.source_types or subject.source_type in self.source_types)
            and (not self.owners or subject.owner in self.owners)
            and (not self.tags or not set(self.tags).isdisjoint(subject.tags))
        )


def matches_path(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a path matches gitignore patterns; a later `!pattern` takes it out again."""
    return _spec(patterns).match_file(path)


@lru_cache(maxsize=256)
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(patterns)
