"""The front-matter fields that the service reads: their names, and their values in valid metadata.

This module imports no parser, so that commands that only read the store start quickly. Called by the
settings, the policy, the rules and ingest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The status of a document that is served.
ACTIVE = "active"
#: The statuses of a library whose schema lists none.
STATUSES = ("active", "inactive", "deprecated")

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The library's names for the fields that the service reads from front matter.

    `version` and `status` are empty if the library has no such field. `default_status` is the status of a
    document that names none; the table `[defaults]` sets it.
    """

    title: str = "title"
    version: str = "version"
    status: str = "status"
    source_type: str = "sourceType"
    last_reviewed: str = "lastReviewed"
    review_frequency: str = "reviewFrequency"
    owner: str = "owner"
    reviewer: str = "reviewerName"
    review_status: str = "reviewStatus"
    risk_category: str = "riskCategory"
    tags: str = "tags"
    url: str = "url"
    default_status: str = field(default="", metadata={"setting": False})

    def status_of(self, metadata: Mapping[str, Any]) -> str:
        """Return the status that metadata gives its document, or the default one."""
        return _text(metadata.get(self.status)) or self.default_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The values of valid metadata that the store and the review clock need; `label` is the version field."""

    title: str
    status: str
    label: str
    source_type: str | None
    owner: str | None
    tags: tuple[str, ...]
    last_reviewed: date | None
    review_frequency: str | None
    risk_category: str | None = None


def read_facts(metadata: Mapping[str, Any], fields: Fields) -> Facts:
    """Return the facts of valid metadata; the reviewer counts as the owner where none is named."""
    return Facts(
        title=_text(metadata.get(fields.title)) or "",
        status=fields.status_of(metadata),
        label=_text(metadata.get(fields.version)) or "",
        source_type=_text(metadata.get(fields.source_type)),
        owner=_text(metadata.get(fields.owner)) or _text(metadata.get(fields.reviewer)),
        tags=_texts(metadata.get(fields.tags)),
        last_reviewed=parse_date(metadata.get(fields.last_reviewed)),
        review_frequency=_text(metadata.get(fields.review_frequency)),
        risk_category=_text(metadata.get(fields.risk_category)),
    )


def withhold(facts: Facts, status: str | None) -> Facts:
    """Return the facts of a document whose refused file says this status, or None: an active one takes it."""
    return replace(facts, status=status) if status and facts.status == ACTIVE else facts


def _text(value: Any) -> str | None:
    """Return the value on one line, or None if it is blank or not text."""
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(text for item in items if (text := _text(item)))


def parse_date(value: Any) -> date | None:
    """Return the date of a text such as `2026-01-15`, or None if it is not a date."""
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value.strip()):
        return None
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        return None
