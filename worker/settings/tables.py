"""The tables of the settings file: what can be set in each, with its default and its meaning.

Where the values come from is in `worker.settings.sources`, how they are read and explained in
`worker.settings.reading`, and how they are put together in `worker.settings.model`, which alone is imported
elsewhere.
"""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, field

from worker.domain.reviews.notice import KINDS, ROUTINE_KINDS
from worker.domain.reviews.review import parse_cadence
from worker.domain.seeds.codes import CODES, PROTECTED, code_of
from worker.domain.seeds.problem import Severity
from worker.settings.sources import suggest
from worker.settings.types import (
    ClockTime,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Secret,
    Section,
)


class WatchSettings(Section, frozen=True):
    """How the seeds folder is watched."""

    suffixes: tuple[str, ...] = (".md", ".markdown", ".txt")  # file names that are seeds
    coalesce_ms: PositiveFloat = 10  # wait after a close or a rename
    still_ms: PositiveFloat = 100  # how long a stamp must stand still where no close was seen
    removal_ms: PositiveFloat = 1000  # how long a path must be gone before its document is retired
    max_wait_seconds: PositiveFloat = 60  # the longest wait for a file that never stops changing
    scan_seconds: PositiveFloat = 60  # interval of the scans that find what events missed
    polling: bool = False  # scan instead of inotify: for NFS, SMB, Docker Desktop
    polling_seconds: PositiveFloat = 30  # scan interval while polling


class IntakeSettings(Section, frozen=True):
    """Sizes of what travels from the watcher to the workers."""

    max_file_bytes: PositiveInt = 5 * 1024 * 1024  # a larger seed is refused
    batch_files: PositiveInt = 128  # files in one message, at most
    batch_bytes: PositiveInt = 4 * 1024 * 1024  # bytes beside one message, about
    max_batches: PositiveInt = 16  # batches that may be unconsumed before the watcher waits
    spool_seconds: PositiveInt = 3600  # how long unconsumed bytes are kept in Redis


class BrakeSettings(Section, frozen=True):
    """When a mass disappearance is held until a person agrees."""

    share: Annotated[float, Meta(gt=0, le=1)] = 0.2  # more than this share of the live documents …
    count: NonNegativeInt = 10  # … and more than this many, in one scan
    marker: str | None = None  # a file that lies in the seeds folder whenever it is the right one

    def __post_init__(self) -> None:
        """Refuse a marker elsewhere."""
        name = self.marker
        if name is not None and (not name or "/" in name or name in {".", ".."}):
            raise ValueError(f"marker {name!r} is not the name of a file in the seeds folder")


class DefaultCadence(Section, frozen=True):
    """The review frequency of documents that name none."""

    frequency: str
    source_type: str | None = None
    paths: tuple[str, ...] = ()  # patterns on the path, as in .gitignore

    def __post_init__(self) -> None:
        """Refuse what is no frequency."""
        if parse_cadence(self.frequency) is None:
            raise ValueError(f"frequency {self.frequency!r} is no review frequency")


#: How many days ahead a review is announced, by frequency; a team's own entries take their places.
DEFAULT_LEAD_DAYS = {"monthly": (3,), "quarterly": (14, 3), "annual": (30, 7)}


class ReviewSettings(Section, frozen=True):
    """The review clock."""

    timezone: str = "UTC"  # the zone whose dates count, as of the IANA database
    # A document takes the entry of the longest frequency that is not longer than its own.
    lead_days: dict[str, tuple[PositiveInt, ...]] = field(default_factory=DEFAULT_LEAD_DAYS.copy)
    repeat_days: PositiveInt = 7  # how often an overdue review is told again
    backup_days: PositiveInt = 7  # days overdue after which the route's backup is told too
    lead_escalation_days: PositiveInt = 21  # days overdue after which the route's lead is told too
    ack_days: PositiveInt = 7  # how long `ack` stops an overdue review from being told again
    max_snooze_days: PositiveInt = 30  # the longest snooze
    max_snoozes: PositiveInt = 2  # snoozes of one review, at most
    ask_after_high_risk: bool = False  # ask for a review when an edit of high risk was stored
    reviewers_file: Path | None = None  # default: reviewers beside the settings file
    sweep_seconds: PositiveFloat = 3600  # interval of the review sweep
    default_cadences: tuple[DefaultCadence, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a zone or a frequency that there is not."""
        _require_zone(self.timezone)
        for word in self.lead_days:
            cadence = parse_cadence(word)
            if cadence is None or cadence.every is None:
                raise ValueError(f"lead_days: {word!r} is no review frequency that falls due")


class DeliverySettings(Section, frozen=True):
    """How notices become messages."""

    group_wait_seconds: PositiveFloat = 5  # a digest waits until no new notice came for so long …
    group_max_seconds: PositiveFloat = 600  # … but never longer than this
    tick_seconds: PositiveFloat = 2  # interval of the delivery task
    lease_seconds: PositiveFloat = 120  # how long a digest belongs to one worker
    max_attempts: PositiveInt = 12  # then the notices are failed
    digest_lines: PositiveInt = 20  # documents named in one digest section, at most
    breaker_failures: PositiveInt = 5  # failures in a row after which a channel is left alone …
    breaker_seconds: PositiveFloat = 300  # … for so long, and then tried once


class ConsoleChannel(Section, frozen=True, tag_field="kind", tag="console"):
    """Messages on the worker's standard output."""

    per_minute: PositiveFloat | None = None


class EmailChannel(Section, frozen=True, tag_field="kind", tag="email"):
    """Messages by SMTP."""

    per_minute: PositiveFloat | None = None
    host: str = "localhost"
    port: PositiveInt = 25
    sender: str = "Content Sync <content-sync@localhost>"
    security: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: Secret | None = None
    list_id: str | None = None  # default: content-sync.<domain of the sender>
    timeout_seconds: PositiveFloat = 20


class AppriseChannel(Section, frozen=True, tag_field="kind", tag="apprise"):
    """Messages by any service that Apprise knows, by its URL. Slack takes one message a second."""

    url: Secret
    per_minute: PositiveFloat | None = 60


class WebhookChannel(Section, frozen=True, tag_field="kind", tag="webhook"):
    """Messages to a program, signed as Standard Webhooks says."""

    url: Secret
    secret: Secret  # `whsec_` and base64
    per_minute: PositiveFloat | None = 60
    old_secret: Secret | None = None  # signs too, until the other side knows the new one
    # Hosts that may have a private address, and be reached without TLS.
    allow_private: tuple[str, ...] = ()
    timeout_seconds: PositiveFloat = 10


Channel = ConsoleChannel | EmailChannel | AppriseChannel | WebhookChannel

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HoursSettings(Section, frozen=True):
    """When a route may be told of what can wait: weekdays and hours in its own zone.

    Where `opens` and `closes` are the same, the whole day is open.
    """

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: ClockTime = ClockTime(8)
    closes: ClockTime = ClockTime(18)
    timezone: str | None = None  # default: the team's
    holidays: str | None = (
        None  # a country or its part, as `IN` or `IN-KA`, whose holidays are free
    )
    # The opening is delayed by up to so much, so that not all are told at once.
    jitter_minutes: NonNegativeInt = 0

    def __post_init__(self) -> None:
        """Refuse hours that never open, or that are told in two zones."""
        if self.timezone is not None:
            _require_zone(self.timezone)
        if not self.days:
            raise ValueError("hours on no day never open")
        if self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise ValueError("hours are told without an offset; timezone says whose they are")


class RouteSettings(Section, frozen=True):
    """Who is told, and over which channel. An empty match means every document."""

    channel: str
    to: tuple[str, ...] = ()  # recipients, where the channel needs them (e-mail)
    paths: tuple[str, ...] = ()  # patterns on the path, as in .gitignore
    source_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()  # names that this person goes by
    kinds: tuple[str, ...] = ROUTINE_KINDS
    fallback: bool = False  # told only of what nobody else answers for
    backup: str | None = None  # the route that is told when a review waits long
    lead: str | None = None  # the route that is told when it waits still longer
    hours: HoursSettings | None = None  # default: at any time

    def __post_init__(self) -> None:
        """Refuse a kind of notice that there is not."""
        for kind in self.kinds:
            if kind not in KINDS:
                near = suggest(kind, KINDS)
                raise ValueError(f"kinds: {kind!r} is none of {', '.join(KINDS)}{near}")


class StreamSettings(Section, frozen=True):
    """The Redis stream of CloudEvents for programs that follow the library."""

    url: Secret | None = None  # default: the broker, where that is Redis
    key: str = "content-sync:events"
    max_length: PositiveInt = 100_000  # about how many events the stream keeps


class CalendarSettings(Section, frozen=True):
    """The review calendar as a file that calendar programs subscribe to."""

    file: Path | None = None  # such as var/reviews.ics; default: none is written


class DeadmanSettings(Section, frozen=True):
    """The watcher of the watcher: an address that raises the alarm when it is asked no more."""

    url: Secret | None = None  # asked while sweep and delivery run
    every_seconds: PositiveFloat = 60


#: How severe a rule may be.
Level = Literal["off", "info", "warning", "error"]


def severities_of(levels: dict[str, Level]) -> dict[str, Severity | None]:
    """Return how severe rules are, by code, None for one that is off, from levels by code or name.

    Raises ValueError where there is no such rule, or where no setting may change it.
    """
    severities: dict[str, Severity | None] = {}
    names: dict[str, str] = {}
    for name, level in levels.items():
        code = code_of(name)
        if code is None:
            known = [*CODES, *(rule for rule, _ in CODES.values())]
            raise ValueError(f"{name} is not a rule{suggest(name, known)}")
        if code in PROTECTED:
            raise ValueError(
                f"{name} ({code} {CODES[code][0]}) protects the store: no setting changes"
                f" {min(PROTECTED)} to {max(PROTECTED)}"
            )
        if code in names:
            raise ValueError(f"{names[code]} and {name} are the same rule")
        names[code] = name
        severities[code] = None if level == "off" else Severity(level)
    return severities


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"timezone {name!r} is not of the IANA database") from error
