"""Bar 15: whatever a verdict depends on changes, the verdict is right after one scan.

A real folder with a file for every rule, a real store, one `sync` after each change. What is right is what
the rules say of the same bytes on that day, whatever was said before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "domain" / "rules"))

import verdicts
from sqlalchemy import select
from support.seeds import write

from worker.domain.rules import judge
from worker.domain.rules.context import check_against
from worker.domain.rules.rules import examine
from worker.domain.seeds.codes import CODES, PROTECTED
from worker.domain.seeds.facts import Fields, read_facts
from worker.domain.seeds.problem import Problem, refuses
from worker.domain.seeds.seed import parse_seed
from worker.errors import ConfigurationError
from worker.library.services import Services
from worker.run.sync import sync_folder
from worker.settings.model import load_settings
from worker.store.migrate import migrate
from worker.store.schema import documents, paths
from worker.watch.sync import sync_once

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
#: The rules of a beginning under which every second version is accepted.
LENIENT = dict.fromkeys(("CS070", "CS071", "CS072", "CS073"), "off")


@dataclass
class Place:
    """A folder and its store, under settings that change."""

    seeds: Path
    store_url: str
    schema_file: Path
    #: By path, the bytes of the version before the one that is in the folder.
    before: dict[str, bytes]
    #: The versions of each document that was ever accepted.
    numbers: dict[str, int]

    def sync(self, at: datetime = NOON, **settings: Any) -> None:
        """Scan the folder once under settings, and check every verdict."""
        given = load_settings(
            seeds=self.seeds, store_url=self.store_url, schema_file=self.schema_file, **settings
        )
        services = Services(given, now=lambda: at)
        try:
            found = sync_once(
                settings=given,
                record=services,
                ingest=services.take_in_each,
                now=lambda: datetime.now(UTC),
            )
            assert not found.busy
            self.check(services, services.today())
            assert set(services.known_files().unjudged()) == set()
        finally:
            services.close()

    def check(self, services: Services, today: date) -> None:
        with services.store.read() as connection:
            rows = {row.path: row for row in connection.execute(select(paths))}
            heads = {row.path: row for row in connection.execute(select(documents))}
        for path, data in self.files():
            problems, facts = self.judged(services, path, data, today)
            row = rows[path]
            if refuses(problems):
                assert row.state == "refused", path
                told = {(one["code"], one["severity"]) for one in row.problems}
                assert told == {(one.code, str(one.severity)) for one in problems}, path
            else:
                assert (row.state, row.problems) == ("live", []), path
                head = heads[path]
                assert head.title == facts.title, path
                assert head.due_on == services.policy.clock_of(path, facts).due_on, path
                self.numbers.setdefault(path, head.number)
        assert {path: heads[path].number for path in self.numbers} == self.numbers

    def judged(
        self, services: Services, path: str, data: bytes, today: date
    ) -> tuple[tuple[Problem, ...], Any]:
        """Return what the rules say of bytes, and their facts."""
        most = services.settings.intake.max_file_bytes
        examined = examine(data, rules=services.rules, today=today, max_bytes=most, path=path)
        problems = examined.problems
        if examined.facts is None:
            return problems, None
        if path in self.before:
            earlier, seed = parse_seed(self.before[path]), examined.seed
            more = check_against(earlier.metadata, earlier.body, seed, services.rules)
            problems = (*problems, *more)
        return problems, read_facts(examined.seed.metadata, services.rules.fields)

    def files(self) -> Iterator[tuple[str, bytes]]:
        for file in sorted(self.seeds.rglob("*.md")):
            yield file.relative_to(self.seeds).as_posix(), file.read_bytes()

    def with_schema(self, change: dict[str, Any]) -> Path:
        """Write the schema with other properties."""
        schema = json.loads(json.dumps(verdicts.SCHEMA))
        schema["properties"] |= change.get("properties", {})
        schema["required"] = change.get("required", schema["required"])
        self.schema_file.write_text(json.dumps(schema))
        return self.schema_file


@pytest.fixture
def place(store_url: str, seeds: Path, tmp_path: Path) -> Place:
    """Give a synced folder with a file for every rule; some files are second versions."""
    it = Place(seeds, store_url, tmp_path / "schema.json", {}, {})
    it.with_schema({})
    services = Services(load_settings(store_url=store_url), now=lambda: NOON)
    migrate(services.store)
    services.close()
    for name, (_, _, front, body) in verdicts.SUCCESSIONS.items():
        write(seeds / f"after {name}.md", f"---\n{front}---\n{body}")
    it.sync(rules=LENIENT)
    for name, (front, body, *_) in verdicts.SUCCESSIONS.items():
        file = seeds / f"after {name}.md"
        it.before[file.name] = file.read_bytes()
        write(file, f"---\n{front}---\n{body}")
    it.numbers.clear()
    for name, data, path in verdicts.inputs():
        folder = name.replace(" ", "-")
        write(seeds / folder / path, data)
    it.sync(rules=LENIENT)
    del it.before["after same.md"]  # it has one version
    it.sync()
    return it


def test_the_severity_of_each_rule(place: Place):
    for code, (name, _) in CODES.items():
        if code not in PROTECTED:
            for severity in ("error", "off", "warning"):
                place.sync(rules={name: severity})
    place.sync()


def test_each_word_of_the_schema(place: Place):
    words = verdicts.SCHEMA["properties"]["status"]["enum"]
    for some in ([*words, "actve"], ["active"], ["active", "inactive"], [*words, "Active"]):
        place.with_schema({"properties": {"status": {"enum": some}}})
        place.sync()
    for name, part in {
        "version": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "title": {"type": "string", "maxLength": 5},
        "source": {"type": "string", "pattern": "^S"},
        "last_reviewed": {"type": "string"},
    }.items():
        place.with_schema({"properties": {name: part}})
        place.sync()
    place.with_schema({"required": [*verdicts.SCHEMA["required"], "owner"]})
    place.sync()


def test_the_name_of_each_field(place: Place):
    for name in sorted(set(Fields.__dataclass_fields__) - {"default_status"}):
        usual = getattr(Fields(), name)
        required = {"source", *verdicts.SCHEMA["required"]} - {usual}
        own = {"source": {"type": "string"}}
        place.with_schema({"properties": own, "required": sorted(required)})
        place.sync(fields=Fields(**{name: "source"}))
    place.with_schema({})
    place.sync()


def test_settings_that_a_verdict_reads(place: Place):
    cadence = {"frequency": "monthly", "paths": ["field-frequency-missing/*"]}
    for changed in (
        {"review": {"default_cadences": [cadence]}},
        {"defaults": {"status": "active"}},
        {"intake": {"max_file_bytes": 1000}},
        {"review": {"timezone": "Pacific/Auckland"}},
        {"review": {"timezone": "America/Los_Angeles"}},
    ):
        place.sync(**changed)
        place.sync()


def test_the_day_and_the_zone(place: Place):
    path = "field-reviewed-tomorrow/a.md"
    assert path not in place.numbers
    place.sync(at=NOON.replace(hour=13), review={"timezone": "Pacific/Auckland"})
    assert path in place.numbers
    place.sync(at=NOON.replace(hour=14))
    place.sync(at=NOON.replace(day=25))


def test_the_edition_of_the_rules(place: Place, monkeypatch: pytest.MonkeyPatch):
    """A rule of the code changes: here the one that judges names."""
    monkeypatch.setattr("worker.domain.rules.rules.check_name", lambda _path, _rules: ())
    monkeypatch.setattr(judge.make_judge, "__kwdefaults__", {"edition": judge.RULES_EDITION + 1})
    assert "name-copy/nausea - Copy.md" not in place.numbers
    place.sync()
    assert "name-copy/nausea - Copy.md" in place.numbers


def test_a_sync_does_not_judge_in_turns_with_a_running_watcher(store_url: str, seeds: Path):
    write(seeds / "a.md", verdicts.BODY)
    given = load_settings(seeds=seeds, store_url=store_url)
    services = Services(given, now=lambda: datetime.now(UTC))
    migrate(services.store)
    sync = partial(sync_folder, given, full=False, dry_run=False, progress=lambda *_: None)
    beat = {"state": "watching", "host": "a-host", "judge": "0123"}
    services.heartbeat("watcher", beat)
    with pytest.raises(ConfigurationError, match="the watcher on a-host judges by another schema"):
        sync()
    for other in ({"judge": services.judge.id}, {"state": "stopped"}, {"judge": None}):
        services.heartbeat("watcher", beat | other)
        assert sync().refused + sync().unchanged >= 1
    services.close()


def test_a_sync_that_does_not_judge_as_the_watcher_says_what_differs(store_url: str, seeds: Path):
    """Cron, for one, runs commands without the variable TZ."""
    write(seeds / "a.md", verdicts.BODY)
    place = {"seeds": seeds, "store_url": store_url}
    watcher = Services(
        load_settings(**place, review={"timezone": "Asia/Kolkata"}), now=lambda: datetime.now(UTC)
    )
    migrate(watcher.store)
    sync_folder(watcher.settings, full=False, dry_run=False, progress=lambda *_: None)
    watcher.heartbeat("watcher", {"host": "a-host", "judge": watcher.judge.id})
    given = load_settings(**place, review={"timezone": "UTC"})
    with pytest.raises(ConfigurationError, match=r"\(differs: the time zone\)"):
        sync_folder(given, full=False, dry_run=False, progress=lambda *_: None)
    watcher.close()
