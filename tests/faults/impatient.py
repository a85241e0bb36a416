"""`python impatient.py COMMAND…`: the program with a watcher that takes what it sent for lost sooner.

Twenty seconds are right for a service and long for a test. Run by `deployment.py`.
"""

from __future__ import annotations

import os

from worker.cli import main
from worker.watch import in_flight

if __name__ == "__main__":
    in_flight.IN_FLIGHT_SECONDS = float(os.environ.pop("IN_FLIGHT_SECONDS"))
    main()
