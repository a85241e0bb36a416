"""Find the missing document that a new file continues: renamed and edited, as git detects renames.

Two bodies are compared by the lines that they share in the same order. Blank lines do not count,
because half of any Markdown is blank. Called by `worker.ingest.decisions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: How similar a body must be if the title, the address (`url`) or the file name is equal, which also
#: points to the same document. This is git's limit for a rename.
LEAST_NAMED = 0.5
#: How similar it must be if none of them is equal, or if the body is short. The pages of a library
#: resemble each other: among 1,432 real pages, 5,971 pairs of different pages pass the limit above.
LEAST_ALONE = 0.8
SHORT_LINES = 10


@dataclass(frozen=True, kw_only=True)
class Content:
    """A document's metadata and body at a path, prepared for many comparisons."""

    path: str
    metadata: Mapping[str, Any]
    body: str

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines that are not blank, without the white space around them."""
        return [line for raw in self.body.split("\n") if (line := raw.strip())]

    @cached_property
    def packed(self) -> bytes:
        """Return the lines as one buffer, cached because a diff needs it until its result is read."""
        return "".join(f"{line}\n" for line in self.lines).encode()

    @cached_property
    def counts(self) -> Counter[str]:
        """Return how often each line occurs."""
        return Counter(self.lines)

    @property
    def name(self) -> str:
        """Return the file name without its folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A new file continues the document at `source`; `similarity` is between 0.5 and 1."""

    source: str
    similarity: float


def similarity(old: Content, new: Content, *, least: float = 0.0) -> float:
    """Return the share of lines that two bodies have in common, from 0 to 1; 0 if it is below `least`.

    Two empty bodies have nothing in common.
    """
    total = len(old.lines) + len(new.lines)
    if not total:
        return 0.0
    # An upper bound that is quick to count: the lines that both share in any order.
    if 2 * sum((old.counts & new.counts).values()) < least * total:
        return 0.0
    if old.packed == new.packed:
        return 1.0
    from pygit2 import Patch  # noqa: PLC0415 - takes 30 ms, and only a possible move needs it

    _context, added, removed = Patch.create_from(old.packed, new.packed).line_stats
    share = 1 - (added + removed) / total
    return share if share >= least else 0.0


def find_moves(
    newcomers: Mapping[str, Sequence[str]],
    contents: Mapping[str, Content],
    *,
    identity_fields: Sequence[str],
) -> dict[str, Match]:
    """Return the document that each new path continues, where one is similar enough.

    `newcomers` maps each new path to its candidates, the likeliest first; `contents` has all of them
    by path. The most similar pair is matched first, and each document is used once. Metadata decides
    between equally similar pairs; `identity_fields` are the fields that identify a document.
    """
    scored = []
    for path, candidates in newcomers.items():
        new = contents[path]
        for place, candidate in enumerate(candidates):
            old = contents[candidate]
            named = _named_alike(old, new, identity_fields)
            short = min(len(old.lines), len(new.lines)) < SHORT_LINES
            least = LEAST_NAMED if named and not short else LEAST_ALONE
            if share := similarity(old, new, least=least):
                alike = _metadata_alike(old.metadata, new.metadata)
                scored.append((-share, -named, -alike, place, path, candidate))
    matches: dict[str, Match] = {}
    used: set[str] = set()
    for share, _named, _alike, _place, path, candidate in sorted(scored):
        if path not in matches and candidate not in used:
            matches[path] = Match(source=candidate, similarity=-share)
            used.add(candidate)
    return matches


def _named_alike(old: Content, new: Content, identity_fields: Sequence[str]) -> int:
    """Return how many identity fields are equal, plus one for an equal file name."""
    named = [name for name in identity_fields if old.metadata.get(name) is not None]
    equal = [name for name in named if old.metadata[name] == new.metadata.get(name)]
    return len(equal) + (old.name == new.name)


def _metadata_alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    names = old.keys() | new.keys()
    equal = sum(name in old and name in new and old[name] == new[name] for name in names)
    return equal / len(names) if names else 0.0
