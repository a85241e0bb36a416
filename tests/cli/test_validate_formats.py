"""What `content-sync validate` prints for GitHub, for code scanning, and while somebody waits."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write

SCHEMA = Path(__file__).resolve().parents[1] / "data" / "sarif-schema-2.1.0.json"
COMMAND = re.compile(r"::(\w+) ([^:]*)::(.*)")


@pytest.fixture
def bad(seeds):
    return write(seeds / "bad.md", a_seed(status="actve", colour="blue", title=None))


def validate_stdin(text, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "worker", "validate", "-", *arguments],
        input=text,
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def commands_of(output):
    """Return what GitHub's runner makes of workflow commands: level, properties, message."""

    def unescaped(text):
        for character, escaped in {":": "%3A", ",": "%2C", "\r": "%0D", "\n": "%0A"}.items():
            text = text.replace(escaped, character)
        return text.replace("%25", "%")

    commands = []
    for line in output.splitlines():
        if match := COMMAND.fullmatch(line):
            level, listed, message = match.groups()
            pairs = dict(pair.split("=", 1) for pair in listed.split(","))
            commands.append(
                (level, {k: unescaped(v) for k, v in pairs.items()}, unescaped(message))
            )
    return commands


@pytest.fixture
def sarif(tmp_path):
    """Return a function that runs `validate --format sarif` and checks the log against its schema."""
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))

    def take(*arguments):
        result = run("validate", "--format", "sarif", *arguments, cwd=tmp_path)
        log = json.loads(result.stdout)
        assert [error.message for error in schema.iter_errors(log)] == []
        [only] = log["runs"]
        return only

    return take


def test_github_gets_one_command_a_problem_with_its_place(tmp_path, bad):
    result = run("validate", "--format", "github", cwd=tmp_path)
    assert result.returncode == 1
    commands = {properties["title"]: (level, properties, message)
                for level, properties, message in commands_of(result.stdout)}  # fmt: skip
    level, properties, message = commands["CS032 value-not-allowed"]
    assert level == "error"
    assert properties == {
        "file": "seeds/bad.md", "line": "3", "endLine": "3", "col": "9", "endColumn": "14",
        "title": "CS032 value-not-allowed",
    }  # fmt: skip
    assert "actve" in message
    assert "did you mean" in message
    assert commands["CS040 unknown-field"][0] == "notice"


def test_github_gets_a_notice_of_each_fix(tmp_path, seeds):
    write(seeds / "a.md", a_seed().replace("'2025-12-30'", "2025-12-30"))
    result = run("validate", "--format", "github", "--fix", cwd=tmp_path)
    [(level, properties, message)] = commands_of(result.stdout)
    assert (level, properties["line"], message) == (
        "notice", "8", "fixed: 2025-12-30 -> '2025-12-30'",
    )  # fmt: skip


def test_no_document_and_no_file_name_can_inject_a_github_command(tmp_path, seeds):
    name = "50%,a:b\n::error::x.md"
    write(seeds / name, a_seed(status="x%0A::set-env name=a::b, 100%"))
    result = run("validate", "--format", "github", f"seeds/{name}", cwd=tmp_path)
    assert result.returncode == 1
    [(_, properties, message)] = commands_of(result.stdout)
    assert result.stdout.count("\n") == 1
    assert properties["file"] == "seeds/50%,a:b\\n::error::x.md"
    assert "x%0A::set-env name=a::b, 100%" in message


def test_sarif_is_valid_and_points_at_the_line(sarif, bad):
    log = sarif()
    rules = log["tool"]["driver"]["rules"]
    results = {result["ruleId"]: result for result in log["results"]}
    result = results["CS032"]
    assert (result["level"], results["CS040"]["level"]) == ("error", "note")
    assert rules[result["ruleIndex"]]["id"] == "CS032"
    assert "actve" in result["message"]["text"]
    [location] = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "seeds/bad.md"},
        "region": {"startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 14},
    }
    [fix] = result["fixes"]
    [change] = fix["artifactChanges"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 14},
            "insertedContent": {"text": "active"},
        }
    ]


def test_sarif_is_valid_without_problems_and_for_every_kind_of_file(sarif, tmp_path, seeds):
    write(seeds / "good.md", a_seed())
    assert sarif()["results"] == []
    write(seeds / "not utf8 हिं#?.md", b"\xff\xfe\x1b[31m")
    write(seeds / "empty.md", b"")
    not_utf8 = os.fsdecode(b"caf\xe9.md")
    write(seeds / not_utf8, b"---\n")
    names = ("not utf8 हिं#?.md", "empty.md", not_utf8)
    results = sarif(*(f"seeds/{name}" for name in names), f"{tmp_path}/seeds/empty.md")["results"]
    uris = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results]
    assert "seeds/not%20utf8%20%E0%A4%B9%E0%A4%BF%E0%A4%82%23%3F.md" in uris
    assert "seeds/caf%E9.md" in uris
    assert f"file://{tmp_path}/seeds/empty.md" in uris


def test_fingerprints_stay_when_lines_move_and_are_never_shared(sarif, tmp_path, bad):
    def marks(*arguments):
        return {
            result["ruleId"]: result["partialFingerprints"]["contentSync/v1"]
            for result in sarif(*arguments)["results"]
        }

    before = marks()
    assert len(set(before.values())) == len(before) == 3
    write(bad, a_seed(owner="Asha", tags=["a"], status="actve", colour="blue", title=None)
          .replace("---\n", "---\n# a remark\n\n", 1))  # fmt: skip
    assert marks() == before
    assert marks(str(tmp_path / "seeds" / ".." / "seeds" / "bad.md")) == before
    write(bad, a_seed(status="actvee", colour="blue", title=None))
    after = marks()
    assert after["CS032"] != before["CS032"]
    assert {**after, "CS032": ""} == {**before, "CS032": ""}


@pytest.mark.parametrize("output", ["text", "json", "github", "sarif"])
def test_standard_input_is_reported_under_the_given_name(tmp_path, output):
    text = a_seed(status="actve")
    arguments = ("--format", output, "--stdin-path", "seeds/new page.md")
    result = validate_stdin(text, *arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert ("seeds/new%20page.md" if output == "sarif" else "seeds/new page.md") in result.stdout
    assert "<stdin>" not in result.stdout


def test_a_note_on_standard_input_is_recognized_by_its_name(tmp_path):
    result = validate_stdin("Call the printer.\n", "--stdin-path", "note.txt", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "0 files: 0 errors, 0 warnings\n")
    assert validate_stdin("Call the printer.\n", cwd=tmp_path).returncode == 1


def test_strict_fails_on_a_warning(tmp_path, seeds):
    write(seeds / "a.md", a_seed(reviewFrequency=None))
    assert run("validate", cwd=tmp_path).returncode == 0
    result = run("validate", "--strict", cwd=tmp_path)
    assert result.returncode == 1
    assert "0 errors, 1 warning" in result.stdout


def test_many_files_show_progress_only_on_a_terminal(tmp_path, seeds):
    for number in range(101):
        body = f"\n# Page {number}\n\n{'word ' * 60}\n"
        write(seeds / f"{number}.md", a_seed(title=f"Page {number}", body=body))
    assert run("validate", cwd=tmp_path).stderr == ""
    assert "Checking the files" in on_a_terminal(tmp_path)
    (seeds / "0.md").unlink()
    assert "Checking the files" not in on_a_terminal(tmp_path)


def on_a_terminal(folder):
    """Return what `validate --json` prints on a terminal as its standard error."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "worker", "validate", "--json"],
        cwd=folder,
        env=clean_environment({"TERM": "xterm"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # Linux says so when the last writer has closed it
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fix-words",), "--fix-words needs --fix"),
        (("--diff",), "--diff needs --fix"),
        (("--fix", "--diff", "--json"), "--diff has no other format"),
        (("--fix", "-"), "--fix cannot write standard input"),
        (("--stdin-path", "a.md"), "--stdin-path needs the path -"),
        (("--baseline", "a", "--write-baseline", "b"), "not both"),
    ],
)
def test_conflicting_options_are_a_usage_error(tmp_path, seeds, arguments, message):
    result = run("validate", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
