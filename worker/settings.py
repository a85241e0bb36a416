"""The settings: `config/content-sync.toml`, then environment variables, then command-line flags.

An unknown key is an error that names the nearest known one, in the file and in the environment.
Every secret may come from a file: `CONTENT_SYNC_STORE_URL_FILE` names a file that holds the value
of `CONTENT_SYNC_STORE_URL`. Nothing here opens a connection.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from worker.domain.facts import Fields
from worker.errors import ConfigurationError
from worker.settings_sources import (
    ENV_PREFIX,
    config_path,
    read_file,
    suggest,
    without_file_variables,
)
from worker.settings_tables import (
    AppriseChannel,
    BrakeSettings,
    CalendarSettings,
    Channel,
    ConsoleChannel,
    DeadmanSettings,
    DeliverySettings,
    EmailChannel,
    HoursSettings,
    IntakeSettings,
    ReviewSettings,
    RouteSettings,
    RuleSettings,
    Section,
    StreamSettings,
    WatchSettings,
    WebhookChannel,
)

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
    "Section",
    "Settings",
    "WatchSettings",
    "WebhookChannel",
    "load_settings",
    "packaged_config",
    "variable_names",
]

MEMORY_BROKER = "memory://"
#: Tables whose keys are no fields of the settings: the team's own names, and the rules'.
_TABLES_OF_NAMES = tuple(f"{ENV_PREFIX}{table}__" for table in ("CHANNELS", "ROUTES", "RULES"))


class Settings(BaseSettings):
    """Everything that can be set. See the README for the table of them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    config: Path | None = None
    seeds: Path = Field(Path("seeds"), description="the folder that is the truth")
    store_url: SecretStr = Field(
        SecretStr("sqlite:///var/content-sync.db"),
        description="SQLAlchemy URL: SQLite or PostgreSQL",
    )
    broker_url: SecretStr = Field(
        SecretStr(MEMORY_BROKER), description="`memory://` or a Redis URL"
    )
    broker_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="signs the messages over Redis; default: from the broker's password",
    )
    broker_old_secret: SecretStr | None = Field(
        None, min_length=16, description="still accepted, until every part knows the new one"
    )
    schema_file: Path | None = Field(
        None, description="default: seed.schema.json beside the settings file"
    )
    templates: Path | None = Field(None, description="default: templates/ beside the settings file")
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    fields: Fields = Fields()
    rules: RuleSettings = RuleSettings()
    watch: WatchSettings = WatchSettings()
    intake: IntakeSettings = IntakeSettings()
    brake: BrakeSettings = BrakeSettings()
    review: ReviewSettings = ReviewSettings()
    delivery: DeliverySettings = DeliverySettings()
    stream: StreamSettings = StreamSettings()
    calendar: CalendarSettings = CalendarSettings()
    deadman: DeadmanSettings = DeadmanSettings()
    channels: dict[str, Channel] = {"console": ConsoleChannel(kind="console")}
    routes: dict[str, RouteSettings] = {"everyone": RouteSettings(channel="console")}

    @model_validator(mode="after")
    def _routes_have_channels(self) -> Settings:
        for name, route in self.routes.items():
            channel = self.channels.get(route.channel)
            if channel is None:
                raise ValueError(
                    f"routes.{name}.channel is {route.channel!r}, and there is no such channel"
                    f"{suggest(route.channel, self.channels)}"
                )
            if channel.kind == "email" and not route.to:
                raise ValueError(f"routes.{name}.to is empty: an e-mail route needs recipients")
            for key, other in (("backup", route.backup), ("lead", route.lead)):
                if other is not None and other not in self.routes:
                    raise ValueError(
                        f"routes.{name}.{key} is {other!r}, and there is no such route"
                        f"{suggest(other, self.routes)}"
                    )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as pydantic-settings calls it
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put flags before the environment, and the environment before the file."""
        environment = EnvSettingsSource(settings_cls, env_parse_none_str="")
        environment.env_vars = without_file_variables(environment.env_vars)
        return (init_settings, environment, InitSettingsSource(settings_cls, read_file()))

    @property
    def zone(self) -> ZoneInfo:
        """Return the team's time zone."""
        return ZoneInfo(self.review.timezone)

    @property
    def in_process(self) -> bool:
        """Return whether the broker lives in this process, so that no other one can take part."""
        return self.broker_url.get_secret_value().startswith("memory:")

    def beside(self, name: str) -> Path:
        """Return a file or folder that lies beside the settings file, or the packaged one."""
        if self.config is not None and (found := self.config.parent / name).exists():
            return found
        return packaged_config() / name


def packaged_config() -> Path:
    """Return the folder of the defaults: in the wheel, or `config/` of a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "_config"
    return packaged if packaged.is_dir() else here.parent / "config"


def load_settings(**flags: Any) -> Settings:
    """Return the settings; raise `ConfigurationError` in one line when any is unusable.

    A flag that is None counts as not given.
    """
    _refuse_unknown_variables(os.environ)
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given, config=config_path())
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = set(variable_names())
    for name in environment:
        if not name.startswith(ENV_PREFIX):
            continue
        plain = name if name in known else name.removesuffix("_FILE")
        if plain in known or plain.startswith(_TABLES_OF_NAMES):
            continue
        raise ConfigurationError(
            f"the environment variable {name} is not a setting{suggest(name, known)}"
        )


def variable_names() -> Iterator[str]:
    """Yield the name of every environment variable that is a setting of its own."""
    for name, field in Settings.model_fields.items():
        yield f"{ENV_PREFIX}{name}".upper()
        if name not in {"channels", "routes"}:  # their tables have names of the team's own
            inner = _keys_of(field.annotation)
            yield from (f"{ENV_PREFIX}{name}__{key}".upper() for key in inner)


def _explain(error: ValidationError) -> str:
    """Put the first problem of a validation error into one line, with a suggestion."""
    first = error.errors(include_url=False, include_input=False)[0]
    kinds = {"console", "email", "apprise", "webhook"}
    where = [str(part) for part in first["loc"] if part not in kinds]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown setting {'.'.join(where)}{suggest(where[-1], _keys_at(where[:-1]))}"
    more = error.error_count() - 1
    rest = f" (and {more} more)" if more else ""
    return f"setting {'.'.join(where)}: {message}{rest}" if where else f"{message}{rest}"


def _keys_at(where: list[str]) -> list[str]:
    """Return the keys that the settings file may have in a table."""
    match where:
        case []:
            return list(Settings.model_fields)
        case ["channels", _]:
            return list(EmailChannel.model_fields | WebhookChannel.model_fields)
        case ["routes", _]:
            return list(RouteSettings.model_fields)
        case ["routes", _, "hours"]:
            return list(HoursSettings.model_fields)
        case [section, *_]:
            return _keys_of(Settings.model_fields[section].annotation)
        case _:
            return []


def _keys_of(kind: Any) -> list[str]:
    """Return the keys of a table: none where a setting is no table."""
    if kind is Fields:
        return [field.name for field in dataclasses.fields(Fields)]
    return list(getattr(kind, "model_fields", ()))
