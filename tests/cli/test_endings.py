"""How a command ends when it is interrupted, or when its output cannot be written or read.

A command says so in one line at most, never with a traceback, and its exit code tells.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import clean_environment, on_a_terminal, run
from support.seeds import a_seed, write
from support.waiting import PATIENCE_SECONDS

ENTRY_POINT = str(Path(sys.executable).with_name("content-sync"))
#: Before the program: it gets Ctrl-C at its n-th call, of those from the first on at which it heeds Ctrl-C.
#: Calls of a function that is named are the only ones that count, where there is such a name.
INTERRUPTED = """
import _signal, atexit, os, sys
calls, at, only = 0, int(os.environ["AT"]), os.environ.get("ONLY")

def see(frame, event, _argument):
    global calls
    if event not in {"call", "c_call"} or (only and frame.f_code.co_name != only):
        return
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        if "worker.cli" in sys.modules and not only:
            os._exit(99)
        return
    calls += 1
    if calls == at:
        sys.setprofile(None)
        os.kill(os.getpid(), _signal.SIGINT)

@atexit.register
def count():
    if at == 0:
        sys.stderr.write(str(calls))
    elif calls < at:
        sys.stderr.write(f"only {calls} calls")

sys.setprofile(see)
"""
#: The program, where a library does with an interrupt what it must not do.
SWALLOWED = """
import signal
from worker.run import doctor as checks
from worker.__main__ import main

def doctor(*_given):
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        {then}
    return []

checks.doctor = doctor
main()
"""
ASCII_ALONE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="there is no full device")
#: No single call is worth a test of its own, and a start makes a hundred thousand.
INSTANTS = 12


@pytest.fixture(scope="module")
def first_library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    for page in range(30):
        write(folder / f"seeds/{page}.md", a_seed(title=f"Page {page}"))
    write(folder / "seeds/refused.md", a_seed(status="actve"))
    assert run("sync", cwd=folder).returncode == 1
    write(folder / "seeds/1.md", a_seed(title="Page 1", body="# Page 1\n\nWait for 6 days.\n"))
    assert run("sync", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def library(tmp_path, first_library):
    """Return a folder with a library of which a page was refused and one has two versions."""
    return Path(shutil.copytree(first_library, tmp_path / "library"))


@pytest.fixture
def interrupted(library):
    """Return a function that interrupts a program at its n-th call; at 0 it counts them."""
    write(library / "hook/sitecustomize.py", INTERRUPTED)

    def interrupted_at(at, *command, only=""):
        return subprocess.run(
            command,
            cwd=library,
            env=clean_environment({"PYTHONPATH": "hook", "AT": str(at), "ONLY": only}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    return interrupted_at


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-m", "worker", "status"),
        (ENTRY_POINT, "sync", "--full"),
        (ENTRY_POINT, "--help"),
    ],
    ids=["status", "sync", "help"],
)
def test_ctrl_c_ends_a_command_without_a_word_at_any_instant(interrupted, command):
    interrupted(0, *command)  # what it stores, it need not store again
    calls = int(interrupted(0, *command).stderr.splitlines()[-1])
    instants = [1 + calls * step // INSTANTS for step in range(INSTANTS)]
    reached = 0
    for at in instants:
        done = interrupted(at, *command)
        if not done.stderr.startswith("only "):  # a run may make fewer calls than the one before
            assert (at, done.returncode, done.stderr) == (at, 130, "")
            reached += 1
    assert reached > INSTANTS // 2


@pytest.mark.parametrize("nth", [1, 20])
def test_ctrl_c_in_a_callback_of_an_import_is_not_lost(interrupted, nth):
    program = "from worker.cli import main; main()"  # from its first import on
    done = interrupted(nth, sys.executable, "-c", program, "status", only="cb")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("function", ["acquire", "release"])
def test_ctrl_c_while_an_import_takes_or_gives_back_its_lock_is_no_deadlock(interrupted, function):
    program = "from worker.cli import main; main()"
    for nth in (1, 2, 3, 5, 20, 21, 22, 50):
        done = interrupted(nth, sys.executable, "-c", program, "status", only=function)
        assert (nth, done.returncode, done.stderr) == (nth, 130, "")


def test_ctrl_c_while_a_connection_is_closed_is_not_logged(interrupted):
    for nth in (1, 2, 3):
        done = interrupted(nth, ENTRY_POINT, "sync", "--full", only="do_close")
        assert (nth, done.returncode, done.stderr) == (nth, 130, "")


def test_ctrl_c_while_python_ends_is_not_lost(interrupted):
    done = interrupted(1, sys.executable, "-m", "worker", "status", only="_shutdown")
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("then", ["pass", "raise ImportError from None"])
def test_ctrl_c_that_a_library_swallows_is_told_by_the_exit_code(tmp_path, then):
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED.format(then=then), "doctor"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_a_job_in_the_background_of_a_shell_script_ignores_ctrl_c(tmp_path):
    program = write(tmp_path / "program.py", SWALLOWED.format(then="pass"))
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} {program} doctor --json & wait $!"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_full_device
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command",
    [
        *("--help", "--version", "status", "status --json", "list", "list --json", "export"),
        *("validate seeds/1.md", "validate --json seeds/refused.md", "rules", "sync --dry-run"),
    ],
)
def test_output_that_cannot_be_written_is_one_line(library, command, unbuffered):
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "worker", *command.split()],
            cwd=library,
            env=clean_environment({"PYTHONUNBUFFERED": unbuffered}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "content-sync: cannot write to standard output: No space left on device\n"
    )


@needs_full_device
@pytest.mark.parametrize(("command", "code"), [("status", 0), ("history no.md", 1), ("no", 2)])
def test_complaints_that_cannot_be_written_change_no_exit_code(library, command, code):
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "worker", *command.split()],
            cwd=library,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
        )
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "code"), [("status", 0), ("no", 2)])
def test_streams_that_are_closed_change_no_exit_code(library, command, code, closed):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m worker {command} {closed}"],
        cwd=library,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["list --json", "status", "export", "rules", "--help"])
def test_a_reader_that_leaves_early_is_no_error(library, command):
    pipe = subprocess.Popen(
        [sys.executable, "-m", "worker", *command.split()],
        cwd=library,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pipe.stdout.close()  # before it writes anything
    assert pipe.stderr.read() == b""
    pipe.stderr.close()
    assert pipe.wait() in {0, 1}


@pytest.mark.parametrize(
    "command",
    [
        *("--help", "status", "list", "history 1.md", "show 1.md", "diff 1.md", "why 1.md 2"),
        *("events", "export", "due", "due --forecast", "owners", "notices", "remind"),
        *("reviewed 1.md --by Asha", "notify-test", "notify-test --preview", "approve --show"),
        *("validate seeds/1.md", "validate seeds/refused.md", "rules", "explain CS032", "verify"),
        *("doctor", "sync", "sync --dry-run", "status --store-url x", "history no.md"),
    ],
)
def test_a_terminal_that_knows_ascii_alone_gets_signs_of_ascii(library, command):
    piped = run(*command.split(), cwd=library, env=ASCII_ALONE)
    shown, code = on_a_terminal(*command.split(), cwd=library, env=ASCII_ALONE)
    assert {code, piped.returncode} <= {0, 1, 2}
    for output in (piped.stdout, piped.stderr, shown):
        assert output.isascii()
        assert "\\u" not in output
        assert "\\x" not in output
        assert "Traceback" not in output


def test_marks_arrows_and_bars_have_signs_of_ascii(library):
    def output_of(*command):
        shown, _ = on_a_terminal(*command, cwd=library, env=ASCII_ALONE)
        return shown + run(*command, cwd=library, env=ASCII_ALONE).stdout

    assert "==" in output_of("status")
    assert "1 -> 2" in output_of("diff", "1.md")
    assert "+  settings" in output_of("doctor")
    assert "x  watcher" in output_of("doctor")
    assert "--- Content Sync: test message" in output_of("notify-test")


def test_what_the_encoding_of_a_terminal_lacks_is_spelt_out(library):
    write(library / "seeds/2.md", a_seed(title="Übelkeit → Hilfe"))
    run("sync", cwd=library)
    latin = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    assert (
        "Übelkeit -> Hilfe"
        in subprocess.run(
            [sys.executable, "-m", "worker", "history", "2.md"],
            cwd=library,
            env=clean_environment(latin),
            capture_output=True,
            encoding="latin-1",
            check=False,
        ).stdout
    )
    assert "\\xdcbelkeit -> Hilfe" in run("history", "2.md", cwd=library, env=ASCII_ALONE).stdout
