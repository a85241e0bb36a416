"""What a verdict depends on has a name: it changes with each part, and with nothing else."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import verdicts
from support.review_rows import a_policy

from worker.domain.reviews.review import DefaultFrequency
from worker.domain.rules.judge import RULES_EDITION, make_judge, what_differs
from worker.domain.rules.rules import compile_rules
from worker.domain.seeds import codes
from worker.domain.seeds.problem import Severity
from worker.domain.seeds.seed import Fields

#: Rules over the whole library, and of files that could not be read or stored, whose verdicts need more.
ELSEWHERE = {
    *(codes.SAME_URL, codes.SAME_BODY, codes.SAME_REVIEW_DATE),
    *(codes.NO_PERMISSION, codes.UNREADABLE, codes.GIVEN_UP, codes.NOT_STORABLE),
}


@pytest.fixture
def policy():
    return a_policy()


def test_the_verdicts_are_those_that_this_edition_is_known_for():
    recorded = json.loads(verdicts.RECORD.read_text(encoding="utf-8"))
    assert recorded == {"edition": RULES_EDITION, "verdicts": verdicts.verdicts()}, (
        "raise RULES_EDITION, then run python tests/domain/rules/verdicts.py: every file is judged again"
    )


def test_the_recorded_verdicts_use_every_rule():
    used = {word for found in verdicts.verdicts().values() for one in found for word in one.split()}
    assert set(codes.CODES) - used == ELSEWHERE


def test_the_same_rules_and_settings_are_the_same_judge(schema, policy):
    first = make_judge(compile_rules(schema, Fields()), policy, "Asia/Kolkata")
    again = json.loads(json.dumps(schema, sort_keys=True))
    assert make_judge(compile_rules(again, Fields()), policy, "Asia/Kolkata") == first
    others = replace(policy, repeat_days=1, ask_after_high_risk=False)
    assert make_judge(compile_rules(schema, Fields()), others, "Asia/Kolkata") == first


def test_each_part_makes_another_judge_and_says_which(schema, policy):
    rules = compile_rules(schema, Fields())
    first = make_judge(rules, policy, "Asia/Kolkata")
    looser = {**schema, "required": ["title", "version", "status"]}
    default = DefaultFrequency(frequency="quarterly", paths=("faq/*",))
    others = {
        "the schema": make_judge(compile_rules(looser, Fields()), policy, "Asia/Kolkata"),
        "the severity of CS041, CS073": make_judge(
            compile_rules(
                schema,
                Fields(),
                {codes.BODY_SHRANK: Severity.WARNING, codes.MISSING_OWNER: Severity.INFO},
            ),
            policy,
            "Asia/Kolkata",
        ),
        "the fields owner": make_judge(
            compile_rules(schema, Fields(owner="editor")), policy, "Asia/Kolkata"
        ),
        "the default cadences": make_judge(
            rules, replace(policy, default_frequencies=(default,)), "Asia/Kolkata"
        ),
        "the size limit": make_judge(rules, replace(policy, max_file_bytes=2000), "Asia/Kolkata"),
        "the time zone": make_judge(rules, policy, "Pacific/Auckland"),
        "the rules of this version of the program": make_judge(
            rules, policy, "Asia/Kolkata", edition=RULES_EDITION + 1
        ),
    }
    for words, other in others.items():
        assert other.id != first.id
        assert list(what_differs(first.parts, other.parts)) == [words]
    assert len({other.id for other in others.values()}) == len(others)
