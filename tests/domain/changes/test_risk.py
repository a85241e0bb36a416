"""How carefully a reviewer should look at a change, and for which reasons."""

from __future__ import annotations

import pytest

from worker.domain.changes.figures import FigureChange
from worker.domain.changes.risk import GRAVE_FIELDS, Risk, weigh
from worker.domain.changes.sections import SectionChange, SectionStatus
from worker.domain.reviews.owners import Owners
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import Leads
from worker.domain.seeds.seed import Fields

FIGURE = FigureChange(old="5 mg", new="6 mg", before="take", after="now", line=1)


def section(heading, status=SectionStatus.REMOVED):
    return SectionChange(heading=heading, level=2, status=status, lines_added=0, lines_removed=1)


def weighed(*, slight=False, fields=(), figures=(), sections=(), complete=True):
    return weigh(
        slight=slight,
        fields=fields,
        grave_fields=GRAVE_FIELDS,
        figures=figures,
        sections=sections,
        complete=complete,
    )


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        ({"fields": ["status"]}, ["status changed"]),
        ({"fields": ["license", "status"]}, ["license changed", "status changed"]),
        ({"figures": [FIGURE]}, ["a figure changed"]),
        ({"figures": [FIGURE] * 2}, ["2 figures changed"]),
        ({"sections": [section("Dose")]}, ["the section “Dose” is gone"]),
        ({"sections": [section("Dose"), section("Use")]}, ["2 sections are gone"]),
        ({"complete": False}, ["too many changes to compare every figure"]),
        (
            {
                "complete": False,
                "sections": [section("Dose")],
                "figures": [FIGURE],
                "fields": ["title", "status"],
            },
            [
                "status changed",
                "a figure changed",
                "the section “Dose” is gone",
                "too many changes to compare every figure",
            ],
        ),
    ],
)
@pytest.mark.parametrize("slight", [True, False])
def test_harmful_changes_are_a_high_risk_with_reasons(found, reasons, slight):
    assert weighed(slight=slight, **found) == (Risk.HIGH, tuple(reasons))


@pytest.mark.parametrize(("slight", "risk"), [(True, Risk.LOW), (False, Risk.MEDIUM)])
def test_other_changes_are_a_medium_or_low_risk_without_reasons(slight, risk):
    changed = [section("Dose", SectionStatus.CHANGED), section("Use", SectionStatus.ADDED)]
    assert weighed(slight=slight, fields=["title"], sections=changed) == (risk, ())


def test_a_policy_uses_the_field_names_of_the_library():
    fields = Fields(status="state", last_reviewed="checked", reviewer="who", review_status="how")
    policy = Policy(
        fields=fields,
        routes=(),
        default_frequencies=(),
        owners=Owners(),
        leads=Leads.of({"monthly": (3,)}),
        repeat_days=7,
        backup_days=7,
        lead_escalation_days=21,
        ask_after_high_risk=False,
        max_file_bytes=1,
    )
    assert policy.review_fields == {"checked", "who", "how"}
    assert policy.grave_fields == {"state", "license"}
