"""What works without a store: help, version, completion, and usage errors in one line."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.programs import clean_environment, run

import worker
from worker.cli import run_command

CHECKOUT = Path(__file__).parents[2]

COMMANDS = (
    *("init", "up", "watch", "worker", "beat", "migrate", "sync", "approve"),
    *("status", "list", "history", "show", "diff", "why", "restore", "events", "export"),
    *("due", "owners", "reviewed", "snooze", "ack", "assign", "retire"),
    *("remind", "notices", "notify-test", "validate", "rules", "explain", "verify", "doctor"),
)


def one_line_of(output):
    """Return the only line of a process's output, or of pytest's `capsys`."""
    out, err = output if isinstance(output, tuple) else (output.stdout, output.stderr)
    assert out == ""
    assert err.startswith("content-sync: ")
    assert err.count("\n") == 1, err
    return err


def test_help_names_every_command_under_its_heading(tmp_path):
    result = run("--help", cwd=tmp_path, env={"COLUMNS": "80"})
    assert result.returncode == 0
    assert result.stderr == ""
    for heading in ("Run the service:", "Look at the library:", "Reviews:", "Check:"):
        assert heading in result.stdout
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout
    assert "..." not in result.stdout.split("Run the service:")[1], "a summary was cut"


def test_no_arguments_print_the_help(tmp_path):
    assert run(cwd=tmp_path).stdout == run("--help", cwd=tmp_path).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_fits_80_columns_and_has_an_example(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run_command([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example: content-sync" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_the_version_is_printed(tmp_path):
    result = run("--version", cwd=tmp_path)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (result.returncode, result.stdout) == (0, f"content-sync {project['version']}\n")


def test_the_version_is_defined_in_one_place():
    files = [path for folder in ("worker", "config") for path in (CHECKOUT / folder).rglob("*")]
    texts = {path: path.read_bytes() for path in files if path.suffix != ".pyc" and path.is_file()}
    texts[CHECKOUT / "docker-compose.yml"] = (CHECKOUT / "docker-compose.yml").read_bytes()
    version = worker.__version__.encode()
    assert [path for path, text in texts.items() if version in text] == []


def test_an_unknown_command_gets_a_suggestion(tmp_path):
    result = run("staus", cwd=tmp_path)
    assert result.returncode == 2
    assert "Did you mean 'status'?" in one_line_of(result)


def test_an_unknown_option_is_a_usage_error(tmp_path):
    result = run("sync", "--ful", cwd=tmp_path)
    assert result.returncode == 2
    assert "--full" in one_line_of(result)


def test_a_global_option_after_the_command_is_an_error_that_shows_its_place(tmp_path):
    result = run("status", "--store-url", "sqlite:///x.db", cwd=tmp_path)
    assert result.returncode == 2
    assert "content-sync --store-url … status" in one_line_of(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ("due", "--on", "2026-02-30"),
        ("due", "--on", "30.3.2026"),
        ("remind", "--on", "20260330"),
        ("show", "a.md", "--at", "yesterday"),
        ("show", "a.md", "--at", "2026-03-30T25:00"),
    ],
)
def test_a_wrong_date_is_a_usage_error_with_an_example(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert run_command(list(arguments)) == 2
    assert "2026-03-30" in one_line_of(capsys.readouterr())


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--state", "stale"),
        ("show", "a.md", "--version", "0"),
        ("show", "a.md", "--version", "1", "--at", "2026-03-30"),
        ("history",),
        ("worker", "--queues", "live,fast"),
        ("notify-test", "nobody"),
        ("ack", "a.md", "--by", " "),
        ("assign", "a.md", "\x1b[31mAsha"),
        ("reviewed", "a.md", "--by", "Asha\u202eRao"),
        ("due", "--within", "-1"),
        ("validate", "no-such-file.md"),
    ],
)
def test_a_usage_error_is_one_line(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert run_command(list(arguments)) == 2
    assert one_line_of(capsys.readouterr()).endswith(" --help)\n")


def test_an_unknown_setting_is_one_line_with_a_suggestion(tmp_path):
    config = tmp_path / "content-sync.toml"
    config.write_text("[watch]\nstil_ms = 5\n")
    result = run("--config", str(config), "status", cwd=tmp_path)
    assert result.returncode == 2
    assert "did you mean still_ms?" in one_line_of(result)


def test_a_missing_settings_file_is_reported_in_one_line(tmp_path):
    result = run("--config", "no.toml", "status", cwd=tmp_path)
    assert result.returncode == 2
    assert "no.toml" in one_line_of(result)


def test_an_unknown_environment_variable_is_one_line(tmp_path):
    result = run("status", cwd=tmp_path, env={"CONTENT_SYNC_SEED": "x"})
    assert result.returncode == 2
    assert "did you mean CONTENT_SYNC_SEEDS?" in one_line_of(result)


def test_an_escape_in_an_argument_does_not_reach_the_terminal(tmp_path):
    result = run("validate", "\x1b[31mx.md", cwd=tmp_path)
    assert result.returncode == 2
    assert "\x1b" not in one_line_of(result)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sta", "plain,status\n"),
        ("--completion f", "plain,fish\n"),
        ("--completion bash sta", "plain,status\n"),
        ("list --state over", "plain,overdue\n"),
        ("validate --format s", "plain,sarif\n"),
        ("history nau", "file,nau\n"),
        ("validate a.md nau", "file,nau\n"),
        ("--seeds se", "file,se\n"),
        ("diff a.md --html ou", "file,ou\n"),
    ],
)
def test_a_shell_completes_commands_choices_and_files(tmp_path, typed, offered):
    asked = {
        "_CONTENT_SYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": f"content-sync {typed}",
        "COMP_CWORD": str(len(typed.split())),
    }
    assert run(cwd=tmp_path, env=asked).stdout == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed_with_any_settings(tmp_path, shell):
    result = run("--completion", shell, cwd=tmp_path, env={"CONTENT_SYNC_SEED": "x"})
    assert (result.returncode, result.stderr) == (0, "")
    assert f"_CONTENT_SYNC_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_the_printed_script(tmp_path):
    typed = (
        'eval "$(content-sync --completion bash)"; complete -p content-sync;'
        "COMP_WORDS=(content-sync sta); COMP_CWORD=1;"
        '_content_sync_completion content-sync sta content-sync; echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "--norc", "-c", typed],
        cwd=tmp_path,
        env=clean_environment({"PATH": path}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "complete -o nosort -F _content_sync_completion content-sync",
        "status",
    ]
