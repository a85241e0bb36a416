"""The time zone of the machine, for a team whose settings name none.

`tzlocal`, which Celery brings, reads the variable TZ, else /etc/timezone and /etc/localtime.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from zoneinfo import ZoneInfo

from worker.errors import ConfigurationError


@cache
def machine_zone() -> ZoneInfo:
    """Return the machine's time zone, UTC if it has none; raise `ConfigurationError` if it is unknown.

    A copied /etc/localtime has no name; the zone's is `local` then. A change needs a restart.
    """
    import tzlocal  # noqa: PLC0415 - 2 ms, and most teams name their zone

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a machine without any zone has UTC
            found = tzlocal.get_localzone()
    except (KeyError, ValueError, OSError) as error:
        source = f"TZ is {os.environ['TZ']!r}" if os.environ.get("TZ") else "/etc/localtime"
        raise ConfigurationError(
            f"the time zone of this machine is not known ({source}): set timezone in [review],"
            ' such as "Asia/Kolkata"'
        ) from error
    return found if isinstance(found, ZoneInfo) else ZoneInfo("UTC")
