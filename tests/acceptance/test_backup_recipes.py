"""The lines for backup and restore on the page for operators work as they are pasted, over both databases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write
from support.servers import PostgresServer

import worker

PAGE = Path(worker.__file__).parents[1] / "docs" / "operating.md"


def pasted(word: str) -> str:
    """Return the one block of the page with these words, as it stands there."""
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index("## Backup and restore") :]
    (block,) = [
        found for found in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) if word in found
    ]
    return block


@pytest.fixture
def environment(store_url: str, seeds: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    server: PostgresServer = request.getfixturevalue("shared_postgres")
    given = clean_environment(
        {"CONTENT_SYNC_STORE_URL": store_url, "CONTENT_SYNC_SEEDS": str(seeds)}
    )
    programs = (Path(sys.executable).parent, server.binaries)
    return given | {"PATH": os.pathsep.join((*map(str, programs), os.environ["PATH"]))}


def test_the_lines_for_backup_and_restore_can_be_pasted(
    environment: dict[str, str], seeds: Path, tmp_path: Path
):
    def paste(lines: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e"], input=lines, env=environment, cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    write(seeds / "a.md", a_seed(title="A"))
    write(seeds / "b.md", a_seed(title="B"))
    paste("content-sync migrate\ncontent-sync sync\n")
    cursor = paste("content-sync export").splitlines()[0]
    assert "checkpoint" in cursor
    said = paste(pasted('content-sync backup "'))
    assert "2 documents" in said
    (file,) = (tmp_path / "backups").iterdir()

    write(seeds / "a.md", a_seed(title="Edited"))
    (seeds / "b.md").unlink()
    paste("content-sync sync\n")
    said = paste(pasted('content-sync restore-store --replace "'))
    assert "No error found." in said
    listed = run("list", "--json", cwd=tmp_path, env=environment).stdout
    assert '"Edited"' in listed
    events = paste("content-sync events").splitlines()
    kinds = [re.findall(r"org\.content-sync\.([a-z.]+)", line)[0] for line in events]
    assert kinds[2] == "epoch.began"
    assert sorted(kinds[3:]) == ["document.retired", "version.stored"]
    assert file.exists()


def test_the_lines_for_compose_name_services_and_commands_that_exist():
    compose = (PAGE.parents[1] / "docker-compose.yml").read_text(encoding="utf-8")
    services = set(re.findall(r"^  ([a-z]+):\n    (?:<<|image)", compose, re.MULTILINE))
    for word in ("migrate backup", "migrate restore-store"):
        block = pasted(word)
        for named in re.findall(r"(?:stop|exec -T) ([a-z ]+?)(?:\n| content-sync)", block):
            assert set(named.split()) <= services
    assert "migrate" in services
