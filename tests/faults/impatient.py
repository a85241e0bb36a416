"""`python impatient.py COMMAND…`: the program, which takes for lost sooner what was sent or is not answered.

Twenty seconds for a batch and five for a socket are right for a service and long for a test. Run by
`deployment.py` and `installation.py`.
"""

from __future__ import annotations

import os

from worker.cli import main
from worker.run import celery_settings
from worker.settings import redis_link
from worker.watch import in_flight

if __name__ == "__main__":
    in_flight.IN_FLIGHT_SECONDS = float(os.environ.pop("IN_FLIGHT_SECONDS"))
    seconds = float(os.environ.pop("SOCKET_SECONDS", redis_link._TIMEOUT_SECONDS))
    redis_link._TIMEOUT_SECONDS = seconds
    celery_settings.TRANSPORT.update(socket_timeout=seconds, socket_connect_timeout=seconds)
    main()
