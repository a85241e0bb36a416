"""The hook for pre-commit, installed and run as another repository would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import clean_environment
from support.seeds import a_seed, write

PROJECT = Path(__file__).resolve().parents[2]
#: What the hook's environment is built from.
PARTS = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml", "worker", "config")
CONFIGURATION = """\
repos:
  - repo: {repository}
    rev: {revision}
    hooks:
      - id: content-sync-validate
        files: ^seeds/
        args: [--fix]
"""


def git(folder, *arguments):
    """Run git in a folder, whatever the person's own settings and the caller's repository are."""
    named = ["-c", "user.name=Asha", "-c", "user.email=asha@example.org"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    result = subprocess.run(
        ["git", *named, *arguments],
        cwd=folder,
        env={**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@pytest.fixture
def hooks(tmp_path):
    """Return a repository of the hook, made of what this checkout holds now, and its revision."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    for part in PARTS:
        if (PROJECT / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / part, folder / part, ignore=ignored)
        else:
            shutil.copy(PROJECT / part, folder / part)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "The hook")
    return folder, git(folder, "rev-parse", "HEAD")


def test_pre_commit_refuses_a_wrong_page_and_fixes_a_date(tmp_path, hooks):
    repository, revision = hooks
    library = tmp_path / "library"
    configuration = CONFIGURATION.format(repository=repository, revision=revision)
    write(library / ".pre-commit-config.yaml", configuration)
    write(library / "README.md", "# No document, and none of the hook's files\n")
    page = write(library / "seeds" / "a.md", a_seed())
    git(library, "init", "-q")
    git(library, "add", "-A")

    def run_hook():
        # Only what the hook imports is compiled: pip would compile all of its libraries.
        environment = clean_environment(
            {"PRE_COMMIT_HOME": str(tmp_path / "cache"), "PIP_COMPILE": "0"}
        )
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color=never"],
            cwd=library,
            env={n: v for n, v in environment.items() if not n.startswith("GIT_")},
            capture_output=True,
            text=True,
            check=False,
        )

    result = run_hook()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Passed" in result.stdout

    page.write_text(a_seed(status="actve").replace("'2025-12-30'", "2025-12-30"))
    git(library, "add", "-A")
    result = run_hook()
    assert result.returncode == 1, result.stdout + result.stderr
    assert "seeds/a.md:4:9: error CS032 value-not-allowed" in result.stdout
    assert "README.md" not in result.stdout
    assert page.read_text() == a_seed(status="actve")
