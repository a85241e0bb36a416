"""Runs the program as a real process, on a terminal too, and ends it with the tests."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.forked import forked
from support.waiting import PATIENCE_SECONDS, wait_until

#: Becomes the program itself: drops root where it has to, and asks the kernel (on Linux) for a
#: signal when the thread that started it dies: so start programs in the main one. In that order: a
#: change of user cancels the wish.
LAUNCHER = """
import ctypes, os, sys
parent, death_signal, user, group, *command = sys.argv[1:]
if user != str(os.getuid()):
    os.setgroups([]); os.setgid(int(group)); os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(death_signal))  # PR_SET_PDEATHSIG
    if os.getppid() != int(parent):
        sys.exit("the parent has ended")
os.execv(command[0], command)
"""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without any setting of the service, and with `extra`."""
    ours = {name for name in os.environ if name.startswith("CONTENT_SYNC_")}
    # Programs start in a third of the time from compiled modules.
    without = ours | {"PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in without}
    # Who hangs is asked where, by SIGABRT.
    asked = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", "COLUMNS": "120"}
    return {**kept, **asked, **(extra or {})}


def bound_to_us(
    command: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    user_id: int | None = None,
    group_id: int | None = None,
) -> list[str]:
    """Return a command that runs another one, which gets a signal when these tests are killed."""
    user = os.getuid() if user_id is None else user_id
    group = os.getgid() if group_id is None else group_id
    who = [str(os.getpid()), str(int(death_signal)), str(user), str(group)]
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, *who, *command]


class Process:
    """`python -m worker …` as a real process, with the file that holds what it printed."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "worker"),
        inside: Sequence[str] = (),
    ) -> None:
        """Start it; `program` is for another one in Python, `inside` for a namespace around it."""
        self.arguments = arguments
        descriptor, name = tempfile.mkstemp(prefix=".output-", suffix=".log", dir=cwd)
        self.output_file = Path(name)
        # In a user namespace of its own it is root already.
        user = {"user_id": 0, "group_id": 0} if inside else {}
        command = bound_to_us([sys.executable, *program, *arguments], **user)
        with os.fdopen(descriptor, "wb") as output:
            self._popen = subprocess.Popen(
                [*inside, *command],
                cwd=cwd,
                env=clean_environment(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children end with it
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, or None while it runs; negative is the signal that ended it."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        """Return all that it has printed so far, errors included."""
        return self.output_file.read_text(errors="replace")

    def wait_for(self, text: str) -> str:
        """Wait until it has printed `text`, and return its output; fail when it ends before."""

        def printed() -> bool:
            ended = self.exit_code is not None
            if text in self.output:
                return True
            if ended:
                pytest.fail(f"{self} ended with {self.exit_code} before it said {text!r}")
            return False

        wait_until(printed, what=f"{text!r} from {self}")
        return self.output

    def wait(self) -> int:
        """Wait until it ends by itself, and return its exit code; else it and its children print where."""
        try:
            return self._popen.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(30)
            pytest.fail(f"{self} did not end within {PATIENCE_SECONDS} s")

    def stop(self) -> int:
        """Ask it to end by SIGTERM, wait, and return its exit code; fail when it does not end."""
        if self.exit_code is None:
            self._popen.send_signal(signal.SIGCONT)  # it may be frozen by its test
            self._popen.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it and its children by SIGKILL, as a crash of the machine would."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def __str__(self) -> str:
        return f"`content-sync {' '.join(self.arguments)}`"


@contextmanager
def started(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "worker"),
) -> Iterator[Process]:
    """Run `python -m worker …` in `cwd` while the test runs; show its output when that fails.

    At the end it gets a SIGTERM; a process that does not heed it fails the test.
    """
    process = Process(*arguments, cwd=cwd, env=env, program=program)
    try:
        yield process
        process.stop()
    except BaseException as error:
        process.kill()
        error.add_note(f"{process} said:\n{process.output}")
        raise
    finally:
        process.kill()  # whatever it has left behind


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m worker …` to its end, and return its exit code and what it printed."""
    with (
        Path(os.devnull).open() as nothing,
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
    ):
        streams = [stream.fileno() for stream in (nothing, output, errors)]
        with forked(arguments, cwd=cwd, env=clean_environment(env), streams=streams) as wait:
            code = wait()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())


def run_anew(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Do so in a Python that starts now, and where the caller is."""
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        cwd=cwd,
        env=clean_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def on_a_terminal(
    *arguments: str,
    cwd: Path,
    columns: int = 100,
    rows: int = 50,
    typed: str = "",
    env: Mapping[str, str] | None = None,
) -> tuple[str, int]:
    """Return what `python -m worker …` shows on a terminal of that size, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = clean_environment({"TERM": "xterm-256color", **(env or {})})
    del environment["COLUMNS"]
    with forked(arguments, cwd=cwd, env=environment, streams=[theirs] * 3) as wait:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while block := os.read(ours, 65536):
                shown += block
        except OSError:  # how Linux says that the other side has closed
            pass
        finally:
            os.close(ours)
        code = wait()
    return shown.decode().replace("\r\n", "\n"), code
