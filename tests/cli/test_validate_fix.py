"""`content-sync validate --fix` as a real process: what it writes, and what it leaves alone."""

import json
import os
import subprocess
import sys

import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write

from worker.cli.fix import NotWrittenError, replace_file

UNQUOTED = a_seed().replace("'2025-12-30'", "2025-12-30")


@pytest.fixture
def page(seeds):
    assert a_seed() != UNQUOTED
    return write(seeds / "a.md", UNQUOTED)


def test_a_date_gets_quotes_and_the_fix_is_reported(tmp_path, page):
    page.chmod(0o640)
    result = run("validate", "--fix", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == (
        "seeds/a.md:8:15: fixed CS060 unquoted-date: 2025-12-30 -> '2025-12-30'"
    )
    assert "1 place fixed in 1 file\n" in result.stdout
    assert page.read_text() == a_seed()
    assert page.stat().st_mode & 0o777 == 0o640
    assert list(page.parent.iterdir()) == [page]


def test_fixing_is_idempotent_and_does_not_write_a_file_without_fixes(tmp_path, page):
    run("validate", "--fix", cwd=tmp_path)
    before = page.stat()
    result = run("validate", "--fix", cwd=tmp_path)
    assert result.stdout == "1 file: 0 errors, 0 warnings\n"
    after = page.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_date_without_quotes_is_a_finding_only_when_the_rule_is_on(tmp_path, page):
    assert run("validate", cwd=tmp_path).stdout == "1 file: 0 errors, 0 warnings\n"
    write(tmp_path / "config/content-sync.toml", '[rules]\nunquoted-date = "warning"\n')
    result = run("validate", "--json", cwd=tmp_path)
    [problem] = json.loads(result.stdout)["problems"]
    assert (problem["code"], problem["severity"], problem["fixable"]) == ("CS060", "warning", True)


def test_diff_shows_what_would_change_and_writes_nothing(tmp_path, page):
    write(page.parent / "crlf.md", UNQUOTED.replace("\n", "\r\n"))
    result = run("validate", "--fix", "--diff", cwd=tmp_path)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert lines[:2] == ["--- a/seeds/a.md", "+++ b/seeds/a.md"]
    assert lines.count("-lastReviewed: 2025-12-30") == 2
    assert lines.count("+lastReviewed: '2025-12-30'") == 2
    assert page.read_text() == UNQUOTED
    page.write_text(a_seed())
    (page.parent / "crlf.md").unlink()
    assert run("validate", "--fix", "--diff", cwd=tmp_path).returncode == 0


def test_words_are_fixed_on_request_and_the_rest_stays_an_error(tmp_path, seeds):
    page = write(seeds / "a.md", a_seed(status="actve", license="cc_by_nc"))
    result = run("validate", "--fix", "--json", cwd=tmp_path)
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["errors"], answer["fixed"]) == (1, 2, [])
    result = run("validate", "--fix", "--fix-words", "--json", cwd=tmp_path)
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["errors"]) == (1, 1)
    [fixed] = answer["fixed"]
    assert fixed == {
        "path": "seeds/a.md", "code": "CS032", "rule": "value-not-allowed",
        "old": "actve", "new": "active",
        "line": 4, "column": 9, "end_line": 4, "end_column": 14,
    }  # fmt: skip
    assert page.read_text() == a_seed(license="cc_by_nc")


def test_a_symbolic_link_is_not_written_through(tmp_path, seeds):
    behind = write(tmp_path / "elsewhere.md", UNQUOTED)
    link = seeds / "link.md"
    link.symlink_to(behind)
    result = run("validate", "--fix", str(link), cwd=tmp_path)
    assert result.returncode == 0
    assert "symbolic link" in result.stderr
    assert "fixed CS060" not in result.stdout
    assert behind.read_text() == UNQUOTED
    assert link.is_symlink()


def test_a_file_that_changed_since_it_was_read_is_not_overwritten(tmp_path):
    page = write(tmp_path / "a.md", "newer")
    for was in (b"older", b"new", b"newer and longer"):
        with pytest.raises(NotWrittenError, match="changed since"):
            replace_file(str(page), was=was, becomes=b"fixed")
    assert page.read_text() == "newer"
    assert list(tmp_path.iterdir()) == [page]


def test_validate_does_not_wait_for_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "a.md")
    with pytest.raises(NotWrittenError, match="it is not a regular file"):
        replace_file(str(tmp_path / "a.md"), was=b"", becomes=b"fixed")


def test_a_folder_without_write_permission_is_reported(tmp_path, page):
    script = (
        "import os, sys\n"
        "from worker.cli import run_command\n"
        f"page = {page.name!r}\n"
        "run_command(['validate', '--fix', '--diff', page])  # imports what it needs\n"
        "if os.geteuid() == 0:  # root may write everywhere\n"
        "    os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "sys.exit(run_command(['validate', '--fix', page]))\n"
    )
    page.chmod(0o666)
    page.parent.chmod(0o555)
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=page.parent,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    page.parent.chmod(0o755)
    assert "is not fixed: Permission denied" in result.stderr
    assert page.read_text() == UNQUOTED
