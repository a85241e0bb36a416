"""A folder that the service may not read is named while it lasts, and nothing in it retires."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.programs import Process, clean_environment
from support.seeds import a_seed, write
from support.waiting import wait_until

#: Root reads every folder, unless it gives up the right to.
AS_OTHERS = (
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
)
ENV = {
    "CONTENT_SYNC_WATCH__SCAN_SECONDS": "1",
    "CONTENT_SYNC_WATCH__REMOVAL_MS": "100",
    "CONTENT_SYNC_DELIVERY__TICK_SECONDS": "0.3",
}


def ask(folder: Path, *arguments: str) -> tuple[Any, int]:
    done = run(folder, *arguments, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AS_OTHERS, sys.executable, "-m", "worker", *arguments],
        cwd=folder,
        env=clean_environment(ENV),
        capture_output=True,
        text=True,
        check=False,
    )


def unseen(folder: Path) -> tuple[bool, str]:
    answer, _ = ask(folder, "doctor")
    (check,) = [check for check in answer["checks"] if check["name"] == "unseen"]
    return check["ok"], check["detail"]


def notices(folder: Path) -> list[Any]:
    listed, _ = ask(folder, "notices")
    return [notice for notice in listed if notice["kind"] == "silent"]


@pytest.fixture
def running(tmp_path, seeds):
    for number in range(3):
        write(seeds / f"sub/inner/{number}.md", a_seed(title=f"Page {number}"))
    write(seeds / "SUB.md", a_seed(title="Beside it"))
    write(seeds / "Sub/x.md", a_seed(title="Another case"))
    (seeds / "new").mkdir()
    process = Process("up", cwd=tmp_path, env=ENV, inside=AS_OTHERS)
    try:
        wait_until(lambda: process.output.count("new  ") == 5, what="five new documents")
        yield process
        process.stop()
    finally:
        for name in ("sub", "new"):
            (seeds / name).chmod(0o755)
        process.kill()


def test_a_closed_folder_is_named_until_it_can_be_read_again(running, tmp_path, seeds):
    assert unseen(tmp_path) == (True, "every folder can be read")
    write(seeds / "sub/inner/0.md", a_seed(title="Saved while it is closed"))
    (seeds / "sub").chmod(0)
    (seeds / "new").chmod(0)
    wait_until(lambda: "the folder sub cannot be read" in running.output, what="a warning")

    ok, detail = unseen(tmp_path)
    assert not ok
    assert "new/: this folder cannot be read: 0 live documents below it are unseen" in detail
    assert "sub/: this folder cannot be read: 3 live documents below it are unseen" in detail
    found, code = ask(tmp_path, "verify")
    assert code == 1
    assert [(p["law"], p["path"]) for p in found["problems"]] == [
        ("unseen", "new/"),
        ("unseen", "sub/"),
    ]
    wait_until(lambda: len(notices(tmp_path)) == 2, what="a message about each folder")
    status, _ = ask(tmp_path, "status")
    assert status["documents"] == {"live": 5, "retired": 0}
    assert [folder["path"] for folder in status["unseen"]] == ["new/", "sub/"]
    assert "2 folders cannot be read: new/, sub/" in run(tmp_path, "status").stdout

    since = next(one["since"] for one in status["unseen"] if one["path"] == "sub/")
    story, _ = ask(tmp_path, "why", "sub/inner/0.md")
    assert story["unseen"] == {"path": "sub/", "since": since}
    said = run(tmp_path, "why", "seeds/sub/inner/0.md").stdout
    assert "version 1" in said
    assert "the watcher cannot read sub/ since" in said
    assert "what the store has is kept" in " ".join(said.split())
    unknown = run(tmp_path, "why", "sub/other.md")
    assert unknown.returncode == 1
    assert "the watcher cannot read sub/ since" in unknown.stderr
    assert "unseen" not in ask(tmp_path, "why", "SUB.md")[0]

    (seeds / "sub").chmod(0o755)
    (seeds / "new").chmod(0o755)
    wait_until(lambda: unseen(tmp_path)[0], what="every folder to be read")
    assert ask(tmp_path, "status")[0]["unseen"] == []
    assert "unseen" not in ask(tmp_path, "why", "sub/inner/0.md")[0]
    wait_until(lambda: ask(tmp_path, "verify")[1] == 0, what="a sound library")


def test_doctor_names_a_folder_that_the_watcher_cannot_read_but_doctor_can(
    running, tmp_path, seeds, monkeypatch
):
    (seeds / "sub").chmod(0)
    wait_until(lambda: not unseen(tmp_path)[0], what="a red check")
    if AS_OTHERS:
        wait_until(lambda: "cannot be read" in running.output)
        monkeypatch.setattr(sys.modules[__name__], "AS_OTHERS", ())  # root again
        wait_until(lambda: not unseen(tmp_path)[0], what="a red check")
