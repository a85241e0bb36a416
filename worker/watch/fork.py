"""A fork of this process that Ctrl-C ends, wherever it comes. Called by `ahead` and `share`."""

from __future__ import annotations

import os
import signal


def fork() -> int:
    """Return the id of a new process, and 0 there; Ctrl-C ends that one without a word.

    At a fork Python calls functions of its own modules, and throws away what they raise: an interrupt
    that came there would be lost in this process, and say so in both. So it waits until the fork is over.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        child = os.fork()
        if not child and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return child
