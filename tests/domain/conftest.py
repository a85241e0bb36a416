"""What the tests of the domain share: the project's own schema, and a valid document to spoil."""

import json
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from worker.domain.rules.rules import compile_rules, examine
from worker.domain.seeds.seed import Fields

PROJECT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 24)

VALID = """\
---
title: When you feel sick
version: v1
status: active
source: SCCF
sourceType: 02_nci_core
lastReviewed: 2026-10-01
reviewFrequency: quarterly
tags:
- nausea
- side-effects
---

# When you feel sick

Tell your team when it began.
"""


@pytest.fixture(scope="session")
def schema():
    return json.loads((PROJECT / "config/seed.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def rules(schema):
    return compile_rules(schema, Fields())


@pytest.fixture(scope="session")
def examined(rules):
    """Return a function that examines bytes, or a text, on the day of the tests."""
    take = partial(examine, rules=rules, today=TODAY, max_bytes=5 * 1024 * 1024)
    return lambda data: take(data.encode() if isinstance(data, str) else data)


@pytest.fixture
def spoiled(examined):
    """Return a function that examines the valid document after one replacement."""

    def spoil(old, new):
        assert old in VALID
        return examined(VALID.replace(old, new, 1))

    return spoil
