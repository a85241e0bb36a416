"""Deliver what is owed, as a worker does, and end with SIGKILL at a chosen step.

`python mortal_delivery.py STEP NUMBER` dies at the step of the NUMBER-th digest; `never 0` goes on until
nothing is owed. Run by `test_delivery.py`.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from datetime import UTC, datetime

from worker.library.services import Services
from worker.messages import deliver
from worker.settings.model import load_settings

STEPS = {
    "leased": "_recheck",  # leased, and not looked at again
    "composing": "_compose",
    "sending": "_message",  # composed, and not sent
    "sent": "_mark_sent",  # sent, and not marked
    "marked": "Delivery",  # marked, and not reported
}


def main(step: str, number: int) -> None:
    if step in STEPS:
        _die_at(STEPS[step], number)
    services = Services(load_settings(), now=lambda: datetime.now(UTC))
    try:
        while services.status()["notices"]["pending"]:
            services.deliver()
            time.sleep(0.02)
    finally:
        services.close()


def _die_at(name: str, number: int) -> None:
    whole, calls = getattr(deliver, name), itertools.count(1)

    def mortal(*arguments, **named):
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments, **named)

    setattr(deliver, name, mortal)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
