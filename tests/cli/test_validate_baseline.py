"""A baseline lets an old library start: known findings are accepted, new ones are reported."""

import json

import pytest
from support.programs import run
from support.seeds import a_seed, write


@pytest.fixture
def old(seeds):
    write(seeds / "b.md", a_seed(title="Another page", license="none", body="\nOther words. " * 40))
    return write(seeds / "a.md", a_seed(status="actve", source=None))


@pytest.fixture
def baseline(tmp_path, old):
    result = run("validate", "--write-baseline", "known.json", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "content-sync: known.json accepts 3 findings in 2 files\n"
    return tmp_path / "known.json"


def validate(*arguments, cwd):
    result = run("validate", "--json", "--baseline", "known.json", *arguments, cwd=cwd)
    return result.returncode, json.loads(result.stdout)


def test_a_baseline_is_sorted_and_small_and_the_same_every_time(tmp_path, baseline):
    content = json.loads(baseline.read_text())
    assert list(content["findings"]) == ["a.md", "b.md"]
    assert [len(of_file) for of_file in content["findings"].values()] == [2, 1]
    before = baseline.read_bytes()
    run("validate", "--write-baseline", "known.json", "seeds/b.md", "./seeds/a.md", cwd=tmp_path)
    assert baseline.read_bytes() == before


def test_accepted_findings_are_not_reported(tmp_path, baseline):
    code, answer = validate(cwd=tmp_path)
    assert (code, answer["files"], answer["errors"], answer["accepted"]) == (0, 2, 0, 3)
    result = run("validate", "--baseline", "known.json", cwd=tmp_path)
    assert result.stdout == "3 findings accepted by the baseline\n2 files: 0 errors, 0 warnings\n"
    result = run("validate", "--baseline", "known.json", "--format", "sarif", cwd=tmp_path)
    assert json.loads(result.stdout)["runs"][0]["results"] == []


def test_a_baseline_holds_when_lines_move_and_in_any_working_directory(tmp_path, baseline, old):
    text = old.read_text().replace("version:", "# a remark\nowner: Asha\nversion:")
    old.write_text(text + "\nOne more line.\n")
    assert validate(cwd=tmp_path)[0] == 0
    assert validate(str(old), cwd=tmp_path)[0] == 0
    result = run("--seeds", ".", "validate", "--baseline", "../known.json", cwd=old.parent)
    assert result.returncode == 0


def test_only_new_findings_are_reported(tmp_path, baseline, old):
    old.write_text(old.read_text().replace("language: en", "language: '!'"))
    code, answer = validate(cwd=tmp_path)
    assert (code, answer["errors"], answer["accepted"]) == (1, 1, 3)
    assert answer["problems"][0]["line"] == old.read_text().splitlines().index("language: '!'") + 1


def test_another_missing_field_does_not_match_the_known_one(tmp_path, baseline, old):
    old.write_text(a_seed(status="actve", version=None))
    _, answer = validate(cwd=tmp_path)
    assert [problem["message"] for problem in answer["problems"]] == ["`version` is missing"]


def test_the_same_finding_in_another_file_or_once_more_is_new(tmp_path, baseline, old):
    write(old.parent / "c.md", a_seed(status="actve", body="\nOnce more. " * 40))
    code, answer = validate("seeds/c.md", cwd=tmp_path)
    assert (code, answer["errors"]) == (1, 1)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"version": 2}', '{"version": 1, "findings": {"a": 1}}', '{"version": 1}'],
)
def test_an_invalid_baseline_is_reported_in_one_line(tmp_path, seeds, content):
    write(tmp_path / "known.json", content)
    result = run("validate", "--baseline", "known.json", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "known.json" in result.stderr


def test_a_missing_or_unwritable_baseline_is_reported_in_one_line(tmp_path, seeds):
    for option in ("--baseline", "--write-baseline"):
        result = run("validate", option, "gone/known.json", cwd=tmp_path)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
