"""Reads the schema of front matter, for workers and for `validate`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.domain.rules.vocabulary import Rules, compile_rules, read_rules
from worker.errors import ConfigurationError
from worker.settings.model import Settings


def load_rules(settings: Settings, *, compiled: bool = True) -> Rules:
    """Return the rules of the schema file; raise `ConfigurationError` when it is unusable.

    Only compiling shows whether the file is a valid JSON Schema.
    """
    path = _path_of(settings)
    with _explained(path):
        schema = json.loads(path.read_text(encoding="utf-8"))
        make_rules = compile_rules if compiled else read_rules
        return make_rules(schema, settings.fields, settings.severities)


def require_compiled(rules: Rules, settings: Settings) -> None:
    """Compile the schema if needed; raise `ConfigurationError` when it is unusable."""
    with _explained(_path_of(settings)):
        _ = rules.validator


def _path_of(settings: Settings) -> Path:
    return settings.schema_file or settings.beside("seed.schema.json")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"the schema {path.absolute()} cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a usable schema: {error}") from error
