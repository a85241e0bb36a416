"""`content-sync validate` as a real process: no broker, no store."""

import json
import os
import subprocess
import sys

import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write


@pytest.fixture
def good(seeds):
    return write(seeds / "good.md", a_seed())


@pytest.fixture
def bad(seeds):
    return write(seeds / "sub" / "bad.md", a_seed(status="actve"))


def validate_json(*arguments, cwd):
    result = run("validate", "--json", *arguments, cwd=cwd)
    return result.returncode, json.loads(result.stdout)


def test_a_valid_file_passes(tmp_path, good):
    result = run("validate", str(good), cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "1 file: 0 errors, 0 warnings\n"


def test_a_problem_is_shown_with_its_line_carets_and_a_hint(tmp_path, bad):
    result = run("validate", "seeds/sub/bad.md", cwd=tmp_path)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("seeds/sub/bad.md:4:9: error CS")
    assert lines[1] == "   4 | status: actve"
    assert lines[2] == "     |         ^^^^^"
    assert "active" in lines[3]
    assert lines[-1] == "1 file: 1 error, 0 warnings"


def test_json_is_the_contract_and_one_line(tmp_path, good, bad):
    result = run("validate", "--json", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout.count("\n") == 1
    answer = json.loads(result.stdout)
    assert (answer["files"], answer["errors"], answer["warnings"]) == (2, 1, 0)
    [problem] = answer["problems"]
    assert set(problem) == {
        "path", "line", "column", "end_line", "end_column",
        "code", "rule", "severity", "message", "hint", "fixable",
    }  # fmt: skip
    assert problem["path"] == "seeds/sub/bad.md"
    assert (problem["line"], problem["column"], problem["end_column"]) == (4, 9, 14)


def test_format_json_is_the_same_as_json(tmp_path, bad):
    assert (
        run("validate", "--format", "json", cwd=tmp_path).stdout
        == run("validate", "--json", cwd=tmp_path).stdout
    )


def test_the_seeds_folder_is_the_default_and_a_file_counts_once(tmp_path, good, bad):
    _, answer = validate_json(cwd=tmp_path)
    assert answer["files"] == 2
    _, answer = validate_json("seeds", "seeds/good.md", "seeds/good.md", cwd=tmp_path)
    assert answer["files"] == 2
    _, answer = validate_json("--seeds", "seeds/sub", cwd=tmp_path)
    assert answer["files"] == 1


def test_validating_a_folder_checks_what_the_watcher_would_take(tmp_path, seeds, good):
    for name in (".hidden.md", ".git/x.md", "x.md~", "table.csv", "drafts/x.md"):
        write(seeds / name, "no seed")
    write(seeds / ".seedignore", "drafts/\n")
    (seeds / "link.md").symlink_to(good)
    code, answer = validate_json(cwd=tmp_path)
    assert (code, answer["files"]) == (0, 1)


def test_a_folder_inside_the_seeds_folder_follows_its_seedignore(tmp_path, seeds):
    write(seeds / "a" / "drafts" / "x.md", "no seed")
    write(seeds / "a" / "good.md", a_seed())
    write(seeds / ".seedignore", "drafts/\n")
    code, answer = validate_json("seeds/a", cwd=tmp_path)
    assert (code, answer["files"]) == (0, 1)


def test_a_plain_note_is_ignored_with_a_message_on_standard_error(tmp_path, seeds):
    write(seeds / "note.txt", "Call the printer.\n")
    result = run("validate", "--json", cwd=tmp_path)
    assert result.returncode == 0
    assert json.loads(result.stdout)["files"] == 0
    assert "note.txt is ignored: it has no front matter, so it is a plain note" in result.stderr


def test_standard_input_is_validated(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "worker", "validate", "-"],
        input=a_seed(status="actve"),
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout.startswith("<stdin>:4:9: error ")


def test_a_missing_path_is_a_usage_error(tmp_path, good):
    result = run("validate", "seeds/good.md", "seeds/gone.md", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "seeds/gone.md does not exist" in result.stderr


def test_hostile_bytes_do_not_reach_the_terminal(tmp_path, seeds):
    write(seeds / "a.md", b'---\ntitle: "\x1b[2J\xc2\x9b31m"\n---\n[bold]x[/bold]\n')
    write(seeds / "b.md", b"\xff\xfe\x1b[31m")
    result = run("validate", cwd=tmp_path)
    assert result.returncode == 1
    assert not {"\x1b", "\x9b"} & set(result.stdout + result.stderr)


def test_a_file_name_that_is_not_utf_8_can_be_named(tmp_path):
    name = os.fsdecode(b"caf\xe9.md")
    write(tmp_path / name, a_seed(status="actve"))
    for arguments in (("validate", name), ("validate", "--json", name)):
        result = run(*arguments, cwd=tmp_path)
        assert result.returncode == 1
        assert "\\udce9.md" in result.stdout


def test_titles_in_hindi_are_printed_in_any_encoding(tmp_path, seeds):
    write(seeds / "hi.md", a_seed(title="मतली", status="actve", language="hi"))
    for encoding in ("utf-8", "ascii"):
        result = run("validate", "--json", cwd=tmp_path, env={"PYTHONIOENCODING": encoding})
        assert json.loads(result.stdout)["errors"] == 1


def test_an_unreadable_file_is_a_problem_not_a_crash(tmp_path, seeds):
    write(seeds / "big.md", a_seed())
    result = run(
        "validate", "--json", cwd=tmp_path, env={"CONTENT_SYNC_INTAKE__MAX_FILE_BYTES": "100"}
    )
    assert result.returncode == 1
    [problem] = json.loads(result.stdout)["problems"]
    assert "large" in problem["message"]


@pytest.mark.parametrize("text", ["not json", '{"type": 5}'])
def test_an_unusable_schema_is_one_line(tmp_path, good, text):
    schema = write(tmp_path / "schema.json", text)
    result = run("validate", cwd=tmp_path, env={"CONTENT_SYNC_SCHEMA_FILE": str(schema)})
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "schema.json" in result.stderr
