"""`content-sync` and `python -m worker`: run one command, which Ctrl-C ends at any instant.

Most of a start is imports, and Python may lose an exception that is raised while it imports. So until a
command runs, Ctrl-C ends the process directly, and nothing is imported before that is arranged.
"""

import _signal  # type: ignore[import-not-found]  # what `signal` wraps, which takes 2 ms to import
import os


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    # A shell starts a background job with Ctrl-C ignored; that stays so.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, lambda _number, _frame: os._exit(130))
    from worker.cli import main as run  # noqa: PLC0415 - see above

    run()


if __name__ == "__main__":
    main()
