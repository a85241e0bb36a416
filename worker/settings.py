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
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from worker.domain.codes import CODES, PROTECTED, code_of
from worker.domain.problem import Severity
from worker.domain.review import parse_cadence
from worker.domain.seed import Fields
from worker.errors import ConfigurationError
from worker.settings_sources import (
    ENV_PREFIX,
    config_path,
    read_file,
    suggest,
    without_file_variables,
)

MEMORY_BROKER = "memory://"
#: Tables whose keys are no fields of the settings: the team's own names, and the rules'.
_TABLES_OF_NAMES = tuple(f"{ENV_PREFIX}{table}__" for table in ("CHANNELS", "ROUTES", "RULES"))


class Section(BaseModel):
    """A table of the settings file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WatchSettings(Section):
    """How the seeds folder is watched."""

    suffixes: tuple[str, ...] = Field(
        (".md", ".markdown", ".txt"), description="file names that are seeds"
    )
    coalesce_ms: PositiveFloat = Field(10, description="wait after a close or a rename")
    still_ms: PositiveFloat = Field(
        100, description="how long a stamp must stand still where no close was seen"
    )
    removal_ms: PositiveFloat = Field(
        1000, description="how long a path must be gone before its document is retired"
    )
    max_wait_seconds: PositiveFloat = Field(
        60, description="the longest wait for a file that never stops changing"
    )
    scan_seconds: PositiveFloat = Field(
        60, description="interval of the scans that find what events missed"
    )
    polling: bool = Field(
        False, description="scan instead of inotify: for NFS, SMB, Docker Desktop"
    )
    polling_seconds: PositiveFloat = Field(30, description="scan interval while polling")


class IntakeSettings(Section):
    """Sizes of what travels from the watcher to the workers."""

    max_file_bytes: PositiveInt = Field(5 * 1024 * 1024, description="a larger seed is refused")
    batch_files: PositiveInt = Field(128, description="files in one message, at most")
    batch_bytes: PositiveInt = Field(4 * 1024 * 1024, description="bytes beside one message, about")
    max_batches: PositiveInt = Field(
        16, description="batches that may be unconsumed before the watcher waits"
    )
    spool_seconds: PositiveInt = Field(
        3600, description="how long unconsumed bytes are kept in Redis"
    )


class BrakeSettings(Section):
    """When a mass disappearance is held until a person agrees."""

    share: float = Field(
        0.2, gt=0, le=1, description="more than this share of the live documents …"
    )
    count: int = Field(10, ge=0, description="… and more than this many, in one scan")


class DefaultCadence(Section):
    """The review frequency of documents that name none."""

    source_type: str | None = None
    paths: tuple[str, ...] = Field((), description="patterns on the path, as in .gitignore")
    frequency: str

    @field_validator("frequency")
    @classmethod
    def _is_a_cadence(cls, value: str) -> str:
        if parse_cadence(value) is None:
            raise ValueError(f"{value!r} is not a review frequency")
        return value


class ReviewSettings(Section):
    """The review clock."""

    timezone: str = Field("UTC", description="the zone whose dates count, as of the IANA database")
    upcoming_days: PositiveInt = Field(
        14, description="how long before its due date a review is upcoming"
    )
    sweep_seconds: PositiveFloat = Field(3600, description="interval of the review sweep")
    default_cadences: tuple[DefaultCadence, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone of the IANA database") from error
        return value


class DeliverySettings(Section):
    """How notices become messages."""

    group_wait_seconds: PositiveFloat = Field(
        5, description="a digest waits until no new notice came for this long …"
    )
    group_max_seconds: PositiveFloat = Field(600, description="… but never longer than this")
    tick_seconds: PositiveFloat = Field(2, description="interval of the delivery task")
    lease_seconds: PositiveFloat = Field(120, description="how long a digest belongs to one worker")
    max_attempts: PositiveInt = Field(12, description="then the notices are failed")
    digest_lines: PositiveInt = Field(
        20, description="documents named in one digest section, at most"
    )


class ConsoleChannel(Section):
    """Messages on the worker's standard output."""

    kind: Literal["console"]


class EmailChannel(Section):
    """Messages by SMTP."""

    kind: Literal["email"]
    host: str = "localhost"
    port: PositiveInt = 25
    sender: str = "Content Sync <content-sync@localhost>"
    security: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: SecretStr | None = None
    timeout_seconds: PositiveFloat = 20


class AppriseChannel(Section):
    """Messages by any service that Apprise knows, by its URL."""

    kind: Literal["apprise"]
    url: SecretStr


Channel = Annotated[ConsoleChannel | EmailChannel | AppriseChannel, Field(discriminator="kind")]


class RouteSettings(Section):
    """Who is told, and over which channel. An empty match means every document."""

    channel: str
    to: tuple[str, ...] = Field((), description="recipients, where the channel needs them (e-mail)")
    paths: tuple[str, ...] = Field((), description="patterns on the path, as in .gitignore")
    source_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    kinds: tuple[Literal["review", "refused", "held"], ...] = ("review", "refused", "held")


class StreamSettings(Section):
    """The Redis stream of CloudEvents for programs that follow the library."""

    url: SecretStr | None = Field(None, description="default: the broker, where that is Redis")
    key: str = "content-sync:events"
    max_length: PositiveInt = Field(100_000, description="about how many events the stream keeps")


class RuleSettings(Section):
    """How severe a rule is, by its name or code: `off`, `info`, `warning` or `error`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    __pydantic_extra__: dict[str, Literal["off", "info", "warning", "error"]]

    @model_validator(mode="after")
    def _are_rules(self) -> RuleSettings:
        seen: dict[str, str] = {}
        for name in self.__pydantic_extra__:
            code = code_of(name)
            if code is None:
                known = [*CODES, *(rule for rule, _ in CODES.values())]
                raise ValueError(f"{name} is not a rule{suggest(name, known)}")
            if code in PROTECTED:
                raise ValueError(
                    f"{name} ({code} {CODES[code][0]}) protects the store: no setting changes"
                    f" {min(PROTECTED)} to {max(PROTECTED)}"
                )
            if code in seen:
                raise ValueError(f"{seen[code]} and {name} are the same rule")
            seen[code] = name
        return self

    @property
    def severities(self) -> dict[str, Severity | None]:
        """Return what is set, by code; None for a rule that is off."""
        return {
            code: None if level == "off" else Severity(level)
            for name, level in self.__pydantic_extra__.items()
            if (code := code_of(name)) is not None
        }


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
    where = [str(part) for part in first["loc"] if part not in {"console", "email", "apprise"}]
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
            return list(EmailChannel.model_fields)
        case ["routes", _]:
            return list(RouteSettings.model_fields)
        case [section, *_]:
            return _keys_of(Settings.model_fields[section].annotation)
        case _:
            return []


def _keys_of(kind: Any) -> list[str]:
    """Return the keys of a table: none where a setting is no table."""
    if kind is Fields:
        return [field.name for field in dataclasses.fields(Fields)]
    return list(getattr(kind, "model_fields", ()))
