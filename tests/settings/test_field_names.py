"""A library with its own field names and vocabulary needs only configuration."""

from __future__ import annotations

import json
from pathlib import Path

from support.programs import run
from support.seeds import write

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name", "edition", "state"],
    "properties": {
        "name": {"type": "string", "pattern": "\\S"},
        "edition": {"type": "string", "pattern": "^[0-9]+$"},
        "state": {"type": "string", "enum": ["active", "withdrawn"]},
        "last_reviewed_on": {"type": "string"},
        "review_in": {"type": "string"},
        "answers": {"type": "string"},
    },
}

SETTINGS = """\
schema_file = "our.schema.json"

[fields]
title = "name"
version = "edition"
status = "state"
last_reviewed = "last_reviewed_on"
review_frequency = "review_in"
owner = "answers"

[review]
timezone = "Asia/Kolkata"
"""

DOCUMENT = """\
---
name: Managing nausea
edition: 3
state: active
last_reviewed_on: 2025-11-30
review_in: 6 months
answers: Asha
---

# Managing nausea

Tell your team when it began.
"""


def a_library(folder: Path, text: str) -> None:
    write(folder / "our.schema.json", json.dumps(SCHEMA))
    write(folder / "content-sync.toml", SETTINGS)
    write(folder / "seeds" / "nausea.md", text)


def our(*arguments: str, cwd: Path):
    return run("--config", "content-sync.toml", *arguments, cwd=cwd)


def test_a_library_with_renamed_fields_is_valid_and_its_reviews_fall_due(tmp_path):
    a_library(tmp_path, DOCUMENT)

    checked = our("validate", "--json", cwd=tmp_path)
    assert json.loads(checked.stdout) == {"files": 1, "errors": 0, "warnings": 0, "problems": []}

    synced = our("sync", "--json", cwd=tmp_path)
    assert (synced.returncode, json.loads(synced.stdout)["new"]) == (0, 1), synced.stderr
    [document] = json.loads(our("list", "--json", cwd=tmp_path).stdout)
    assert (document["title"], document["due_on"]) == ("Managing nausea", "2026-05-30")
    assert document["owner"] == "Asha"


def test_findings_use_the_words_and_names_of_the_library(tmp_path):
    wrong = DOCUMENT.replace("active", "withdrawm").replace("6 months", "6 monts")
    a_library(tmp_path, wrong.replace("last_reviewed_on", "last_reviewd_on"))

    checked = our("validate", "--json", cwd=tmp_path)

    assert checked.returncode == 1
    problems = {p["rule"]: (p["line"], p["hint"]) for p in json.loads(checked.stdout)["problems"]}
    assert problems["value-not-allowed"] == (4, 'did you mean "withdrawn"? (active, withdrawn)')
    assert problems["unknown-field"] == (5, 'did you mean "last_reviewed_on"?')
    assert problems["review-frequency"][0] == 6
    assert our("sync", "--json", cwd=tmp_path).returncode in {0, 1}
    assert json.loads(our("list", "--json", cwd=tmp_path).stdout) == []
