"""The tables of the settings file: each setting with its default and its meaning.

`worker.settings.sources` finds the values, `worker.settings.reading` converts them, and
`worker.settings.model` combines them. Other packages import only the model.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, field

from worker.domain.reviews.notice import KINDS, ROUTINE_KINDS
from worker.domain.reviews.review import parse_cadence
from worker.domain.seeds.codes import CODES, PROTECTED, code_of
from worker.domain.seeds.names import is_temporary
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

#: The end of a file's name; it may have several parts, such as `.html.md`.
_SUFFIX = re.compile(r"(?:\.[^\s./\\*?\[\]{}]+)+")


class WatchSettings(Section, frozen=True):
    """How the seeds folder is watched."""

    suffixes: tuple[str, ...] = (".md", ".markdown", ".txt")  # file names that are seeds
    # Names of folders without seeds, in addition to the bins of network drives; case does not matter.
    ignore_folders: tuple[str, ...] = ()
    coalesce_ms: PositiveFloat = 10  # the wait after a close or a rename
    still_ms: PositiveFloat = 100  # how long a stamp must stay the same when no close was seen
    removal_ms: PositiveFloat = 1000  # how long a path must be gone before its document is retired
    max_wait_seconds: PositiveFloat = 60  # the longest wait for a file that never stops changing
    scan_seconds: PositiveFloat = 60  # interval of the scans that find changes without an event
    polling: bool = False  # scan instead of inotify: for NFS, SMB, Docker Desktop
    polling_seconds: PositiveFloat = 30  # scan interval while polling

    def __post_init__(self) -> None:
        """Refuse suffixes that no name of a document has, and a folder to ignore that is a path."""
        if not self.suffixes:
            raise ValueError('suffixes is empty, so no file is a document: write [".md"]')
        for suffix in self.suffixes:
            if not _SUFFIX.fullmatch(suffix):
                raise ValueError(f"suffixes: {suffix!r} is not the end of a name{_meant(suffix)}")
            if is_temporary(f"x{suffix}"):
                raise ValueError(
                    f"suffixes: {suffix!r} is the end of temporary names, which are ignored"
                )
        for name in self.ignore_folders:
            if not name or "/" in name or name in {".", ".."}:
                raise ValueError(
                    f"ignore_folders: {name!r} is not the name of a folder; the file .seedignore takes paths"
                )


class DefaultsSettings(Section, frozen=True):
    """The values of fields that a document does not have."""

    status: str | None = None  # such as active, for a library without a status in its front matter


class IntakeSettings(Section, frozen=True):
    """Limits of the batches that the watcher sends to the workers."""

    max_file_bytes: PositiveInt = 5 * 1024 * 1024  # larger seeds are refused
    batch_files: PositiveInt = 128  # most files in one batch
    batch_bytes: PositiveInt = 4 * 1024 * 1024  # approximate bytes of one batch
    max_batches: PositiveInt = 16  # unconsumed batches at which the watcher waits
    spool_seconds: PositiveInt = 3600  # how long unconsumed bytes are kept in Redis


class BrakeSettings(Section, frozen=True):
    """When removals, or messages of refusals, are held until a person approves them."""

    share: Annotated[float, Meta(gt=0, le=1)] = 0.2  # more than this share of the live documents …
    count: NonNegativeInt = 10  # … and more than this many, within 24 hours
    marker: str | None = None  # a file that proves that the right seeds folder is mounted

    def __post_init__(self) -> None:
        """Refuse a marker outside the seeds folder."""
        name = self.marker
        if name is not None and (not name or "/" in name or name in {".", ".."}):
            raise ValueError(f"marker {name!r} is not the name of a file in the seeds folder")


class DefaultCadence(Section, frozen=True):
    """The review frequency of documents that do not set one."""

    frequency: str
    source_type: str | None = None
    paths: tuple[str, ...] = ()  # patterns on the path, as in .gitignore

    def __post_init__(self) -> None:
        """Refuse an unknown frequency."""
        if parse_cadence(self.frequency) is None:
            raise ValueError(f"frequency {self.frequency!r} is not a review frequency")


#: How many days ahead a review is announced, by frequency. A team's entry replaces the one here.
DEFAULT_LEAD_DAYS = {"monthly": (3,), "quarterly": (14, 3), "annual": (30, 7)}


class ReviewSettings(Section, frozen=True):
    """When reviews are due, announced and repeated."""

    timezone: str | None = None  # the IANA zone that decides what day it is; default: the machine's
    # The entry with the longest frequency that is not longer than the document's applies.
    lead_days: dict[str, tuple[PositiveInt, ...]] = field(default_factory=DEFAULT_LEAD_DAYS.copy)
    repeat_days: PositiveInt = 7  # days between the reminders of an overdue review
    backup_days: PositiveInt = 7  # days overdue after which the backup gets reminders, too
    lead_escalation_days: PositiveInt = 21  # days overdue after which the lead does, too
    ack_days: PositiveInt = 7  # how long `ack` stops the reminders of an overdue review
    max_snooze_days: PositiveInt = 30  # the longest snooze
    max_snoozes: PositiveInt = 2  # most snoozes of one review
    ask_after_high_risk: bool = False  # request a review after an edit of high risk
    reviewers_file: Path | None = None  # default: reviewers beside the settings file
    sweep_seconds: PositiveFloat = 3600  # interval of the review sweep
    default_cadences: tuple[DefaultCadence, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown time zone or frequency."""
        if self.timezone is not None:
            _require_zone(self.timezone)
        for word in self.lead_days:
            cadence = parse_cadence(word)
            if cadence is None or cadence.every is None:
                raise ValueError(f"lead_days: {word!r} is not a review frequency with due dates")


class DeliverySettings(Section, frozen=True):
    """How notices become messages."""

    group_wait_seconds: PositiveFloat = (
        5  # a digest is sent when no new notice came for this time …
    )
    group_max_seconds: PositiveFloat = 600  # … or after this time, whichever is first
    tick_seconds: PositiveFloat = 2  # interval of the delivery task
    lease_seconds: PositiveFloat = 120  # how long a worker has the only right to send a digest
    max_attempts: PositiveInt = 12  # after this many the notices have failed
    digest_lines: PositiveInt = 20  # most documents in one section of a digest
    breaker_failures: PositiveInt = 5  # failures in a row after which a channel pauses …
    breaker_seconds: PositiveFloat = 300  # … for this time, before one more try


class ConsoleChannel(Section, frozen=True, tag_field="kind", tag="console"):
    """Messages to the standard output of the worker."""

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
    """Messages by a service that Apprise supports. Slack accepts one message a second."""

    url: Secret
    per_minute: PositiveFloat | None = 60


class WebhookChannel(Section, frozen=True, tag_field="kind", tag="webhook"):
    """Messages to a program, signed as in Standard Webhooks."""

    url: Secret
    secret: Secret  # `whsec_` and base64
    per_minute: PositiveFloat | None = 60
    old_secret: Secret | None = None  # signs as well, until the receiver has the new one
    # Hosts that may have a private address and may be used without TLS.
    allow_private: tuple[str, ...] = ()
    timeout_seconds: PositiveFloat = 10


Channel = ConsoleChannel | EmailChannel | AppriseChannel | WebhookChannel

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HoursSettings(Section, frozen=True):
    """The weekdays and hours when a route gets messages that can wait.

    The whole day is open when `opens` and `closes` are equal.
    """

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: ClockTime = ClockTime(8)
    closes: ClockTime = ClockTime(18)
    timezone: str | None = None  # default: the team's
    # A country, or a part of one, such as `IN` or `IN-KA`: its public holidays are closed.
    holidays: str | None = None
    # The opening is delayed by up to this, so that routes do not all get messages at once.
    jitter_minutes: NonNegativeInt = 0

    def __post_init__(self) -> None:
        """Refuse hours that never open, and times with an offset."""
        if self.timezone is not None:
            _require_zone(self.timezone)
        if not self.days:
            raise ValueError("hours without days never open")
        if self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise ValueError("hours have no offset; set timezone instead")


class RouteSettings(Section, frozen=True):
    """Who gets messages, over which channel. An empty condition matches every document."""

    channel: str
    to: tuple[str, ...] = ()  # recipients, for channels that need them (e-mail)
    paths: tuple[str, ...] = ()  # patterns on the path, as in .gitignore
    source_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()  # names of this person in front matter and reviewers
    kinds: tuple[str, ...] = ROUTINE_KINDS
    fallback: bool = False  # only documents that nobody else answers for
    backup: str | None = None  # the route that gets reminders when a review is late
    lead: str | None = None  # the route that gets reminders when it is even later
    hours: HoursSettings | None = None  # default: at any time

    def __post_init__(self) -> None:
        """Refuse an unknown kind of notice."""
        for kind in self.kinds:
            if kind not in KINDS:
                near = suggest(kind, KINDS)
                raise ValueError(f"kinds: {kind!r} is not one of {', '.join(KINDS)}{near}")


class StreamSettings(Section, frozen=True):
    """The Redis stream of CloudEvents for programs that follow the library."""

    url: Secret | None = None  # default: the broker, when that is Redis
    key: str = "content-sync:events"
    max_length: PositiveInt = 100_000  # the stream keeps about this many events


class CalendarSettings(Section, frozen=True):
    """The review calendar as a file to which calendar programs subscribe."""

    file: Path | None = None  # such as var/reviews.ics; default: none is written


class DeadmanSettings(Section, frozen=True):
    """A monitoring service that raises the alarm when the requests of this service stop."""

    url: Secret | None = None  # requested while sweep and delivery run
    every_seconds: PositiveFloat = 60


#: The severities that a rule can have.
Level = Literal["off", "info", "warning", "error"]


def severities_of(levels: dict[str, Level]) -> dict[str, Severity | None]:
    """Return severities by rule code, None for a rule that is off, from levels by code or name.

    Raises ValueError for an unknown rule, and for one that no setting may change.
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
                f"{name} ({code} {CODES[code][0]}) protects the store: the severities of"
                f" {min(PROTECTED)} to {max(PROTECTED)} cannot be set"
            )
        if code in names:
            raise ValueError(f"{names[code]} and {name} are the same rule")
        names[code] = name
        severities[code] = None if level == "off" else Severity(level)
    return severities


def _meant(suffix: str) -> str:
    """Return the end of a message that proposes a suffix for a pattern or a bare word."""
    word = suffix.rpartition("/")[2].lstrip("*?.")
    near = f".{word}"
    return f': write "{near if _SUFFIX.fullmatch(near) else ".md"}"'


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"timezone {name!r} is not in the IANA database") from error
