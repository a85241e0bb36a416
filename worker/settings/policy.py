"""Makes the team's review policy from the settings and the reviewers file.

Called by `worker.library.reader`.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from msgspec.structs import asdict

from worker.domain.reviews.hours import Hours, never
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import DefaultFrequency, Leads
from worker.domain.reviews.route import Route
from worker.settings.model import HoursSettings, Settings
from worker.settings.public_holidays import holiday_test
from worker.settings.reviewers_file import load_owners


def make_policy(settings: Settings) -> Policy:
    """Return the team's policy; raise `ConfigurationError` when the reviewers file is unusable."""
    review = settings.review
    return Policy(
        fields=settings.fields,
        routes=tuple(_route(name, settings) for name in settings.routes),
        default_frequencies=tuple(
            DefaultFrequency(**asdict(cadence)) for cadence in review.default_cadences
        ),
        owners=load_owners(settings),
        leads=Leads.of(review.lead_days),
        repeat_days=review.repeat_days,
        backup_days=review.backup_days,
        lead_escalation_days=review.lead_escalation_days,
        ask_after_high_risk=review.ask_after_high_risk,
        max_file_bytes=settings.intake.max_file_bytes,
    )


def _route(name: str, settings: Settings) -> Route:
    named = settings.routes[name]
    hours = _hours(named.hours, settings) if named.hours is not None else None
    return Route(**asdict(named) | {"name": name, "hours": hours})


def _hours(named: HoursSettings, settings: Settings) -> Hours:
    return Hours(
        days=named.days,
        start=named.opens,
        end=named.closes,
        zone=ZoneInfo(named.timezone) if named.timezone is not None else settings.zone,
        is_holiday=holiday_test(named.holidays) if named.holidays else never,
        jitter_minutes=named.jitter_minutes,
    )
