"""The command line: `main` runs one command and turns what people can fix into one line.

Exit codes: 0 fine, 1 findings or not found, 2 usage or configuration or output that cannot be written, 130
interrupted. Only JSON goes to standard output with `--json`. Nothing heavy is imported here, because
`content-sync --help` must be quick: each command imports what it needs.

Garbage is collected rarely in a command. `status` takes 0.28 s; it takes 0.34 s with Python's own threshold,
0.41 s with the collection at the end, and 0.44 s with both. An unchanged `sync` of 1,432 pages takes 0.45,
0.51, 0.60 and 0.65 s (medians of 15 pairs, two processors, Python 3.11, 2026-11-30).
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from _thread import interrupt_main, start_new_thread
from typing import TYPE_CHECKING

from worker.errors import ContentSyncError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    import click

#: Loading a command makes a hundred thousand objects that stay. With Python's threshold of 700 the
#: collector looks at them so often that it takes a sixth of the start.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000
INTERRUPTED = 130
#: How soon an interrupt is tried again that came during an import, or while a connection was closed.
_SOON_SECONDS = 0.002
_IMPORTS = "<frozen importlib._bootstrap>"
_CLOSES_CONNECTION = "_close_connection"  # of SQLAlchemy's pool


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    code = _interruptible(_run)
    # At the end Python looks through all objects for cycles, which takes a quarter of a short command,
    # and the process takes its memory with it anyway.
    gc.freeze()
    sys.exit(code)


def _run() -> int:
    from worker.cli.output import use_for_output

    use_for_output()
    return run_command(sys.argv[1:])


def _interruptible(run: Callable[[], int]) -> int:
    """Return what `run` returns, or 130 once Ctrl-C came, whatever became of its exception.

    Python discards an exception that is raised in a callback, such as those of its imports, and a library may
    catch it or raise another one instead. An exception in the midst of an import can leave the module's lock
    taken, and the next import of the module waits for ever; SQLAlchemy logs one that ends the closing of a
    connection. So an interrupt waits until either ends.
    """
    came = over = False

    def interrupt(_number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        if not _has_to_end(frame):
            raise KeyboardInterrupt
        start_new_thread(interrupt_again, ())

    def interrupt_again() -> None:
        time.sleep(_SOON_SECONDS)
        if not over:
            interrupt_main()

    before = signal.getsignal(signal.SIGINT)
    sys.unraisablehook = _interrupt_again
    code = INTERRUPTED
    try:
        try:
            if before is not signal.SIG_IGN:
                signal.signal(signal.SIGINT, interrupt)
            code = run()
        finally:
            over = True
            signal.signal(signal.SIGINT, before)
    except BaseException:
        if not came:
            raise
    return INTERRUPTED if came else code


def _has_to_end(frame: FrameType | None) -> bool:
    """Return whether an import, or the closing of a connection, is under way."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename == _IMPORTS or code.co_name == _CLOSES_CONNECTION:
            return True
        frame = frame.f_back
    return False


def _interrupt_again(unraisable: sys.UnraisableHookArgs) -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        start_new_thread(interrupt_main, ())  # in this thread it would be discarded again
    else:
        sys.__unraisablehook__(unraisable)


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; without arguments, show the help."""
    from worker.cli.output import OutputError, complain, give_up_output

    try:
        try:
            return _code_of(arguments)
        finally:
            sys.stdout.flush()
    except OutputError as error:
        give_up_output()
        complain(str(error))
        return 2
    except BrokenPipeError:  # whoever read our output has enough of it
        give_up_output()
        return 1


def _code_of(arguments: list[str]) -> int:
    import click

    from worker.cli.app import PROGRAM, program
    from worker.cli.output import OutputError, complain

    try:
        code = program(
            args=arguments or ["--help"],
            prog_name=PROGRAM,
            standalone_mode=False,
            color=False if os.environ.get("NO_COLOR") else None,
        )
    except OutputError:
        raise
    except ContentSyncError as error:
        complain(str(error))
        return 2
    except click.ClickException as error:
        complain(_explain(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _explain(error: click.ClickException) -> str:
    """Put a usage error into one line that says where help is."""
    from worker.cli.app import GLOBAL_OPTIONS, PROGRAM

    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    message = error.format_message().rstrip(".")
    option = getattr(error, "option_name", None)
    if option in GLOBAL_OPTIONS and command != PROGRAM:
        subcommand = command.removeprefix(PROGRAM)
        return f"{option} goes before the command: {PROGRAM} {option} …{subcommand}"
    return f"{message} (see {command} --help)"
