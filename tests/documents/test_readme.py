"""README and CHANGELOG tell the truth: commands, settings, and what a newcomer types first."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from msgspec import structs

import worker
from worker.settings.model import Secret, Section, Settings
from worker.settings.reading import fields_of
from worker.settings.sources import ENV_PREFIX

ROOT = Path(worker.__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_readme_names_every_command_and_no_other():
    import click

    from worker.cli.app import program

    told = [name for row in rows("Commands") for name in names(row[0])]
    assert sorted(told) == sorted(program.list_commands(click.Context(program)))


def test_readme_names_every_environment_variable_of_the_top_level_and_its_default():
    told = {names(row[0])[0]: row[1].strip("`") for row in rows("Settings")}
    sections = {
        name
        for name, kind in fields_of(Settings).items()
        if name in {"channels", "routes", "rules", "fields"}
        or (isinstance(kind, type) and issubclass(kind, Section))
    }
    plain = {
        f"{ENV_PREFIX}{field.name}".upper(): field
        for field in structs.fields(Settings)
        if field.name not in sections
    }
    assert set(told) == set(plain)
    for name, field in plain.items():
        default = field.default.value if isinstance(field.default, Secret) else field.default
        if default is not None:
            assert told[name] == str(default), name
    listed = README.partition("The tables are ")[2].partition(".\n")[0]
    assert set(names(listed)) == sections


def test_the_two_first_commands_stand_first():
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert blocks[0].strip() == "pip install uv && uv run content-sync up"
    assert blocks[1].strip() == "pip install uv && uv run pytest"


def test_the_changelog_tells_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == worker.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{worker.__version__}]" in changelog
