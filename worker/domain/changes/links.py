"""Find links that were added, removed, or point to another target.

Called by `worker.domain.changes.change`.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Link = tuple[str, str]  # text, target


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """One link; `old` and `new` are its targets, None where it is absent."""

    text: str
    old: str | None
    new: str | None

    def as_json(self) -> dict[str, str | None]:
        """Return the change in the form of the store and the commands."""
        return {"text": self.text, "old": self.old, "new": self.new}


def compare_links(old: Iterable[Link], new: Iterable[Link]) -> tuple[LinkChange, ...]:
    """Return the links that were added, removed, or point to another target with the same text.

    A link that moved, or that has another text for the same target, is not a change.
    """
    old, new = list(old), list(new)
    removed, added = _subtract(old, new), _subtract(new, old)
    retargeted, removed, added = _pair(removed, added, lambda link: link[0])
    _reworded, removed, added = _pair(removed, added, lambda link: link[1])
    return (
        *(LinkChange(text=a[0], old=a[1], new=b[1]) for a, b in retargeted),
        *(LinkChange(text=text, old=target, new=None) for text, target in removed),
        *(LinkChange(text=text, old=None, new=target) for text, target in added),
    )


def _pair(
    removed: list[Link], added: list[Link], key: Callable[[Link], str]
) -> tuple[list[tuple[Link, Link]], list[Link], list[Link]]:
    """Pair links with the same key in order; return the pairs and the rest of each side."""
    waiting: dict[str, deque[Link]] = defaultdict(deque)
    for link in added:
        waiting[key(link)].append(link)
    pairs, alone = [], []
    for link in removed:
        if others := waiting.get(key(link)):
            pairs.append((link, others.popleft()))
        else:
            alone.append(link)
    return pairs, alone, _subtract(added, [link for _, link in pairs])


def _subtract(some: Iterable[Link], others: Iterable[Link]) -> list[Link]:
    left = Counter(others)
    kept = []
    for link in some:
        if left[link]:
            left[link] -= 1
        else:
            kept.append(link)
    return kept
