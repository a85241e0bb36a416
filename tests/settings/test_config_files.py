"""The settings files and docker-compose.yml agree with the code and with what their comments say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import yaml
from msgspec.structs import replace

from worker.settings.model import Channel, Section, Settings, load_settings
from worker.settings.reading import fields_of

CHECKOUT = Path(__file__).parents[2]
SETTINGS_FILE = CHECKOUT / "config/content-sync.toml"
OURS = ("migrate", "watcher", "worker", "beat")
#: Settings without a default value: the file says what applies instead.
WITHOUT_DEFAULT = re.compile(
    r"(?m)^#(broker_secret|broker_old_secret|schema_file|templates|reviewers_file|marker|file|url|status"
    r"|timezone) = .*\n"
)
COMMENTED_OUT = re.compile(r"(?m)^#(?=\w+ = )")


@pytest.fixture
def defaults(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # there is no settings file here
    return load_settings()


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]


def _load(path, monkeypatch):
    monkeypatch.setenv("CONTENT_SYNC_CONFIG", str(path))
    return load_settings()


def test_the_settings_file_changes_no_default(defaults, monkeypatch):
    monkeypatch.chdir(CHECKOUT)  # the project's root, so that paths stay as they are written
    assert replace(_load(SETTINGS_FILE, monkeypatch), config=None) == defaults


def test_the_settings_file_shows_every_setting_with_its_default(defaults, monkeypatch, tmp_path):
    text = SETTINGS_FILE.read_text()
    shown = tomllib.loads(COMMENTED_OUT.sub("", text))
    path = tmp_path / "shown.toml"
    path.write_text(COMMENTED_OUT.sub("", WITHOUT_DEFAULT.sub("", text)))

    assert set(shown) == set(Settings.__struct_fields__) - {"config"}
    for name, table in fields_of(Settings).items():
        if isinstance(table, type) and issubclass(table, Section):
            assert set(shown[name]) == set(table.__struct_fields__) - {"default_cadences"}
    assert replace(_load(path, monkeypatch), config=None) == defaults


def test_the_examples_in_the_settings_file_are_settings(monkeypatch, tmp_path):
    text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", SETTINGS_FILE.read_text())
    path = tmp_path / "examples.toml"
    path.write_text(text)

    settings = _load(path, monkeypatch)

    assert {type(channel) for channel in settings.channels.values()} == set(get_args(Channel))
    assert settings.routes["asha"].hours is not None
    assert settings.routes["nobodys"].fallback
    assert len(settings.routes) > 3
    assert len(settings.review.default_cadences) > 2


def test_the_settings_of_the_containers_send_mail_to_the_reviewers(monkeypatch, services):
    environment = services["worker"]["environment"]
    for name in ("CONTENT_SYNC_STORE_URL", "CONTENT_SYNC_BROKER_URL"):
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", environment[name]))

    settings = _load(CHECKOUT / "config/compose.toml", monkeypatch)

    assert str(settings.seeds) == "/srv/seeds"
    assert settings.log_format == "json"
    assert settings.routes["reviewers"].to == ("reviewers@example.org",)
    assert settings.channels["mail"].host in services
    assert not settings.in_process


def test_no_port_is_published_but_the_mail_page_on_loopback(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == {"mailpit": ["127.0.0.1:8025:8025"]}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_unneeded_rights(services, name):
    service = services[name]

    assert service["user"] == "10001:10001"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_every_long_running_service_has_a_health_check_and_can_be_scaled(services):
    for name, service in services.items():
        assert ("healthcheck" in service) == (name != "migrate"), name
        assert not {"container_name", "hostname"} & set(service), name
