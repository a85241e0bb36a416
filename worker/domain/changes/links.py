"""Links that came, went, or lead elsewhere. Called by `worker.domain.changes.change`."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Link = tuple[str, str]  # what it says, where it leads


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """One link; `old` and `new` are its targets, None where it is absent."""

    text: str
    old: str | None
    new: str | None

    def as_json(self) -> dict[str, str | None]:
        """Return it as the store and the commands have it."""
        return {"text": self.text, "old": self.old, "new": self.new}


def compare_links(old: Iterable[Link], new: Iterable[Link]) -> tuple[LinkChange, ...]:
    """Return the links added, removed, and led elsewhere under the same words.

    A link that moved, or that says the same target in other words, is no change.
    """
    old, new = list(old), list(new)
    gone, came = _subtract(old, new), _subtract(new, old)
    led_elsewhere, gone, came = _pair(gone, came, lambda link: link[0])
    _reworded, gone, came = _pair(gone, came, lambda link: link[1])
    return (
        *(LinkChange(text=a[0], old=a[1], new=b[1]) for a, b in led_elsewhere),
        *(LinkChange(text=text, old=target, new=None) for text, target in gone),
        *(LinkChange(text=text, old=None, new=target) for text, target in came),
    )


def _pair(
    gone: list[Link], came: list[Link], key: Callable[[Link], str]
) -> tuple[list[tuple[Link, Link]], list[Link], list[Link]]:
    """Pair links of one key in their order; return the pairs, and what is left on each side."""
    waiting: dict[str, deque[Link]] = defaultdict(deque)
    for link in came:
        waiting[key(link)].append(link)
    pairs, alone = [], []
    for link in gone:
        if others := waiting.get(key(link)):
            pairs.append((link, others.popleft()))
        else:
            alone.append(link)
    return pairs, alone, _subtract(came, [link for _, link in pairs])


def _subtract(some: Iterable[Link], others: Iterable[Link]) -> list[Link]:
    left = Counter(others)
    kept = []
    for link in some:
        if left[link]:
            left[link] -= 1
        else:
            kept.append(link)
    return kept
