"""Which of the documents that are gone a new file continues: renamed and edited, as git finds it.

Bodies are compared by the lines that both have, in order; blank lines do not count, since half of
any Markdown is blank. Nothing is read here and nothing stored. Called by `worker.ingest.batch`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: How similar a body must be where something else says that it is the same document: the title, the
#: address (`url`) or the file's name is equal. git's own bar for a rename.
LEAST_NAMED = 0.5
#: ... and how similar where nothing else does, or where the body is too short to tell. Pages of one
#: library are written alike: of 1,432 real pages 5,971 pairs of different ones pass the bar above.
LEAST_ALONE = 0.8
SHORT_LINES = 10


@dataclass(frozen=True, kw_only=True)
class Text:
    """A document's content at a path, prepared to be compared with many."""

    path: str
    metadata: Mapping[str, Any]
    body: str

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines that count, without the white space around them."""
        return [line for raw in self.body.split("\n") if (line := raw.strip())]

    @cached_property
    def packed(self) -> bytes:
        """Return the lines as one buffer; it lives as long as this does, as a diff of it needs."""
        return "".join(f"{line}\n" for line in self.lines).encode()

    @cached_property
    def counts(self) -> Counter[str]:
        """Return how often each line occurs."""
        return Counter(self.lines)

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A new file continues the document at `source`; `similarity` is between 0.5 and 1."""

    source: str
    similarity: float


def similarity(old: Text, new: Text, *, least: float = 0.0) -> float:
    """Return the share of lines that two bodies have in common, 0 to 1; 0 below `least`.

    Two empty bodies have nothing in common.
    """
    total = len(old.lines) + len(new.lines)
    if not total:
        return 0.0
    # What the lines could share in any order is quickly counted, and is never less.
    if 2 * sum((old.counts & new.counts).values()) < least * total:
        return 0.0
    if old.packed == new.packed:
        return 1.0
    from pygit2 import Patch  # noqa: PLC0415 - 30 ms that only a new file beside one that is gone needs

    _context, added, removed = Patch.create_from(old.packed, new.packed).line_stats
    share = 1 - (added + removed) / total
    return share if share >= least else 0.0


def find_moves(
    newcomers: Mapping[str, Sequence[str]],
    texts: Mapping[str, Text],
    *,
    identity_fields: Sequence[str],
) -> dict[str, Match]:
    """Return for each new path the document that it continues, where one is similar enough.

    `newcomers` has each new path's candidates, the likeliest first; `texts` all of them by path.
    The most similar pair is matched first, and each document is used once. What the metadata say
    decides between equals; `identity_fields` are those that tell one document from another.
    """
    scored = []
    for path, candidates in newcomers.items():
        new = texts[path]
        for place, candidate in enumerate(candidates):
            old = texts[candidate]
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


def _named_alike(old: Text, new: Text, identity_fields: Sequence[str]) -> int:
    """Return how many things say that both are one document."""
    named = [name for name in identity_fields if old.metadata.get(name) is not None]
    equal = [name for name in named if old.metadata[name] == new.metadata.get(name)]
    return len(equal) + (old.name == new.name)


def _metadata_alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    names = old.keys() | new.keys()
    equal = sum(name in old and name in new and old[name] == new[name] for name in names)
    return equal / len(names) if names else 0.0
