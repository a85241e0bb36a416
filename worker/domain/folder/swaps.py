"""Find the documents that swapped their paths: some paths have each other's bytes.

Called by the watcher for the files of one batch. In two batches a swap is two edits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


def find_swaps(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return for each path that is part of a swap the path that its bytes come from.

    `old` and `new` map the same paths to the hashes of their bytes, which differ. Bytes that two paths
    had say nothing about where they come from.
    """
    numbers = Counter(old.values())
    owners = {sha256: path for path, sha256 in old.items() if numbers[sha256] == 1}
    sources = {path: owners[sha256] for path, sha256 in new.items() if sha256 in owners}
    # What no other path's bytes come from is no part of a circle; nor is, without it, its own source.
    wanted = Counter(sources.values())
    loose = [path for path in sources if not wanted[path]]
    while loose:
        source = sources.pop(loose.pop())
        wanted[source] -= 1
        if not wanted[source] and source in sources:
            loose.append(source)
    return {path: source for path, source in sources.items() if source in sources}
