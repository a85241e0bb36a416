"""The settings file is found from any folder of a project, and its paths begin at the project's root."""

from pathlib import Path
from typing import get_args

import pytest
from support.seeds import write

from worker.errors import ConfigurationError
from worker.settings.model import Settings, load_settings
from worker.settings.paths import from_root
from worker.settings.reading import fields_of

EVERY_PATH = """
seeds = "pages"
store_url = "sqlite:///data/library.db"
schema_file = "schema.json"
templates = "words"
[review]
reviewers_file = "who"
[calendar]
file = "out/reviews.ics"
"""


def paths_of(settings):
    paths = (settings.seeds, settings.schema_file, settings.templates)
    others = (settings.review.reviewers_file, settings.calendar.file)
    return [*map(str, (*paths, *others)), settings.store_url.value.removeprefix("sqlite:///")]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project with a settings file; the working directory is two folders below it."""
    folder = tmp_path / "project"
    write(folder / "config" / "content-sync.toml", EVERY_PATH)
    (folder / "seeds" / "sub").mkdir(parents=True)
    monkeypatch.chdir(folder / "seeds" / "sub")
    return folder


def test_the_nearest_settings_file_above_applies(project, monkeypatch):
    assert load_settings().config == project / "config" / "content-sync.toml"
    write(project / "seeds" / "config" / "content-sync.toml", "")
    assert load_settings().config == project / "seeds" / "config" / "content-sync.toml"
    monkeypatch.chdir(project.parent)
    assert load_settings().config is None


def test_paths_in_the_settings_file_start_at_the_root(project):
    below = ("pages", "schema.json", "words", "who", "out/reviews.ics", "data/library.db")
    assert paths_of(load_settings()) == [f"{project}/{path}" for path in below]
    assert load_settings().root == project


def test_every_path_setting_starts_at_the_root():
    def is_path(kind):
        return kind is Path or Path in get_args(kind)

    for name, kind in fields_of(Settings).items():
        if is_path(kind) and name != "config":
            assert from_root({name: "x"}, Path("/root")) == {name: "/root/x"}
        for key, of_table in fields_of(kind).items() if name != "channels" else ():
            if is_path(of_table):
                assert from_root({name: {key: "x"}}, Path("/root")) == {name: {key: "/root/x"}}


def test_the_defaults_start_at_the_root_too(project):
    write(project / "config" / "content-sync.toml", "")
    settings = load_settings()
    assert settings.seeds == project / "seeds"
    assert settings.store_url.value == f"sqlite:///{project}/var/content-sync.db"


def test_paths_stay_as_written_at_the_root(project, monkeypatch):
    monkeypatch.chdir(project)
    assert paths_of(load_settings())[0] == "pages"
    assert paths_of(load_settings())[-1] == "data/library.db"


@pytest.mark.parametrize(
    ("file", "root"),
    [("settings.toml", "."), ("config/other.toml", "."), ("etc/config/x.toml", "etc")],
)
def test_the_root_of_a_named_file_is_its_folder_or_the_one_above_config(
    project, monkeypatch, file, root
):
    write(project / file, EVERY_PATH)
    monkeypatch.setenv("CONTENT_SYNC_CONFIG", f"../../{file}")
    assert load_settings().seeds == project / root / "pages"


def test_variables_and_flags_start_at_the_working_directory(project, monkeypatch):
    monkeypatch.setenv("CONTENT_SYNC_CALENDAR__FILE", "mine.ics")
    monkeypatch.setenv("CONTENT_SYNC_STORE_URL", "sqlite:///mine.db")
    settings = load_settings(seeds=Path("here"))
    assert settings.seeds == Path("here")
    assert settings.calendar.file == Path("mine.ics")
    assert settings.store_url.value == "sqlite:///mine.db"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/library.db",
        "sqlite:///:memory:",
        "sqlite://",
        "sqlite:///file:library.db?uri=true",
        "postgresql://me@db/library",
        "not a url",
    ],
)
def test_a_store_without_a_relative_path_stays_as_it_is(url):
    assert from_root({"store_url": url}, Path("/root")) == {"store_url": url}


def test_the_driver_and_the_options_of_a_relative_store_stay():
    url = "sqlite+pysqlite:///a/b.db?timeout=5"
    expected = "sqlite+pysqlite:////root/a/b.db?timeout=5"
    assert from_root({"store_url": url}, Path("/root")) == {"store_url": expected}


def test_a_missing_settings_file_is_shown_by_its_absolute_path(project, monkeypatch):
    monkeypatch.setenv("CONTENT_SYNC_CONFIG", "no.toml")
    with pytest.raises(ConfigurationError, match=f"{project}/seeds/sub/no.toml, which is not"):
        load_settings()


def test_a_deleted_working_directory_is_reported_in_one_line(project):
    (project / "seeds" / "sub").rmdir()
    with pytest.raises(ConfigurationError, match="the working directory no longer exists"):
        load_settings()
