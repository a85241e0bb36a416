"""Reads the file that says what front matter must be, for workers and for `validate`."""

from __future__ import annotations

import json

from worker.domain.vocabulary import Rules, compile_rules
from worker.errors import ConfigurationError
from worker.settings import Settings


def load_rules(settings: Settings) -> Rules:
    """Return the compiled rules of the schema file; raise `ConfigurationError` where it is unusable."""
    path = settings.schema_file or settings.beside("seed.schema.json")
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        return compile_rules(schema, settings.fields, settings.rules.severities)
    except OSError as error:
        raise ConfigurationError(f"the schema {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a usable schema: {error}") from error
