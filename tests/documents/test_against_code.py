"""The documents name commands, options, settings, events and rules as the program has them."""

from __future__ import annotations

import re
import shlex
import tomllib
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import click
import pytest
from documents import (
    CHANGELOG,
    DOCS,
    ROOT,
    code_spans,
    current_documents,
    fences,
    name_of,
    read,
    rows,
    section,
)
from examples import examples
from msgspec import structs

import worker
from worker.cli.app import program
from worker.domain.folder.cloud_event import TYPE_PREFIX
from worker.domain.seeds.codes import CODES
from worker.settings.model import Secret, Section, Settings, load_settings, variable_names
from worker.settings.reading import fields_of, kind_at
from worker.settings.sources import ENV_PREFIX

#: Variables that the tests read, not the program.
OF_THE_TESTS = {"CONTENT_SYNC_CORPUS"}
SEPARATORS = {"|", ">", "<", "&&", "||", ";"}
#: What stands for the name of a command.
ANY_COMMAND = {"COMMAND", "…"}

each_document = pytest.mark.parametrize("document", current_documents(), ids=name_of)


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@lru_cache
def command_named(name: str) -> click.Command | None:
    return program.get_command(click.Context(program), name)


def options_of(command: click.Command) -> dict[str, bool]:
    """Return whether each option of a command takes a value."""
    return {"--help": False, "-h": False} | {
        name: isinstance(one, click.Option) and not one.is_flag
        for one in command.params
        for name in one.opts
    }


@lru_cache
def all_options() -> frozenset[str]:
    commands = [command_named(name) for name in program.list_commands(click.Context(program))]
    return frozenset(name for one in [program, *commands] for name in options_of(one))


def calls(text: str) -> list[list[str]]:
    """Return the words of each call of the program that a document shows, up to the shell's next word."""
    typed = code_spans(text)
    for fence in fences(text):
        if fence.language == "sh":
            typed += fence.body.replace("\\\n", "").splitlines()
    typed += [example.command for example in examples(text)]
    return [
        words_of(call)
        for line in typed
        for call in re.findall(r"(?<![\w/.-])content-sync ([^)\n]*)", line)
    ]


def words_of(call: str) -> list[str]:
    return list(takewhile(lambda word: word not in SEPARATORS, shlex.split(call, comments=True)))


def assert_is_a_call(words: list[str]) -> None:
    """Assert that there is such a command, and that it has the options that it is given."""
    place: click.Command = program
    waiting = iter(words)
    for word in waiting:
        if word.startswith("-") and word != "-":
            name, has_value, _ = word.partition("=")
            options = options_of(place)
            assert name in options, f"{place.name} has no {name}: {words}"
            if options[name] and not has_value:
                next(waiting, None)
        elif place is program:
            if word in ANY_COMMAND:
                return
            command = command_named(word)
            assert command is not None, f"no command {word}: {words}"
            place = command


@each_document
def test_every_call_names_a_command_and_its_options(document: Path):
    for words in calls(read(document)):
        assert_is_a_call(words)


@each_document
def test_every_option_in_a_line_belongs_to_the_command_beside_it(document: Path):
    for span in code_spans(read(document)):
        first, *others = span.split()
        if re.match(r"--\w", span):
            assert first.partition("=")[0] in all_options(), span
        elif (command := command_named(first)) is not None:
            given = {word for word in others if re.match(r"--\w", word)}
            assert given <= set(options_of(command)), span


def test_the_page_on_commands_lists_exactly_the_existing_commands():
    listed = [name for row in rows(read(DOCS / "commands.md")) for name in names(row[0])]
    assert sorted(listed) == sorted(program.list_commands(click.Context(program)))


def sections() -> set[str]:
    """Return the names of the tables of the settings file."""
    return {
        name
        for name, kind in fields_of(Settings).items()
        if name in {"channels", "routes", "rules", "fields"}
        or (isinstance(kind, type) and issubclass(kind, Section))
    }


def test_the_page_on_settings_lists_every_top_level_variable_and_its_default():
    listed = section(read(DOCS / "settings.md"), "Environment variables")
    defaults = {names(row[0])[0]: row[1].strip("`") for row in rows(listed)}
    plain = {
        f"{ENV_PREFIX}{field.name}".upper(): field
        for field in structs.fields(Settings)
        if field.name not in sections()
    }
    assert set(defaults) == set(plain)
    for name, field in plain.items():
        default = field.default.value if isinstance(field.default, Secret) else field.default
        if default is not None:
            assert defaults[name] == str(default), name


def test_the_page_on_settings_lists_every_table():
    listed = rows(section(read(DOCS / "settings.md"), "Tables"))
    assert {names(row[0])[0] for row in listed} == sections()


@each_document
def test_every_environment_variable_is_a_setting(document: Path):
    known = set(variable_names()) | OF_THE_TESTS
    named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z_]*[A-Z]", read(document)))
    unknown = {
        name
        for name in named
        if not {name, name.removesuffix("_FILE")} & known
        and not re.match(rf"{ENV_PREFIX}(CHANNELS|ROUTES|RULES)__", name)
    }
    shown_as_wrong = {"CONTENT_SYNC_WATCH__POLING"} if document.name == "settings.md" else set()
    assert unknown == shown_as_wrong


@each_document
def test_every_setting_of_a_table_is_documented(document: Path):
    tables = sections() - {"channels", "routes", "rules"}
    for span in code_spans(read(document)):
        found = re.match(r"(\w+)\.(\w+)( = |$)", span)
        if found and found[1] in tables and span not in events_of_the_program():
            assert found[2] in fields_of(kind_at(Settings, [found[1]])), span


@each_document
def test_every_example_of_settings_can_be_read(document: Path, monkeypatch, tmp_path: Path):
    for number, fence in enumerate(fences(read(document))):
        if fence.language == "toml":
            file = tmp_path / f"{number}.toml"
            file.write_text(fence.body, encoding="utf-8")
            monkeypatch.setenv("CONTENT_SYNC_CONFIG", str(file))
            load_settings()


def events_of_the_program() -> set[str]:
    """Return the kinds of events that any module writes or reads, as their strings stand there."""
    kind = re.compile(r"\"((?:document|version|seed|review|epoch)\.[a-z_]+)\"")
    return {
        found
        for module in (ROOT / "worker").rglob("*.py")
        if "migrations" not in module.parts and "cli" not in module.parts
        for found in kind.findall(read(module))
    }


def test_the_page_for_programs_lists_exactly_the_existing_events():
    listed = rows(read(DOCS / "following.md"))
    assert {name for row in listed for name in names(row[0])} == events_of_the_program()
    assert TYPE_PREFIX.rstrip(".") in read(DOCS / "following.md")


@each_document
def test_every_event_named_in_documents_exists(document: Path):
    named = set(re.findall(r"`((?:document|version|seed)\.[a-z_]+)`", read(document)))
    assert named <= events_of_the_program()


@each_document
def test_every_rule_named_in_documents_exists(document: Path):
    assert set(re.findall(r"\bCS\d{3}\b", read(document))) <= set(CODES)


def packages() -> set[str]:
    folders = {file.parent for file in (ROOT / "worker").rglob("*.py")}
    named = {name_of(folder) for folder in folders if folder.name != "__pycache__"}
    return named - {"worker", "worker/store/migrations/versions"}


def test_the_page_on_architecture_lists_exactly_the_existing_packages():
    listed = rows(section(read(DOCS / "architecture.md"), "Folders"))
    assert {names(row[0])[0] for row in listed} == packages()


def test_the_glossary_is_sorted_and_has_each_word_once():
    words = [names(row[0])[0] for row in rows(read(DOCS / "glossary.md"))]
    assert len(words) > 20
    assert words == sorted(set(words))


def test_the_changelog_has_the_current_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == worker.__version__
    assert f"## [{worker.__version__}]" in read(CHANGELOG)
