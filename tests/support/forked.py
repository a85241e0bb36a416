"""Runs commands in processes forked from a Python that has loaded the libraries: a third of the cost.

Two thirds of a command's processor time are imports of libraries, SQLAlchemy above all, and the tests run
a thousand commands. So a few Pythons wait with these imports done, and a command is a process forked from
one: with its own arguments, working directory, environment and streams, it runs `python -m worker …`
from there on and ends as any Python does. Nothing of `worker` is loaded before, and no library that reads
the environment while it loads. Variables that Python heeds when it starts need a Python of their own.
Where a test is about the start itself, or about the place in which a process is started (a host, a
namespace), it starts a new one: `programs.run_anew`.
"""

from __future__ import annotations

import atexit
import importlib
import io
import json
import os
import runpy
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg"),
    *(
        "alembic.command",
        "alembic.config",
        "click",
        "rich.console",
        "rich.table",
        "msgspec",
        "yaml",
    ),
    *("difflib", "dateutil", "sqlite3", "importlib.metadata"),
)
#: What Python, or the C library under it, reads when it starts.
OF_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "VIRTUAL_ENV")
STREAMS = ("stdin", "stdout", "stderr")


class _Loaded:
    """A Python that has loaded the libraries and forks one command after the other."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                env=env,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # ^C is for the tests
            )
        self._answers = self._requests.makefile()

    def start(self, request: Mapping[str, Any], streams: Sequence[int]) -> None:
        line = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(self._requests, [line], list(streams))
        self._requests.sendall(line[sent:])

    def wait(self) -> int:
        return int(self._answers.readline())

    def close(self) -> None:
        """End it: it reads the end of its requests."""
        self._answers.close()
        self._requests.close()
        self._popen.wait()


_idle: defaultdict[tuple[tuple[str, str], ...], list[_Loaded]] = defaultdict(list)


@atexit.register
def _close_all() -> None:
    for several in _idle.values():
        for loaded in several:
            loaded.close()


@contextmanager
def forked(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], streams: Sequence[int]
) -> Iterator[Callable[[], int]]:
    """Run `python -m worker …` with these three streams; give what waits for its exit code."""
    start = tuple(sorted(item for item in env.items() if item[0].startswith(OF_THE_START)))
    # Another one for each command that runs at the same time.
    loaded = _idle[start].pop() if _idle[start] else _Loaded(env)
    loaded.start({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}, streams)
    yield loaded.wait
    _idle[start].append(loaded)


def _serve(requests: socket.socket) -> list[str]:
    """Fork for each request; return in the forked process alone, with the command's arguments."""
    while True:
        line, streams, _, _ = socket.recv_fds(requests, 65536, 3)
        if not line:
            os._exit(0)
        while not line.endswith(b"\n"):
            line += requests.recv(65536)
        pid = os.fork()
        if pid == 0:
            return _become(json.loads(line), streams, requests)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(pid, 0)
        requests.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(
    request: Mapping[str, Any], streams: Sequence[int], requests: socket.socket
) -> list[str]:
    requests.close()
    for number, (stream, name) in enumerate(zip(streams, STREAMS, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        _open_anew(number, name)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.path.insert(0, str(Path.cwd()))
    return list(request["arguments"])


def _open_anew(number: int, name: str) -> None:
    """Open a stream as Python does at its start: whether it can seek depends on what it is."""
    before = getattr(sys, name)
    buffering = 0 if number and before.write_through else -1
    binary = open(number, "wb" if number else "rb", buffering, closefd=False)  # noqa: SIM115
    stream = io.TextIOWrapper(
        binary,
        before.encoding,
        before.errors,
        line_buffering=os.isatty(number),
        write_through=before.write_through,
    )
    stream.mode = before.mode
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    for name in LIBRARIES:
        importlib.import_module(name)
    sys.argv[1:] = _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy._run_module_as_main("worker")
