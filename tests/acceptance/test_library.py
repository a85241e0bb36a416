"""The real library, as its team would use it: `sync`, edits, moves, deletions. Needs the corpus."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.programs import run

pytestmark = pytest.mark.corpus

#: Seven pages are what a crawler got instead of the page; one is an e-book's bytes without a title.
CRAWL_FAILURES = 7
BROKEN = 8


@pytest.fixture
def folder(tmp_path: Path, corpus: Path) -> Path:
    shutil.copytree(corpus, tmp_path / "seeds")
    return tmp_path


def sync(folder: Path) -> dict[str, Any]:
    answer = run("sync", "--json", cwd=folder)
    assert answer.returncode in {0, 1}, answer.stderr
    counts: dict[str, Any] = json.loads(answer.stdout)
    del counts["seconds"]
    return counts


def ask(folder: Path, *arguments: str) -> Any:
    return json.loads(run(*arguments, "--json", cwd=folder).stdout)


def test_the_whole_library_is_stored_except_pages_that_are_really_broken(folder: Path):
    first = sync(folder)
    assert first["scanned"] == 1432
    assert (first["new"], first["refused"]) == (1432 - BROKEN, BROKEN)

    status = ask(folder, "status")
    assert status["documents"] == {"live": 1432 - BROKEN, "retired": 0}
    assert status["review"]["unknown"] == 0
    due = ask(folder, "due")
    assert sum(row["due_on"] == "2026-03-30" for row in due) == 1349 - CRAWL_FAILURES

    second = sync(folder)
    assert second == dict.fromkeys(second, 0) | {"scanned": 1432, "unchanged": 1432}


def test_touching_editing_moving_and_deleting_do_what_a_person_expects(folder: Path):
    sync(folder)
    pages = folder / "seeds" / "02_nci_core" / "treatment"
    touched, edited, moved, deleted, *_ = sorted(pages.glob("*.md"))
    touched.touch()
    edited.write_bytes(edited.read_bytes().replace(b"status: active", b"status: deprecated"))
    (folder / "seeds" / "elsewhere").mkdir()
    moved.rename(folder / "seeds" / "elsewhere" / "moved.md")
    deleted.unlink()

    assert sync(folder) == {
        "scanned": 1431,
        "new": 0,
        "changed": 1,
        "unchanged": 1429,
        "moved": 1,
        "retired": 1,
        "refused": 0,
        "judged_again": 0,
    }
    version = ask(folder, "history", f"02_nci_core/treatment/{edited.name}")["versions"][1]
    assert version["change"] == "metadata"
    assert version["fields"] == [{"field": "status", "old": "active", "new": "deprecated"}]
    assert len(ask(folder, "history", "elsewhere/moved.md")["versions"]) == 1
    assert ask(folder, "status")["documents"] == {"live": 1423, "retired": 1}
