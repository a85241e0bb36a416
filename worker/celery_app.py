"""The application for Celery's own command: `celery -A worker.celery_app worker`."""

from __future__ import annotations

import sys

from worker.errors import ContentSyncError
from worker.run.logs import configure
from worker.run.processes import require_redis, services_of_this_process
from worker.run.tasks import create_app
from worker.settings.model import Settings, load_settings


def _settings() -> Settings:
    try:
        settings = load_settings()
        require_redis(settings)
    except ContentSyncError as error:
        print(f"content-sync: {error}", file=sys.stderr)  # noqa: T201 - one line, no traceback
        raise SystemExit(2) from None
    return settings


settings = _settings()
configure(settings)
app = create_app(settings, services_of_this_process(settings))
