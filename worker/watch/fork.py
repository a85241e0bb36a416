"""Forks this process so that Ctrl-C always ends the child. Called by `scan_process` and `second_process`."""

from __future__ import annotations

import os
import signal


def fork() -> int:
    """Fork; return the child's id, and 0 in the child. Ctrl-C ends the child without a message.

    During a fork Python runs hooks of its modules and discards what they raise: an interrupt there would
    be lost in this process and printed in both. So SIGINT is blocked until the fork is over.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        child = os.fork()
        if not child and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return child
