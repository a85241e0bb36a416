"""By what a file is judged: everything besides its bytes and the day that its verdict depends on.

A verdict names its judge. The watcher sends a file again that another judge judged, so that a new schema or
setting holds for what is in the store, too. Called by `worker.library.services`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from worker.domain.reviews.policy import Policy
    from worker.domain.rules.vocabulary import Rules

#: The edition of the rules in this program. Raise it with every change of the code after which a file gets
#: another verdict: every file is then judged again. `tests/domain/rules/test_judge.py` fails without it.
RULES_EDITION: Final = 1

_ID_LETTERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The parts by which files are judged, as JSON, and an ID that changes with any of them."""

    id: str
    parts: Mapping[str, Any]


def make_judge(rules: Rules, policy: Policy, zone: str, *, edition: int = RULES_EDITION) -> Judge:
    """Return the judge of these rules and settings; `zone` is the name of the zone that says the day."""
    parts = {
        "edition": edition,
        "schema": dict(rules.schema),
        "rules": {str(code): str(severity) for code, severity in rules.severities.items()}
        | dict.fromkeys(rules.off, "off"),
        "fields": asdict(rules.fields),
        "default_cadences": [asdict(default) for default in policy.default_frequencies],
        "max_file_bytes": policy.max_file_bytes,
        "timezone": zone,
    }
    written = json.dumps(parts, sort_keys=True)
    return Judge(id=sha256(written.encode()).hexdigest()[:_ID_LETTERS], parts=json.loads(written))


def what_differs(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words the parts in which two judges differ."""
    for name, words in _WORDS.items():
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping) and name != "schema":
            keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
            yield f"{words} {', '.join(keys)}"
        else:
            yield words


_WORDS: Final = {
    "edition": "the rules of this version of the program",
    "schema": "the schema",
    "rules": "the severity of",
    "fields": "the fields",
    "default_cadences": "the default cadences",
    "max_file_bytes": "the size limit",
    "timezone": "the time zone",
}
