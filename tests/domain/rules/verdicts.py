"""The verdicts of this edition of the rules over inputs of every kind.

`python tests/domain/rules/verdicts.py` writes them to verdicts.json after RULES_EDITION was raised. The
schema is one of its own, because a schema is a part of the judge by itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from worker.domain.rules.context import check_against
from worker.domain.rules.judge import RULES_EDITION
from worker.domain.rules.rules import compile_rules, examine
from worker.domain.seeds import codes
from worker.domain.seeds.problem import Problem, Severity, refuses
from worker.domain.seeds.seed import Fields, Seed, parse_seed

RECORD = Path(__file__).parent / "verdicts.json"
TODAY = date(2026, 11, 24)
MOST_BYTES = 100_000
SCHEMA = {
    "properties": {
        "title": {"type": "string"},
        "version": {"type": "string", "pattern": "^v[0-9]+$"},
        "status": {"enum": ["active", "inactive", "deprecated"]},
        "source": {"type": "string"},
        "lastReviewed": {"type": "string"},
        "reviewFrequency": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "owner": {"type": "string"},
        "url": {"type": "string"},
    },
    "required": ["title", "version", "status"],
}
FRONT = """\
title: When you feel sick
version: v1
status: active
source: SCCF
lastReviewed: "2026-10-01"
reviewFrequency: quarterly
owner: Asha
"""
BODY = "# When you feel sick\n\nTell your team when it began.\n"
LONG = BODY + "Drink water in small sips, and call us if it lasts. " * 20

#: Replacements in the front matter, one a verdict.
REPLACEMENTS = {
    "deprecated": ("status: active", "status: deprecated"),
    "status-unknown": ("status: active", "status: actve"),
    "status-case": ("status: active", "status: Active"),
    "status-missing": ("status: active\n", ""),
    "status-empty": ("status: active", "status:"),
    "title-missing": ("title: When you feel sick\n", ""),
    "title-list": ("title: When you feel sick", "title: [When, you]"),
    "title-other": ("title: When you feel sick", "title: Constipation"),
    "title-reordered": ("When you feel sick", "When \u202eyou\u202c feel sick"),
    "label-form": ("version: v1", "version: first"),
    "reviewed-today": ("2026-10-01", "2026-11-24"),
    "reviewed-tomorrow": ("2026-10-01", "2026-11-25"),
    "reviewed-never": ('lastReviewed: "2026-10-01"\n', ""),
    "reviewed-no-day": ("2026-10-01", "2026-02-30"),
    "reviewed-soon": ("2026-10-01", "soon"),
    "reviewed-unquoted": ('"2026-10-01"', "2026-10-01"),
    "frequency-typo": ("quarterly", "quaterly"),
    "frequency-missing": ("reviewFrequency: quarterly\n", ""),
    "frequency-months": ("quarterly", "6 months"),
    "frequency-duration": ("quarterly", "P6M"),
    "frequency-as-needed": ("quarterly", "as_needed"),
    "frequency-none": ("quarterly", "0 days"),
    "owner-missing": ("owner: Asha\n", ""),
    "field-unknown": ("source: SCCF", "last_reviewed: x"),
    "field-twice": ("status: active", "status: deprecated\nstatus: active"),
    "field-list-name": ("source: SCCF", "[a]: b"),
    "source-no": ("source: SCCF", "source: no"),
    "source-time": ("source: SCCF", "source: 12:30"),
    "source-octal": ("source: SCCF", "source: 010"),
    "source-control": ("source: SCCF", 'source: "\\e[2J"'),
    "tags-text": ("source: SCCF", "tags: nausea"),
    "tags-twice": ("source: SCCF", "tags: [a, a]"),
    "anchor": ("source: SCCF", "source: &a SCCF"),
    "alias": ("source: SCCF", "source: *a"),
    "merge": ("source: SCCF", "<<: {a: b}"),
    "tag": ("source: SCCF", "source: !!str SCCF"),
    "deep": ("source: SCCF", f"source: {'[' * 30}{']' * 30}"),
    "syntax": ("source: SCCF", 'source: "SCCF'),
    "large": ("source: SCCF", f"source: {'x' * 70_000}"),
}

BODIES = {
    "empty": "",
    "blank": "\n \n",
    "script": BODY + "<script>steal()</script>\n",
    "handler": BODY + '<img src="a.png" onerror="steal()">\n',
    "script-link": BODY + "[a](javascript:steal())\n",
    "stub": "You need to enable JavaScript to run this app.\n",
    "not-found": "404 Not Found\n",
    "garbled": "\ufffd" * 9 + BODY,
    "lost": LONG + "50 \ufffdg a day\n",
    "control": BODY + "Take it\x0c with food.\n",
    "reordered": BODY + "Take \u202e05\u202c mg.\n",
    "joiner": BODY + "मि\u200dग्रा\n",
    "heading": "# Constipation\n\nTell your team.\n",
    "relative-link": BODY + "[a](/about)\n",
    "document-link": BODY + "[a](other.md)\n",
    "absolute-link": BODY + "[a](https://example.org/a)\n",
    "anchor-link": BODY + "[a](#when)\n",
}

FILES = {
    "nothing": b"",
    "utf-16": "---\n".encode("utf-16"),
    "nul": b"---\ntitle: \0\n---\n",
    "plain": b"Tell your team.\n",
    "unclosed": b"---\ntitle: a\n",
    "list": b"---\n- a\n---\n",
    "scalar": b"---\na\n---\n",
    "bom": b"\xef\xbb\xbf" + f"---\n{FRONT}---\n{BODY}".encode(),
    "crlf": f"---\n{FRONT}---\n{BODY}".replace("\n", "\r\n").encode(),
    "too-large": b"x" * (MOST_BYTES + 1),
}

PATHS = {
    "plain-path": "nausea.md",
    "copy": "nausea - Copy.md",
    "numbered": "nausea (1).md",
    "sync-conflict": "nausea.sync-conflict-20261129-101500-ABCDEFG.md",
    "conflicted": "nausea (Asha's conflicted copy).md",
}

#: The front matter and the body of a version, and of the one before it.
SUCCESSIONS = {
    "same": (FRONT, LONG, FRONT, LONG),
    "reviewed-earlier": (FRONT.replace("2026-10", "2026-09"), LONG, FRONT, LONG),
    "label-back": (FRONT, LONG, FRONT.replace("v1", "v2"), LONG),
    "label-same": (FRONT, LONG + "More.\n", FRONT, LONG),
    "white-space": (FRONT, LONG + "\n\n", FRONT, LONG),
    "shrank": (FRONT, BODY, FRONT, LONG),
    "shrank-labelled": (FRONT.replace("v1", "v2"), BODY, FRONT, LONG),
    "shrank-retracted": (FRONT.replace(": active", ": inactive"), BODY, FRONT, LONG),
    "short-shrank": (FRONT, "# When\n", FRONT, BODY),
}


def verdicts() -> dict[str, list[str]]:
    """Return the verdict on each input: whether it is accepted, and the problems, by its name."""
    every = dict.fromkeys(codes.OFF_BY_DEFAULT, Severity.WARNING)
    rules = compile_rules(SCHEMA, Fields(), every)
    found = {}
    for name, data, path in inputs():
        one = examine(data, rules=rules, today=TODAY, max_bytes=MOST_BYTES, path=path)
        again = [f"again on {one.again_on}"] if one.again_on else []
        found[name] = [*_words(one.problems), *again]
    for name, (front, body, front_before, body_before) in SUCCESSIONS.items():
        now, before = _seed(front, body), _seed(front_before, body_before)
        problems = check_against(before.metadata, before.body, now, rules)
        found[f"after {name}"] = [*_words(problems)]
    return found


def _words(problems: tuple[Problem, ...]) -> Iterator[str]:
    yield "refused" if refuses(problems) else "accepted"
    yield from sorted(f"{one.code} {one.severity}" for one in problems)


def inputs() -> Iterator[tuple[str, bytes, str]]:
    """Yield the name, the bytes and the path of each file."""
    for name, (old, new) in REPLACEMENTS.items():
        assert old in FRONT, name
        yield f"field {name}", f"---\n{FRONT.replace(old, new, 1)}---\n{BODY}".encode(), "a.md"
    for name, body in BODIES.items():
        yield f"body {name}", f"---\n{FRONT}---\n{body}".encode(), "a.md"
    for name, data in FILES.items():
        yield f"file {name}", data, "a.md"
    for name, path in PATHS.items():
        yield f"name {name}", f"---\n{FRONT}---\n{BODY}".encode(), path


def _seed(front: str, body: str) -> Seed:
    seed = parse_seed(f"---\n{front}---\n{body}".encode())
    assert isinstance(seed, Seed)
    return seed


def main() -> None:
    """Write the verdicts of a new edition; refuse to change those of the edition that is recorded."""
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if recorded.get("edition") == RULES_EDITION and recorded["verdicts"] != verdicts():
        sys.exit("the verdicts changed: raise RULES_EDITION in worker/domain/rules/judge.py first")
    record = {"edition": RULES_EDITION, "verdicts": verdicts()}
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
