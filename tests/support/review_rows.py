"""Rows of the review calendar and a policy, for tests of what is computed from them."""

from __future__ import annotations

from datetime import date
from typing import Any

from worker.domain.reviews.owners import Owners
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import NONE_GIVEN, Leads, ReviewRow
from worker.domain.seeds.seed import Fields


def a_policy(**given: Any) -> Policy:
    """Return a policy with the usual ladder and no routes, and with what is given instead."""
    usual: dict[str, Any] = {
        "fields": Fields(),
        "routes": (),
        "default_frequencies": (),
        "owners": Owners(),
        "leads": Leads.of({"monthly": (3,), "quarterly": (14, 3), "annual": (30, 7)}),
        "repeat_days": 7,
        "backup_days": 7,
        "lead_escalation_days": 21,
        "ask_after_high_risk": False,
        "max_file_bytes": 1_000_000,
    }
    return Policy(**(usual | given))


def a_row(number: int = 1, **given: Any) -> ReviewRow:
    """Return the row of a quarterly document that is due on 30 March 2026, changed by what is given."""
    usual: dict[str, Any] = {
        "document_id": number,
        "path": f"pages/{number:04}.md",
        "title": f"Page {number}",
        "source_type": None,
        "owner": None,
        "tags": (),
        "last_reviewed": date(2025, 12, 30),
        "review_frequency": "quarterly",
        "risk_category": None,
        "number": 1,
        "due_on": date(2026, 3, 30),
        "exempt": False,
        "given": NONE_GIVEN,
    }
    return ReviewRow(**(usual | given))
