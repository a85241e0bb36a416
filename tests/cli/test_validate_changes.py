"""`content-sync validate` beside a store: it finds what the service would find of the next version."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.programs import clean_environment, run
from support.seeds import BODY, a_seed, write

LONG = BODY + "\nA paragraph that says more than the rest of the page. " * 100


@pytest.fixture
def environment(store_url: str) -> dict[str, str]:
    return {"CONTENT_SYNC_STORE_URL": store_url}


def found(tmp_path, environment, *arguments: str, piped: str | None = None) -> set[str]:
    """Return the codes of what is found."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", "validate", *arguments, "--json"],
        cwd=tmp_path,
        env=clean_environment(environment),
        input=piped or "",
        capture_output=True,
        text=True,
        check=False,
    )
    return {problem["code"] for problem in json.loads(done.stdout)["problems"]}


def test_a_page_that_shrank_since_its_version_is_found(tmp_path, seeds, environment):
    write(seeds / "a.md", a_seed(body=LONG))
    assert run("migrate", cwd=tmp_path, env=environment).returncode == 0
    assert run("sync", cwd=tmp_path, env=environment).returncode == 0
    assert found(tmp_path, environment) == set()

    write(seeds / "a.md", a_seed())
    for arguments in ((), ("seeds/a.md",)):
        assert found(tmp_path, environment, *arguments) == {"CS072", "CS073"}
    piped = ("-", "--stdin-path", "seeds/a.md")
    assert found(tmp_path, environment, *piped, piped=a_seed()) == {"CS072", "CS073"}
    refused = run("sync", "--json", cwd=tmp_path, env=environment)
    assert json.loads(refused.stdout)["refused"] == 1, "as the service says"


def test_a_file_that_only_spells_its_version_otherwise_is_compared_with_the_one_before(
    tmp_path, seeds, environment
):
    assert run("migrate", cwd=tmp_path, env=environment).returncode == 0
    for body in (LONG, LONG + "More."):
        write(seeds / "a.md", a_seed(body=body))
        assert run("sync", cwd=tmp_path, env=environment).returncode == 0
    assert found(tmp_path, environment) == {"CS072"}
    write(seeds / "a.md", a_seed(body=LONG + "More.").replace("title: ", "title:   "))
    assert found(tmp_path, environment) == {"CS072"}
    strict = environment | {"CONTENT_SYNC_RULES__SAME_LABEL": "error"}
    refused = run("sync", "--json", cwd=tmp_path, env=strict)
    assert json.loads(refused.stdout)["refused"] == 1, "as the service says"


def test_without_a_store_a_page_is_judged_alone(tmp_path, seeds):
    write(seeds / "a.md", a_seed())
    nowhere = {"CONTENT_SYNC_STORE_URL": f"sqlite:///{tmp_path}/none.db"}
    assert found(tmp_path, nowhere) == set()
    assert not (tmp_path / "none.db").exists()
