"""A second process that shares a large load: both draw files from one queue and take in what they drew.

It is forked, so that it knows what this process knows, before either has a connection to the store or
a second thread. It ends with its share, on Ctrl-C, or once this process is gone; each batch is a
transaction, so that nothing is lost with it. What is read and taken in is for `worker.watch.sync` to say.

What it gains: a first sync of the real library (1,432 pages, 50 MB) takes 1.21 s with it, and 1.58 s in
one process; one of 20,000 made pages 3.7 s, and 5.1 s (medians of 7 and 4 pairs, two processors, SQLite,
Python 3.11, 2026-11-30). The plain way is one process, as with one processor; the tests compare the two.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from worker.domain.folder.reconcile import Seen
from worker.errors import ContentSyncError
from worker.watch.fork import fork

#: Below so many files a fork gains nothing.
_LEAST_FILES = 400
# What a process draws at once: little, so that both end at about the same time.
_FILES_AT_ONCE, _BYTES_AT_ONCE = 100, 1 << 20
_TOKEN = struct.Struct("<i")
_MOST_TOKENS = 65_536 // _TOKEN.size  # that a pipe holds
_DONE = struct.Struct("<q")


class SecondProcessError(ContentSyncError):
    """The second process ended before its share was taken in."""


class SecondProcess:
    """The process that shares the load, as the first one sees it."""

    def __init__(self, pid: int, answer: int, done: mmap.mmap) -> None:
        self._pid = pid
        self._answer = answer
        self._done = done
        self._ended = False

    def done(self) -> int:
        """Return how many files it has read so far."""
        return int(_DONE.unpack_from(self._done)[0])

    def result(self) -> Any:
        """Wait for its end and return what its work gave, or raise what that raised.

        Raises `SecondProcessError` when it was ended from outside, and `KeyboardInterrupt` when that
        was by Ctrl-C.
        """
        with os.fdopen(self._answer, "rb", closefd=False) as answer:
            told = answer.read()
        _, status = os.waitpid(self._pid, 0)
        self._ended = True
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT:
            raise KeyboardInterrupt
        if not told or status:
            raise SecondProcessError(
                f"the second process that read the folder was ended ({_how(status)}): what it had "
                "taken in is stored, and the next sync takes in the rest"
            )
        result = pickle.loads(told)  # noqa: S301 - what our own fork has written
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        """End it if it still runs; what it has not committed is not stored."""
        if not self._ended:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
            self._ended = True


def is_worth_sharing(files: Sequence[Seen]) -> bool:
    """Return whether a second process would gain something, and may be had."""
    return (
        sys.platform == "linux"
        and len(files) >= _LEAST_FILES
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1  # what another thread holds, a fork never gets back
    )


@contextmanager
def sharing(
    files: Sequence[Seen], work: Callable[[Iterator[str], Callable[[int], None]], object]
) -> Iterator[tuple[Iterator[str], SecondProcess]]:
    """Give the paths of this process's share, and the process that has the other one.

    `work` is called there with its share and with what tells how many files are done; its result must
    be one that pickle takes. Both draw while there is something. At the end, or on an error, the
    second process is stopped unless its result was waited for.
    """
    queue, answer, told = _queue(files), *os.pipe()
    done = mmap.mmap(-1, _DONE.size)
    parent = os.getpid()
    pid = fork()
    if not pid:
        os.close(answer)
        _work(queue, told, done, parent, work)
    os.close(told)
    second = SecondProcess(pid, answer, done)
    try:
        yield _draw(*queue), second
    finally:
        second.stop()
        os.close(answer)
        os.close(queue[0])
        done.close()


def _work(
    queue: tuple[int, list[list[str]]],
    told: int,
    done: mmap.mmap,
    parent: int,
    work: Callable[[Iterator[str], Callable[[int], None]], object],
) -> NoReturn:
    """Do the work of the second process and end it, whatever happens."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def tell(number: int) -> None:
            if os.getppid() != parent:
                os._exit(code)  # nobody waits for the result
            _DONE.pack_into(done, 0, number)

        try:
            result = work(_draw(*queue), tell)
        except Exception as error:  # noqa: BLE001 - the first process raises it
            error.add_note(traceback.format_exc())
            result = error
        with os.fdopen(told, "wb") as answer:
            pickle.dump(result, answer)
        code = 0
    finally:
        os._exit(code)


def _queue(files: Sequence[Seen]) -> tuple[int, list[list[str]]]:
    """Return a pipe's end with a number for each run of files, and those runs."""
    runs_at_most = len(files) // _FILES_AT_ONCE + sum(f[1] for f in files) // _BYTES_AT_ONCE + 1
    times = runs_at_most // _MOST_TOKENS + 1  # of a library beyond all measure
    runs: list[list[str]] = [[]]
    size = 0
    for path, size_of_file, *_ in files:
        if len(runs[-1]) >= times * _FILES_AT_ONCE or size >= times * _BYTES_AT_ONCE:
            runs.append([])
            size = 0
        runs[-1].append(path)
        size += size_of_file
    queue, tokens = os.pipe()
    os.write(tokens, b"".join(map(_TOKEN.pack, range(len(runs)))))
    os.close(tokens)  # so that whoever draws the last one finds the end
    return queue, runs


def _draw(queue: int, runs: list[list[str]]) -> Iterator[str]:
    while token := os.read(queue, _TOKEN.size):
        yield from runs[_TOKEN.unpack(token)[0]]


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.waitstatus_to_exitcode(status)}"
