"""Shells complete documents, rules and routes, without opening a store."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write

PROGRAM = Path(sys.executable).parent / "content-sync"


@pytest.fixture
def project(tmp_path):
    write(tmp_path / "config" / "content-sync.toml", '[routes.team]\nchannel = "console"\n')
    for path in ("a.md", "sub/nausea.md", "sub/pain in bones.md", "sub/deep/x.md"):
        write(tmp_path / "seeds" / path, a_seed())
    write(tmp_path / "seeds" / ".hidden.md", a_seed())
    write(tmp_path / "seeds" / "picture.png", b"")
    (tmp_path / "docs").mkdir()
    return tmp_path


def offered(folder, *typed):
    """Return what bash is offered for the last word, which may be empty."""
    asked = {
        "_CONTENT_SYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("content-sync", *typed)),
        "COMP_CWORD": str(len(typed)),
    }
    result = run(cwd=folder, env=asked)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.strip().splitlines()


@pytest.mark.parametrize("folder", [".", "docs", "seeds"])
def test_documents_are_completed_without_the_seeds_folder(project, folder):
    plain = [
        "plain,a.md",
        "plain,sub/nausea.md",
        "plain,sub/pain in bones.md",
        "plain,sub/deep/x.md",
    ]
    assert offered(project / folder, "history", "") == plain
    assert offered(project / folder, "history", "sub/n") == ["plain,sub/nausea.md"]
    assert offered(project / folder, "history", "su") == plain[1:]
    assert not (project / "var").exists()


@pytest.mark.parametrize(
    "typed",
    [
        *[
            (command,)
            for command in ("history", "show", "diff", "why", "reviewed", "snooze", "ack")
        ],
        *[(command,) for command in ("assign", "retire", "restore")],
        ("reviewed", "a.md"),
        ("--store-url", "sqlite:///x.db", "show"),
    ],
    ids=" ".join,
)
def test_every_command_on_a_document_completes_it(project, typed):
    assert offered(project, *typed, "sub/d") == ["plain,sub/deep/x.md"]


def test_other_paths_are_left_to_the_shell(project):
    assert offered(project, "history", "seeds/a") == ["file,seeds/a"]
    assert offered(project, "history", "/srv/x") == ["file,/srv/x"]
    assert offered(project / "seeds" / "sub", "history", "nau") == ["file,nau"]


def test_the_flags_before_the_command_apply(project):
    write(project / "pages" / "b.md", a_seed())
    assert offered(project / "docs", "--seeds", "../pages", "show", "") == ["plain,b.md"]
    write(project / "other.toml", 'seeds = "pages"\n')
    assert offered(project, "--config", "other.toml", "show", "b") == ["plain,b.md"]


def test_rules_are_completed_by_code_and_by_name(project):
    assert offered(project, "explain", "CS073") == ["plain,CS073"]
    assert offered(project, "explain", "cs073") == ["plain,CS073"]
    assert offered(project, "explain", "body-s") == ["plain,body-shrank"]
    assert len(offered(project, "explain", "")) > 80


def test_routes_are_completed(project):
    assert offered(project, "notify-test", "") == ["plain,team"]
    assert offered(project, "notify-test", "--preview", "te") == ["plain,team"]


def test_unusable_settings_complete_nothing_and_print_nothing(project):
    write(project / "config" / "content-sync.toml", "not toml")
    assert offered(project, "notify-test", "") == []
    assert offered(project, "history", "a") == ["file,a"]


def test_completion_does_not_load_the_store(project):
    code = (
        "import sys; from worker.cli import run_command\n"
        "try: run_command([])\n"
        "finally: print(*{'sqlalchemy', 'rich', 'jsonschema_rs'} & set(sys.modules), file=sys.stderr)"
    )
    asked = {"_CONTENT_SYNC_COMPLETE": "bash_complete", "COMP_WORDS": "content-sync show a"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=clean_environment({**asked, "COMP_CWORD": "2"}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout, result.stderr) == ("plain,a.md\n", "\n")


@pytest.mark.parametrize(("shell", "word"), [("zsh", "2"), ("fish", "sub/n")])
def test_the_scripts_for_other_shells_complete_documents_too(project, shell, word):
    typed = {"COMP_WORDS": "content-sync show sub/n", "COMP_CWORD": word}
    asked = {"_CONTENT_SYNC_COMPLETE": f"{shell}_complete", **typed}
    assert "sub/nausea.md" in run(cwd=project, env=asked).stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes_a_document(project):
    script = (
        f'eval "$({PROGRAM} --completion bash)"; COMP_WORDS=(content-sync show sub/n); COMP_CWORD=2;'
        '_content_sync_completion content-sync sub/n show; echo "${COMPREPLY[@]}"'
    )
    result = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=project / "docs",
        env=clean_environment({"PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout, result.stderr) == ("sub/nausea.md\n", "")
