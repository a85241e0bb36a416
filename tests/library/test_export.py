"""Programs that follow the library hold exactly what is live, however often they crash."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.programs import clean_environment, run
from support.seeds import BODY, a_seed
from support.stored import Library, a_library
from support.waiting import wait_until

FOLLOWER = Path(__file__).parents[1] / "support" / "follower.py"


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def live(library: Library) -> dict[str, Any]:
    """Return the live library as a copy of it should be."""
    return {
        str(line["id"]): {
            name: line[name] for name in ("path", "number", "status", "metadata", "body")
        }
        for line in library.services.export_documents(active_only=False)
    }


def test_an_export_contains_the_live_library_and_its_newest_event_id(library: Library):
    library.drop("a.md", title="A")
    library.drop("b.md", title="B", status="deprecated")
    library.drop("gone.md")
    library.remove("gone.md")
    library.drop("bad.md", "")

    manifest = library.services.export_manifest(active_only=False)
    assert [d["path"] for d in manifest["documents"]] == ["a.md", "b.md"]
    assert manifest["documents"][0]["due_on"] == "2026-03-30"
    assert manifest["documents"][0]["metadata"]["title"] == "A"
    assert library.services.events(manifest["event"]) == []
    active = list(library.services.export_documents(active_only=True))
    assert [(d["path"], d["body"]) for d in active] == [("a.md", BODY)]
    assert active[0]["event"] == manifest["event"]


def test_events_continue_after_the_named_one(library: Library):
    library.drop("a.md")
    (first,) = library.services.events(0)
    library.drop("a.md", status="deprecated")
    (second,) = library.services.events(int(first["id"]))

    assert second["type"] == "org.content-sync.version.stored"
    assert second["data"]["status"] == "deprecated"
    assert second["data"]["risk"] == "high"


def test_the_commands_print_a_line_each(tmp_path: Path, sqlite_url: str):
    with a_library(sqlite_url) as library:
        library.drop("a.md", title="line\u2028end")
    env = {"CONTENT_SYNC_STORE_URL": sqlite_url}
    (event,) = run("events", cwd=tmp_path, env=env).stdout.splitlines()
    assert json.loads(event)["subject"] == "a.md"
    assert run("events", "--after", json.loads(event)["id"], cwd=tmp_path, env=env).stdout == ""
    (document,) = run("export", cwd=tmp_path, env=env).stdout.splitlines()
    assert json.loads(document)["title"] == "line end"
    manifest = json.loads(run("export", "--format", "manifest", cwd=tmp_path, env=env).stdout)
    assert manifest["documents"][0]["path"] == "a.md"


def test_a_follower_that_is_killed_repeatedly_ends_with_exactly_the_live_library(
    library: Library, store_url: str, tmp_path: Path
):
    chance = random.Random(20261124)
    texts: dict[str, str] = {}
    state_file = tmp_path / "copy.json"
    env = clean_environment({"CONTENT_SYNC_STORE_URL": store_url})

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, str(FOLLOWER), str(state_file)]
        return subprocess.Popen(command, cwd=tmp_path, env=env, start_new_session=True)

    def kill(follower: subprocess.Popen[bytes]) -> None:
        os.killpg(follower.pid, signal.SIGKILL)
        follower.wait()

    library.drop("first.md", title="First")
    texts["first.md"] = a_seed(title="First")
    follower = start()
    try:
        for step in range(40):
            _do_something(library, texts, chance, step)
            if step % 8 == 7:
                if step > 8:
                    wait_until(state_file.exists, what="a first copy")
                kill(follower)
                follower = start()

        def copy() -> Any:
            if not state_file.exists():
                return None
            return json.loads(state_file.read_text())["documents"]

        wait_until(lambda: copy() == live(library), what="the copy to be whole")
    finally:
        kill(follower)


def _do_something(  # noqa: C901 - one case for each
    library: Library, texts: dict[str, str], chance: random.Random, step: int
) -> None:
    """Edit, retract, move, delete, bring back or break a page."""
    path = chance.choice(sorted(texts))
    match chance.randrange(9):
        case 0 | 1:
            path = f"{step}.md"
            texts[path] = a_seed(title=f"Page {step}")
            library.drop(path, texts[path])
        case 2:
            texts[path] = a_seed(title=f"Edited at {step}")
            library.drop(path, texts[path])
        case 3:
            texts[path] = a_seed(title=f"Retracted at {step}", status="deprecated")
            library.drop(path, texts[path])
        case 4:
            if len(texts) > 1:
                texts[f"moved/{step}.md"] = texts.pop(path)
                library.move(path, f"moved/{step}.md", texts[f"moved/{step}.md"])
        case 5:
            library.remove(path)
            if chance.random() < 0.5:
                library.drop(path, texts[path])
            elif len(texts) > 1:
                del texts[path]
        case 7 | 8:
            _withhold(library, texts, path, step)
        case 6:
            library.drop(path, "")
            texts[path] = a_seed(title=f"Fixed at {step}")
            library.drop(path, texts[path])


def _withhold(library: Library, texts: dict[str, str], path: str, step: int) -> None:
    """Retract a page with an error in it; then make it good again, here or at another path."""
    text = texts.pop(path)
    library.drop(path, text.replace("active", "inactive").replace("2025-12-30", "soon"))
    new = f"moved/{step}.md" if step % 3 else path
    texts[new] = text
    if new != path:
        library.move(path, new, text)
    elif step % 2:
        library.drop(path, text)
