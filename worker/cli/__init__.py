"""The command line: `main` runs one command and turns what people can fix into one line.

Exit codes: 0 fine, 1 findings or not found, 2 usage or configuration, 130 interrupted. JSON goes
to standard output alone. Nothing heavy is imported here: `content-sync --help` has to be quick, so
each command imports what it needs.

The collector of garbage hardly runs in a command. What that gains: `status` takes 0.28 s, 0.34 s where it
collects as often as Python does by itself, 0.41 s where it collects at the end, and 0.44 s with both; an
unchanged `sync` of 1,432 pages 0.45, 0.51, 0.60 and 0.65 s (medians of 15 pairs, two processors,
Python 3.11, 2026-11-30).
"""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import TYPE_CHECKING

from worker.errors import ContentSyncError

if TYPE_CHECKING:
    import click

#: Loading a command makes a hundred thousand objects that stay. With Python's threshold of 700 the
#: collector looks at them so often that it takes a sixth of the start.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    code = run_command(sys.argv[1:])
    # At the end Python looks through all objects for cycles, which takes a quarter of a short command,
    # and the process takes its memory with it anyway.
    gc.freeze()
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; without arguments, show the help."""
    import click

    from worker.cli.app import PROGRAM, program
    from worker.cli.output import complain

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = program(
            args=arguments or ["--help"],
            prog_name=PROGRAM,
            standalone_mode=False,
            color=False if os.environ.get("NO_COLOR") else None,
        )
        sys.stdout.flush()
    except ContentSyncError as error:
        complain(str(error))
        return 2
    except click.ClickException as error:
        complain(_explain(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough of it. Python would say so once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
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
