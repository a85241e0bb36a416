"""`rules`, `explain` and the settings' table `[rules]`, as real processes."""

import json

import pytest
from support.programs import run
from support.seeds import a_seed, write

from worker.domain.seeds.codes import CODES

FREQUENCIES = "monthly, quarterly, semiannual, annual, biennial, as_needed, 6 months, 90 days, P6M"


def test_rules_lists_every_rule(tmp_path):
    result = run("rules", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert {line.split()[0] for line in result.stdout.splitlines()[1:]} == set(CODES)


def test_rules_as_json_have_the_severity_of_the_settings(tmp_path):
    write(
        tmp_path / "config/content-sync.toml", '[rules]\nCS072 = "off"\nbody-shrank = "warning"\n'
    )
    listed = json.loads(run("rules", "--json", cwd=tmp_path).stdout)
    assert set(listed[0]) == {
        "code", "rule", "severity", "default", "can_be_set", "summary", "why", "wrong", "right",
    }  # fmt: skip
    by_code = {rule["code"]: rule for rule in listed}
    assert (by_code["CS072"]["severity"], by_code["CS072"]["default"]) == ("off", "warning")
    assert (by_code["CS073"]["severity"], by_code["CS073"]["default"]) == ("warning", "error")
    assert by_code["CS041"]["severity"] == "off"
    assert by_code["CS016"]["can_be_set"] is False


@pytest.mark.parametrize("name", ["CS021", "cs021", "field-name"])
def test_explain_gives_the_reason_and_a_wrong_and_a_right_example(tmp_path, name):
    result = run("explain", name, cwd=tmp_path)
    assert result.returncode == 0
    assert result.stdout.startswith("CS021 field-name: error\n\nA field's name")
    assert "\nWrong:\n    [status]: active\n\nRight:\n    status: active\n" in result.stdout
    assert "no setting changes it" in result.stdout


def test_an_unknown_rule_is_not_found_and_gets_a_suggestion(tmp_path):
    result = run("explain", "body-shrink", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert (
        result.stderr == "content-sync: there is no rule body-shrink; did you mean body-shrank?\n"
    )


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('body-shrink = "off"', "body-shrink is not a rule; did you mean body-shrank?"),
        ('CS999 = "off"', "CS999 is not a rule"),
        ('yaml-alias = "off"', "yaml-alias (CS017 yaml-alias) protects the store"),
        ('CS001 = "warning"', "CS001 (CS001 file-too-large) protects the store"),
        ('script = "fatal"', "rules.script"),
        ('CS055 = "off"\nscript = "info"', "CS055 and script are the same rule"),
    ],
)
def test_a_setting_for_an_unknown_rule_is_reported_in_one_line(tmp_path, table, complaint):
    write(tmp_path / "config/content-sync.toml", f"[rules]\n{table}\n")
    result = run("validate", cwd=tmp_path)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_severity_may_come_from_the_environment(tmp_path, seeds):
    write(seeds / "a.md", a_seed(source="x", extra="y"))
    result = run(
        "validate", "--json", cwd=tmp_path, env={"CONTENT_SYNC_RULES__UNKNOWN_FIELD": "error"}
    )
    assert result.returncode == 1
    assert json.loads(result.stdout)["problems"][0]["code"] == "CS040"


def test_a_finding_has_its_line_carets_hint_and_effect(tmp_path, seeds):
    write(seeds / "a.md", a_seed(reviewFrequency="quaterly", lastReviewed="2025-12-30"))
    result = run("validate", "seeds/a.md", cwd=tmp_path)
    assert result.stdout.splitlines()[:5] == [
        'seeds/a.md:9:18: error CS037 review-frequency: "quaterly" is not a review frequency',
        "   9 | reviewFrequency: quaterly",
        "     |                  ^^^^^^^^",
        '  did you mean "quarterly"? (' + FREQUENCIES + ")",
        "  effect: not published",
    ]
