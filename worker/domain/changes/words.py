"""Whether two texts differ in more than white space. Called by the comparisons and the rules."""

from __future__ import annotations

from worker.domain.changes.overlap import common_start

#: Words of either text that are compared: about 20 ms.
MOST_WORDS = 300_000
_FIRST = 4_000


def same_words(old: str, new: str, begin: int = 0, ends: tuple[int, int] | None = None) -> bool:
    """Return whether nothing but white space differs.

    Both are alike before `begin`, and behind their `ends`, which are line ends or those of the texts.
    Behind `MOST_WORDS` words without a difference white space counts, too: the texts then differ.
    """
    if old == new:
        return True
    old_end, new_end = ends or (len(old), len(new))
    begin += common_start(old, new, begin, begin)
    begin = min(begin, old_end, new_end)
    begin = max(old.rfind(" ", 0, begin), old.rfind("\n", 0, begin), 0)
    # As a rule the first words tell; the last of them may be cut.
    some, others = (
        side[begin : min(begin + _FIRST, end)].split()[:-1]
        for side, end in ((old, old_end), (new, new_end))
    )
    if any(one != other for one, other in zip(some, others, strict=False)):
        return False
    return old[begin:old_end].split(maxsplit=MOST_WORDS) == new[begin:new_end].split(
        maxsplit=MOST_WORDS
    )
