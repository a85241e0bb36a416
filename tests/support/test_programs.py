"""A command that is forked from a loaded Python does what one does that starts anew."""

from __future__ import annotations

import sys

import pytest
from support.programs import on_a_terminal, run, run_anew
from support.seeds import a_seed, write

ASCII_ALONE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SHOW = "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ.get('WORD'), sys.path[0]);"


@pytest.mark.parametrize("env", [{}, ASCII_ALONE, {"NO_COLOR": "1", "TZ": "Asia/Kolkata"}])
@pytest.mark.parametrize("command", ["--help", "no", "status", "validate seeds/a.md", "rules"])
def test_a_forked_command_answers_as_one_that_starts_anew(tmp_path, seeds, command, env):
    write(seeds / "a.md", a_seed(status="actve"))
    forked, anew = (how(*command.split(), cwd=tmp_path, env=env) for how in (run, run_anew))
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        anew.returncode,
        anew.stdout,
        anew.stderr,
    )
    assert forked.stdout + forked.stderr


def test_each_forked_command_has_its_own_folder_environment_and_arguments(tmp_path):
    for word in ("one", "two"):
        folder = tmp_path / word
        write(folder / "worker.py", f"{SHOW} sys.exit(3)")  # found first, as by `python -m`
        done = run(word, cwd=folder, env={"WORD": word})
        assert done.returncode == 3, done.stderr
        assert done.stdout == f"{folder} {[word]} {word} {folder}\n"


def test_a_signal_that_ends_a_forked_command_is_its_exit_code(tmp_path):
    write(tmp_path / "worker.py", "import os; os.kill(os.getpid(), 9)")
    assert run(cwd=tmp_path).returncode == -9
    assert run(cwd=tmp_path).returncode == -9, "and the next one runs"


def test_a_forked_command_has_the_terminal(tmp_path):
    write(tmp_path / "worker.py", "import os; print(*map(os.isatty, (0, 1, 2)), input())")
    shown, code = on_a_terminal(cwd=tmp_path, typed="hello\n")
    assert shown.endswith("True True True hello\n")
    assert code == 0


def test_a_forked_command_finds_nothing_of_the_program_loaded(tmp_path):
    write(tmp_path / "worker.py", "import sys; print([m for m in sys.modules if 'worker.' in m])")
    assert run(cwd=tmp_path).stdout == "[]\n", sys.version
