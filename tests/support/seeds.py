"""Writes seeds: a valid one, or one with other fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

BODY = """
# How bones are checked

A doctor may ask for a picture of your bones. The picture shows where a bone is weak or has changed.

## Before the day

Eat and drink as on any other day. Tell the team about every medicine that you take.

## Afterwards

You can go home at once. The team calls you with the result within **5 days**, and tells you what
comes next. See [the ward's page](https://example.org/ward) for the way there.
"""


FIELDS: Mapping[str, Any] = {
    "title": "How bones are checked",
    "version": "v1",
    "status": "active",
    "source": "NCI",
    "sourceType": "02_nci_core",
    "license": "public_domain",
    "lastReviewed": "2025-12-30",
    "reviewFrequency": "quarterly",
    "audienceLevel": "patient",
    "language": "en",
}


def a_seed(*, body: str = BODY, **fields: Any) -> str:
    """Return a valid seed's text; `fields` replace those of `FIELDS`, None leaves one out."""
    given = {**FIELDS, **fields}
    front_matter = yaml.safe_dump(
        {name: value for name, value in given.items() if value is not None},
        sort_keys=False,
        allow_unicode=True,
    )
    return f"---\n{front_matter}---\n{body}"


def write(path: Path, text: str | bytes) -> Path:
    """Write a file and the folders above it, bytes as they are; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
