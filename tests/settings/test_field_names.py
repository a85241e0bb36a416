"""A library with its own field names and vocabulary needs only configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
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


BARE_SETTINGS = """\
[fields]
version = ""
status = ""

[defaults]
status = "active"

[routes.everyone]
channel = "console"
kinds = ["review", "retracted", "refused"]
"""
BARE = """\
---
title: Managing nausea
source: Our nurses
lastReviewed: 2025-11-30
reviewFrequency: quarterly
---

# Managing nausea

Tell your team when it began.
"""


def a_bare_library(folder: Path, settings: str = BARE_SETTINGS, text: str = BARE) -> None:
    """Write a library without version labels and statuses, with the packaged schema."""
    write(folder / "config" / "content-sync.toml", settings)
    write(folder / "seeds" / "nausea.md", text)


def test_a_library_without_version_and_status_needs_only_settings(tmp_path):
    a_bare_library(tmp_path)
    checked = json.loads(run("validate", "--json", cwd=tmp_path).stdout)
    assert (checked["errors"], checked["warnings"]) == (0, 0), checked

    assert run("sync", cwd=tmp_path).returncode == 0
    [document] = json.loads(run("list", "--json", cwd=tmp_path).stdout)
    assert (document["status"], document["version"]) == ("active", "")
    assert (document["due_on"], document["review_state"]) == ("2026-02-28", "overdue")
    due = json.loads(run("due", "--json", cwd=tmp_path).stdout)
    assert [row["path"] for row in due] == ["nausea.md"]
    assert run("list", cwd=tmp_path).returncode == 0
    assert json.loads(run("verify", "--json", cwd=tmp_path).stdout)["ok"]

    write(tmp_path / "seeds" / "nausea.md", BARE.replace("began", "began, and how it felt"))
    checked = json.loads(run("validate", "--json", cwd=tmp_path).stdout)
    assert checked["problems"] == []
    synced = json.loads(run("sync", "--json", cwd=tmp_path).stdout)
    assert (synced["changed"], synced["refused"]) == (1, 0)
    assert "CS072" not in run("why", "nausea.md", cwd=tmp_path).stdout
    history = json.loads(run("history", "--json", "nausea.md", cwd=tmp_path).stdout)
    assert len(history["versions"]) == 2


def test_without_a_label_the_hint_for_a_shorter_body_names_the_setting(tmp_path):
    long = BARE + "Eat little and often, and drink between the meals. " * 30
    a_bare_library(tmp_path, text=long)
    assert run("sync", cwd=tmp_path).returncode == 0
    write(tmp_path / "seeds" / "nausea.md", BARE)
    refused = run("sync", cwd=tmp_path)
    assert refused.returncode == 1, refused.stderr
    why = " ".join(run("why", "nausea.md", cwd=tmp_path).stdout.split())
    assert "if this is intended, a team that often shortens pages sets `body-shrank`" in why
    assert "None" not in why


def test_a_default_status_fills_only_what_a_page_leaves_out(tmp_path):
    settings = '[fields]\nversion = ""\n[defaults]\nstatus = "active"\n'
    a_bare_library(tmp_path, settings)
    write(tmp_path / "seeds" / "old.md", BARE.replace("source", "status: deprecated\nsource"))
    assert run("sync", cwd=tmp_path).returncode == 0
    listed = json.loads(run("list", "--json", cwd=tmp_path).stdout)
    found = {row["path"]: (row["status"], row["review_state"]) for row in listed}
    assert found == {"nausea.md": ("active", "overdue"), "old.md": ("deprecated", "exempt")}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[fields]\nstatus = ""\n', 'write status = "active" in [defaults]'),
        ('[fields]\ntitle = ""\n', "setting fields.title is empty: write the name of the field"),
        ('[fields]\nlast_reviewed = " "\n', "setting fields.last_reviewed is empty"),
        ('[fields]\nowner = ""\n', "setting fields.owner is empty"),
        ('[defaults]\nstatus = ""\n', "setting defaults.status is empty"),
        ('[defaults]\nstatus = "actve"\n', "defaults.status is 'actve', not one of active, inact"),
        ('[defaults]\nversion = "v1"\n', "unknown setting defaults.version"),
        ('[fields]\ndefault_status = "active"\n', "unknown setting fields.default_status"),
        ("[watch]\nsuffixes = []\n", 'suffixes is empty, so no file is a document: write [".md"]'),
        (
            '[watch]\nsuffixes = ["*.erb"]\n',
            "suffixes: '*.erb' is not the end of a name: write \".erb\"",
        ),
        ('[watch]\nsuffixes = ["md"]\n', "suffixes: 'md' is not the end of a name: write \".md\""),
        ('[watch]\nsuffixes = ["**/*.html.md"]\n', 'write ".html.md"'),
        ('[watch]\nsuffixes = [""]\n', 'write ".md"'),
        ('[watch]\nsuffixes = [".md", ".bak"]\n', "'.bak' is the end of temporary names"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_one_line_that_says_what_to_write(
    tmp_path, settings, message
):
    a_bare_library(tmp_path, settings)
    for command in ("validate", "sync"):
        refused = run(command, cwd=tmp_path)
        assert refused.returncode == 2, refused.stdout
        assert message in " ".join(refused.stderr.split())
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("suffix", [".md", ".html.md", ".MD", ".html.erb", ".mdx"])
def test_the_end_of_a_name_is_a_suffix(tmp_path, suffix):
    a_bare_library(tmp_path, f"{BARE_SETTINGS}\n[watch]\nsuffixes = ['{suffix}']\n")
    (tmp_path / "seeds" / "nausea.md").rename(tmp_path / "seeds" / f"nausea{suffix}")
    assert json.loads(run("validate", "--json", cwd=tmp_path).stdout)["files"] == 1
