"""A second process that shares a large load: both take files from one queue and ingest them.

It is forked, so it has this process's data, before either has a connection to the store or a second
thread. It ends when its share is done, on Ctrl-C, or when this process has ended. Each batch is a
transaction, so nothing is lost. `worker.watch.sync` decides what is read and ingested.

The gain: a first sync of the real library (1,432 pages, 50 MB) takes 1.21 s with it, and 1.58 s in one
process; one of 20,000 generated pages 3.7 s, and 5.1 s (medians of 7 and 4 pairs, two processors, SQLite,
Python 3.11, 2026-11-30). The simple version is one process, used with one processor; the tests compare
the two.
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

#: With fewer files a fork gains nothing.
_LEAST_FILES = 400
# What a process takes at once: little, so that both end at about the same time.
_FILES_AT_ONCE, _BYTES_AT_ONCE = 100, 1 << 20
_TOKEN = struct.Struct("<i")
_MOST_TOKENS = 65_536 // _TOKEN.size  # that a pipe holds
_DONE = struct.Struct("<q")


class SecondProcessError(ContentSyncError):
    """The second process ended before it had ingested its share."""


class SecondProcess:
    """The first process's handle on the second one."""

    def __init__(self, pid: int, answer: int, done: mmap.mmap) -> None:
        self._pid = pid
        self._answer = answer
        self._done = done
        self._ended = False

    def done(self) -> int:
        """Return the number of files that it has read so far."""
        return int(_DONE.unpack_from(self._done)[0])

    def result(self) -> Any:
        """Wait until it ends; return the result of its work, or raise the error that the work raised.

        Raises `SecondProcessError` if something else ended it, and `KeyboardInterrupt` if Ctrl-C did.
        """
        with os.fdopen(self._answer, "rb", closefd=False) as answer:
            written = answer.read()
        _, status = os.waitpid(self._pid, 0)
        self._ended = True
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT:
            raise KeyboardInterrupt
        if not written or status:
            raise SecondProcessError(
                f"the second process that read the folder ended early ({_how(status)}): what it had "
                "ingested is stored, and the next sync ingests the rest"
            )
        result = pickle.loads(written)  # noqa: S301 - written by our own fork
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        """End the process if it still runs; what it has not committed is not stored."""
        if not self._ended:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
            self._ended = True


def is_worth_sharing(files: Sequence[Seen]) -> bool:
    """Return whether a second process is possible and would save time."""
    return (
        sys.platform == "linux"
        and len(files) >= _LEAST_FILES
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1  # a lock that another thread holds stays locked in a fork
    )


@contextmanager
def sharing(
    files: Sequence[Seen], work: Callable[[Iterator[str], Callable[[int], None]], object]
) -> Iterator[tuple[Iterator[str], SecondProcess]]:
    """Yield the paths of this process's share, and the process that has the other share.

    `work` runs in the second process; it gets its share and a function that reports how many files are
    done, and its result must be picklable. Both processes take files until the queue is empty. On exit,
    the second process is stopped unless its result was awaited.
    """
    queue, answer, result = _queue(files), *os.pipe()
    done = mmap.mmap(-1, _DONE.size)
    parent = os.getpid()
    pid = fork()
    if not pid:
        os.close(answer)
        _work(queue, result, done, parent, work)
    os.close(result)
    second = SecondProcess(pid, answer, done)
    try:
        yield _take(*queue), second
    finally:
        second.stop()
        os.close(answer)
        os.close(queue[0])
        done.close()


def _work(
    queue: tuple[int, list[list[str]]],
    result_pipe: int,
    done: mmap.mmap,
    parent: int,
    work: Callable[[Iterator[str], Callable[[int], None]], object],
) -> NoReturn:
    """Do the work of the second process and exit, whatever happens."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def report(number: int) -> None:
            if os.getppid() != parent:
                os._exit(code)  # the parent has ended, and no process waits for the result
            _DONE.pack_into(done, 0, number)

        try:
            result = work(_take(*queue), report)
        except Exception as error:  # noqa: BLE001 - the first process raises it
            error.add_note(traceback.format_exc())
            result = error
        with os.fdopen(result_pipe, "wb") as answer:
            pickle.dump(result, answer)
        code = 0
    finally:
        os._exit(code)


def _queue(files: Sequence[Seen]) -> tuple[int, list[list[str]]]:
    """Return the reading end of a pipe with a number for each run of files, and the runs."""
    runs_at_most = len(files) // _FILES_AT_ONCE + sum(f[1] for f in files) // _BYTES_AT_ONCE + 1
    times = runs_at_most // _MOST_TOKENS + 1  # more than 1 only in an enormous library
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
    os.close(tokens)  # so that a read after the last number finds the end
    return queue, runs


def _take(queue: int, runs: list[list[str]]) -> Iterator[str]:
    while token := os.read(queue, _TOKEN.size):
        yield from runs[_TOKEN.unpack(token)[0]]


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.waitstatus_to_exitcode(status)}"
