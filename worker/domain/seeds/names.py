"""What the path of a file says about it, before anybody reads it. Pure functions over the path.

Called by the watch, which ignores what cannot be a page.
"""

from __future__ import annotations

import os
from typing import Final

#: An index row of PostgreSQL holds at most 2,704 bytes, and the key of a notice holds more than the path.
MOST_PATH_BYTES: Final = 1024
_MOST_BYTES_IN_CHARACTER: Final = 4


def is_too_long(path: str) -> bool:
    """Return whether a path has more bytes than the store can index."""
    if len(path) * _MOST_BYTES_IN_CHARACTER <= MOST_PATH_BYTES:
        return False
    return len(path if path.isascii() else os.fsencode(path)) > MOST_PATH_BYTES
