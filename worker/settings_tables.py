"""The tables of the settings file: what can be set in each, with its default and its meaning.

Where the values come from is in `worker.settings_sources`, how they are put together and explained
in `worker.settings`, which alone is imported elsewhere.
"""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)

from worker.domain.codes import CODES, PROTECTED, code_of
from worker.domain.notice import KINDS, ROUTINE_KINDS
from worker.domain.problem import Severity
from worker.domain.review import parse_cadence
from worker.settings_sources import suggest


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
    marker: str | None = Field(
        None, description="a file that lies in the seeds folder whenever it is the right one"
    )

    @field_validator("marker")
    @classmethod
    def _is_in_the_folder(cls, value: str | None) -> str | None:
        if value is not None and (not value or "/" in value or value in {".", ".."}):
            raise ValueError(f"{value!r} is not the name of a file in the seeds folder")
        return value


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
    lead_days: dict[str, tuple[PositiveInt, ...]] = Field(
        {"monthly": (3,), "quarterly": (14, 3), "annual": (30, 7)},
        description="how many days ahead a review is announced, by review frequency: a document "
        "takes the longest one that is not longer than its own",
    )
    repeat_days: PositiveInt = Field(7, description="how often an overdue review is told again")
    backup_days: PositiveInt = Field(
        7, description="days overdue after which the route's backup is told too"
    )
    lead_escalation_days: PositiveInt = Field(
        21, description="days overdue after which the route's lead is told too"
    )
    ack_days: PositiveInt = Field(
        7, description="how long `ack` stops an overdue review from being told again"
    )
    max_snooze_days: PositiveInt = Field(30, description="the longest snooze")
    max_snoozes: PositiveInt = Field(2, description="snoozes of one review, at most")
    ask_after_high_risk: bool = Field(
        False, description="ask for a review when an edit of high risk was stored"
    )
    reviewers_file: Path | None = Field(
        None, description="default: reviewers beside the settings file"
    )
    sweep_seconds: PositiveFloat = Field(3600, description="interval of the review sweep")
    default_cadences: tuple[DefaultCadence, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        return _zone(value)

    @field_validator("lead_days")
    @classmethod
    def _are_cadences(cls, value: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        if not value:
            raise ValueError("name one review frequency at least")
        for word in value:
            cadence = parse_cadence(word)
            if cadence is None or cadence.every is None:
                raise ValueError(f"{word!r} is not a review frequency that falls due")
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
    breaker_failures: PositiveInt = Field(
        5, description="failures in a row after which a channel is left alone …"
    )
    breaker_seconds: PositiveFloat = Field(300, description="… for so long, and then tried once")


class ConsoleChannel(Section):
    """Messages on the worker's standard output."""

    kind: Literal["console"]
    per_minute: PositiveFloat | None = None


class EmailChannel(Section):
    """Messages by SMTP."""

    kind: Literal["email"]
    per_minute: PositiveFloat | None = None
    host: str = "localhost"
    port: PositiveInt = 25
    sender: str = "Content Sync <content-sync@localhost>"
    security: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: SecretStr | None = None
    list_id: str | None = Field(None, description="default: content-sync.<domain of the sender>")
    timeout_seconds: PositiveFloat = 20


class AppriseChannel(Section):
    """Messages by any service that Apprise knows, by its URL. Slack takes one message a second."""

    kind: Literal["apprise"]
    per_minute: PositiveFloat | None = 60
    url: SecretStr


class WebhookChannel(Section):
    """Messages to a program, signed as Standard Webhooks says."""

    kind: Literal["webhook"]
    per_minute: PositiveFloat | None = 60
    url: SecretStr
    secret: SecretStr = Field(description="`whsec_` and base64")
    old_secret: SecretStr | None = Field(
        None, description="signs too, until the other side knows the new one"
    )
    allow_private: tuple[str, ...] = Field(
        (), description="hosts that may have a private address, and be reached without TLS"
    )
    timeout_seconds: PositiveFloat = 10


Channel = Annotated[
    ConsoleChannel | EmailChannel | AppriseChannel | WebhookChannel, Field(discriminator="kind")
]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HoursSettings(Section):
    """When a route may be told of what can wait: weekdays and hours in its own zone.

    Where `opens` and `closes` are the same, the whole day is open.
    """

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: time = time(8)
    closes: time = time(18)
    timezone: str | None = Field(None, description="default: the team's")
    holidays: str | None = Field(
        None, description="a country or its part, as `IN` or `IN-KA`, whose holidays are free"
    )
    jitter_minutes: NonNegativeInt = Field(
        0, description="the opening is delayed by up to so much, so that not all are told at once"
    )

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        return None if value is None else _zone(value)

    @model_validator(mode="after")
    def _open_some_time(self) -> Self:
        if not self.days:
            raise ValueError("hours on no day never open")
        if self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise ValueError("hours are told without an offset; timezone says whose they are")
        return self


class RouteSettings(Section):
    """Who is told, and over which channel. An empty match means every document."""

    channel: str
    to: tuple[str, ...] = Field((), description="recipients, where the channel needs them (e-mail)")
    paths: tuple[str, ...] = Field((), description="patterns on the path, as in .gitignore")
    source_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = Field((), description="names that this person goes by")
    kinds: tuple[str, ...] = ROUTINE_KINDS
    fallback: bool = Field(False, description="told only of what nobody else answers for")
    backup: str | None = Field(None, description="the route that is told when a review waits long")
    lead: str | None = Field(None, description="the route that is told when it waits still longer")
    hours: HoursSettings | None = Field(None, description="default: at any time")

    @field_validator("kinds")
    @classmethod
    def _are_kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for kind in value:
            if kind not in KINDS:
                raise ValueError(
                    f"{kind!r} is no kind of notice{suggest(kind, KINDS)} ({', '.join(KINDS)})"
                )
        return value


class StreamSettings(Section):
    """The Redis stream of CloudEvents for programs that follow the library."""

    url: SecretStr | None = Field(None, description="default: the broker, where that is Redis")
    key: str = "content-sync:events"
    max_length: PositiveInt = Field(100_000, description="about how many events the stream keeps")


class CalendarSettings(Section):
    """The review calendar as a file that calendar programs subscribe to."""

    file: Path | None = Field(None, description="such as var/reviews.ics; default: none is written")


class DeadmanSettings(Section):
    """The watcher of the watcher: an address that raises the alarm when it is asked no more."""

    url: SecretStr | None = Field(None, description="asked while sweep and delivery run")
    every_seconds: PositiveFloat = 60


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


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone of the IANA database") from error
    return name
