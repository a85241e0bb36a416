"""The settings: the settings file, then environment variables, then command-line flags.

An unknown key is an error that names the nearest known one, in the file and in the environment.
Every secret can come from a file: `CONTENT_SYNC_STORE_URL_FILE` names a file with the value of
`CONTENT_SYNC_STORE_URL`. Nothing here opens a connection.

The settings file is `config/content-sync.toml` in the working directory or the nearest folder above it,
so a command works from any folder of a project. `worker.settings.paths` says where its relative paths
begin.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import field
from msgspec.structs import force_setattr

from worker.domain.seeds.facts import Fields
from worker.domain.seeds.problem import Severity
from worker.errors import ConfigurationError
from worker.settings.machine_zone import machine_zone
from worker.settings.paths import from_root, root_of
from worker.settings.reading import fields_of, kind_at, merge, read, value_of
from worker.settings.sources import (
    ENV_PREFIX,
    config_path,
    read_environment,
    read_file,
    suggest,
    variable,
)
from worker.settings.tables import (
    DEFAULT_LEAD_DAYS,
    AppriseChannel,
    BrakeSettings,
    CalendarSettings,
    Channel,
    ConsoleChannel,
    DeadmanSettings,
    DefaultsSettings,
    DeliverySettings,
    EmailChannel,
    HoursSettings,
    IntakeSettings,
    Level,
    ReviewSettings,
    RouteSettings,
    StreamSettings,
    WatchSettings,
    WebhookChannel,
    severities_of,
)
from worker.settings.types import Secret, Section

__all__ = [
    "AppriseChannel",
    "BrakeSettings",
    "Channel",
    "ConsoleChannel",
    "DeliverySettings",
    "EmailChannel",
    "HoursSettings",
    "IntakeSettings",
    "ReviewSettings",
    "RouteSettings",
    "Secret",
    "Section",
    "Settings",
    "WatchSettings",
    "WebhookChannel",
    "load_settings",
    "packaged_config",
    "variable_names",
]

MEMORY_BROKER = "memory://"
LEAST_SECRET_LETTERS = 16
DEFAULT_SEEDS = "seeds"
DEFAULT_STORE_URL = "sqlite:///var/content-sync.db"
#: Tables whose keys the team names, or that the rules name: these keys are not fields of a class.
_TABLES_OF_NAMES = tuple(f"{ENV_PREFIX}{table}__" for table in ("CHANNELS", "ROUTES", "RULES"))


class Settings(Section, frozen=True):
    """All settings. docs/settings.md has a table of them."""

    config: Path | None = None
    seeds: Path = Path(DEFAULT_SEEDS)  # the folder of the documents
    store_url: Secret = Secret(DEFAULT_STORE_URL)  # SQLite or PostgreSQL
    broker_url: Secret = Secret(MEMORY_BROKER)  # `memory://` or a Redis URL
    broker_secret: Secret | None = None  # signs messages over Redis; default: the broker's password
    broker_old_secret: Secret | None = None  # still accepted, until every process has the new one
    schema_file: Path | None = None  # default: seed.schema.json beside the settings file
    templates: Path | None = None  # default: templates/ beside the settings file
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    fields: Fields = Fields()
    defaults: DefaultsSettings = DefaultsSettings()
    rules: dict[str, Level] = field(default_factory=dict)
    watch: WatchSettings = WatchSettings()
    intake: IntakeSettings = IntakeSettings()
    brake: BrakeSettings = BrakeSettings()
    review: ReviewSettings = ReviewSettings()
    delivery: DeliverySettings = DeliverySettings()
    stream: StreamSettings = StreamSettings()
    calendar: CalendarSettings = CalendarSettings()
    deadman: DeadmanSettings = DeadmanSettings()
    channels: dict[str, Channel] = field(default_factory=lambda: {"console": ConsoleChannel()})
    routes: dict[str, RouteSettings] = field(
        default_factory=lambda: {"everyone": RouteSettings(channel="console")}
    )

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        for name in ("broker_secret", "broker_old_secret"):
            secret: Secret | None = getattr(self, name)
            if secret is not None and len(secret.value) < LEAST_SECRET_LETTERS:
                raise ValueError(f"setting {name} needs at least {LEAST_SECRET_LETTERS} characters")
        for name, route in self.routes.items():
            channel = self.channels.get(route.channel)
            if channel is None:
                raise ValueError(
                    f"routes.{name}.channel is {route.channel!r}, but no channel has that name"
                    f"{suggest(route.channel, self.channels)}"
                )
            if isinstance(channel, EmailChannel) and not route.to:
                raise ValueError(f"routes.{name}.to is empty: an e-mail route needs recipients")
            for key, other in (("backup", route.backup), ("lead", route.lead)):
                if other is not None and other not in self.routes:
                    raise ValueError(
                        f"routes.{name}.{key} is {other!r}, but no route has that name"
                        f"{suggest(other, self.routes)}"
                    )
        force_setattr(self, "fields", _with_defaults(self.fields, self.defaults.status))
        try:
            severities_of(self.rules)
        except ValueError as error:
            raise ValueError(f"setting rules: {error}") from None

    @property
    def root(self) -> Path:
        """Return the project's root, where the relative paths of the settings file begin."""
        return root_of(self.config)

    @property
    def severities(self) -> dict[str, Severity | None]:
        """Return the severities that the team set, by rule code; None for a rule that is off."""
        return severities_of(self.rules)

    @property
    def zone(self) -> ZoneInfo:
        """Return the team's time zone; raise `ConfigurationError` if only the machine could say it."""
        if self.review.timezone is not None:
            return ZoneInfo(self.review.timezone)
        return machine_zone()

    @property
    def zone_words(self) -> str:
        """Return the team's time zone in words, and where it comes from."""
        name = self.zone.key
        return name if self.review.timezone is not None else f"{name}, this machine's"

    @property
    def in_process(self) -> bool:
        """Return whether the broker is inside this process, so that no other process can use it."""
        return self.broker_url.value.startswith("memory:")

    def beside(self, name: str) -> Path:
        """Return a file or folder beside the settings file, or the packaged one."""
        if self.config is not None and (found := self.config.parent / name).exists():
            return found
        return packaged_config() / name


def packaged_config() -> Path:
    """Return the folder of the default files: in the wheel, or `config/` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_config"
    return packaged if packaged.is_dir() else package.parent / "config"


def load_settings(**flags: Any) -> Settings:
    """Return the settings; raise `ConfigurationError` with one line when one cannot be used.

    A flag that is None counts as not given.
    """
    config = config_path()
    given = {name: value for name, value in flags.items() if value is not None}
    defaults = {"seeds": DEFAULT_SEEDS, "store_url": DEFAULT_STORE_URL}
    values: dict[str, Any] = {"review": {"lead_days": DEFAULT_LEAD_DAYS}}
    of_the_file = from_root({**defaults, **read_file(config)}, root_of(config))
    for layer in (of_the_file, _environment(), given, {"config": config}):
        values = merge(values, layer)
    # These are read one by one, so that an error names the entry.
    for table, kind in (("rules", Level), ("channels", Channel), ("routes", RouteSettings)):
        named = values.get(table)
        if isinstance(named, Mapping):
            values[table] = {name: read(one, kind, at=(table, name)) for name, one in named.items()}
    _refuse_unknown_fields(values.get("fields"))
    settings: Settings = read(values, Settings)
    return settings


def _environment() -> dict[str, Any]:
    """Return what the environment sets, in the shape of the settings file."""
    _refuse_unknown_variables(os.environ)
    found: dict[str, Any] = {}
    for name, text in sorted(read_environment().items()):
        path = name.split("__")
        try:
            value = value_of(text, kind_at(Settings, path))
        except ValueError:
            raise ConfigurationError(
                f'{variable(name)} must be JSON, such as ["one", "two"] or {{"key": "value"}}'
            ) from None
        for key in reversed(path):
            value = {key: value}
        found = merge(found, value)
    return found


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    ours = [name for name in environment if name.startswith(ENV_PREFIX)]
    known = set(variable_names()) if ours else set()
    for name in ours:
        plain = name if name in known else name.removesuffix("_FILE")
        if plain in known or plain.startswith(_TABLES_OF_NAMES):
            continue
        raise ConfigurationError(
            f"the environment variable {name} is not a setting{suggest(name, known)}"
        )


def variable_names() -> Iterator[str]:
    """Yield the names of the environment variables; those of channels, routes and rules vary."""
    for name, kind in fields_of(Settings).items():
        yield variable(name)
        if name not in {"channels", "routes"}:  # the team names the tables in these
            yield from (variable(f"{name}__{key}") for key in fields_of(kind))


def _with_defaults(fields: Fields, status: str | None) -> Fields:
    """Return the fields with the default status; refuse to switch off what every document needs."""
    for name, written in asdict(fields).items():
        if not written.strip() and name in fields_of(Fields) and name not in {"version", "status"}:
            raise ValueError(f"setting fields.{name} is empty: write the name of the field")
    if status is not None and not status.strip():
        raise ValueError("setting defaults.status is empty: write a status, such as active")
    if not fields.status and status is None:
        raise ValueError(
            "setting fields.status is empty, so every document needs a default:"
            ' write status = "active" in [defaults]'
        )
    return replace(fields, default_status=status or "")


def _refuse_unknown_fields(fields: Any) -> None:
    if isinstance(fields, Mapping):
        known = fields_of(Fields)
        for name in fields:
            if name not in known:
                raise ConfigurationError(f"unknown setting fields.{name}{suggest(name, known)}")
