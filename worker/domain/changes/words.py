"""Check whether two bodies differ in more than white space. Called by the comparisons and the rules."""

from __future__ import annotations

from worker.domain.changes.overlap import common_start

#: The most words of each body that are compared: about 20 ms.
MOST_WORDS = 300_000
_FIRST = 4_000


def same_words(old: str, new: str, begin: int = 0, ends: tuple[int, int] | None = None) -> bool:
    """Return whether only white space differs.

    Both bodies are equal before `begin` and after their `ends`, which are line ends or the ends of the
    bodies. After `MOST_WORDS` words without a difference, white space counts too, and the bodies differ.
    """
    if old == new:
        return True
    old_end, new_end = ends or (len(old), len(new))
    begin += common_start(old, new, begin, begin)
    begin = min(begin, old_end, new_end)
    begin = max(old.rfind(" ", 0, begin), old.rfind("\n", 0, begin), 0)
    # Usually the first words differ; the last of them may be cut off.
    some, others = (
        side[begin : min(begin + _FIRST, end)].split()[:-1]
        for side, end in ((old, old_end), (new, new_end))
    )
    if any(one != other for one, other in zip(some, others, strict=False)):
        return False
    return old[begin:old_end].split(maxsplit=MOST_WORDS) == new[begin:new_end].split(
        maxsplit=MOST_WORDS
    )
